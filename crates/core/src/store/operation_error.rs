//! Finds the S3 error code in the error of any operation that the store uses.
//!
//! The SDK gives each operation its own error type and erases it before a retry classifier sees it,
//! so the types are tried one after another.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadError;
use aws_smithy_runtime_api::client::interceptors::context::Error;

macro_rules! first_code {
    ($error:expr, $($operation:ident :: $type:ident),+ $(,)?) => {
        None$(.or_else(|| {
            $error
                .downcast_ref::<aws_sdk_s3::operation::$operation::$type>()
                .and_then(ProvideErrorMetadata::code)
        }))+
    };
}

/// The code, such as `SlowDown`, of an erased operation error.
pub(super) fn error_code(error: &Error) -> Option<&str> {
    first_code!(
        error,
        upload_part::UploadPartError,
        put_object::PutObjectError,
        head_object::HeadObjectError,
        get_object::GetObjectError,
        create_multipart_upload::CreateMultipartUploadError,
        complete_multipart_upload::CompleteMultipartUploadError,
        abort_multipart_upload::AbortMultipartUploadError,
        list_parts::ListPartsError,
        list_multipart_uploads::ListMultipartUploadsError,
        list_objects_v2::ListObjectsV2Error,
        head_bucket::HeadBucketError,
    )
}

/// Whether the error comes from Complete. After a 409, S3 demands that the whole upload be
/// restarted (API reference of `CompleteMultipartUpload`).
pub(super) fn is_of_complete(error: &Error) -> bool {
    error
        .downcast_ref::<CompleteMultipartUploadError>()
        .is_some()
}
