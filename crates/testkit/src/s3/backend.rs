//! The S3 operations that the server implements, one line each; the work is done in `objects`,
//! `multipart`, `listing` and `buckets`. s3s refuses everything else as `NotImplemented`.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateBucketInput, CreateBucketOutput,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput,
    GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput,
    HeadObjectOutput, ListBucketsInput, ListBucketsOutput, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput,
    ListPartsOutput, PutObjectInput, PutObjectOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::lock::lock;
use super::storage::Storage;
use super::weaknesses::Weaknesses;

/// The strict S3 backend.
pub(crate) struct Backend {
    pub(crate) storage: Arc<Mutex<Storage>>,
    pub(crate) weaknesses: Weaknesses,
}

impl Backend {
    pub(crate) fn storage(&self) -> MutexGuard<'_, Storage> {
        lock(&self.storage)
    }
}

/// The only key pair that the server accepts, with AWS's error code for any other.
pub(crate) struct Keys {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

#[async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key != self.access_key {
            return Err(s3_error!(
                InvalidAccessKeyId,
                "access key {access_key} does not exist"
            ));
        }
        Ok(self.secret_key.as_str().into())
    }
}

type Reply<T> = S3Result<S3Response<T>>;

#[async_trait]
impl S3 for Backend {
    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> Reply<ListBucketsOutput> {
        Ok(S3Response::new(self.all_buckets()))
    }

    async fn create_bucket(&self, r: S3Request<CreateBucketInput>) -> Reply<CreateBucketOutput> {
        self.new_bucket(r.input).map(S3Response::new)
    }

    async fn head_bucket(&self, r: S3Request<HeadBucketInput>) -> Reply<HeadBucketOutput> {
        self.find_bucket(&r.input.bucket).map(S3Response::new)
    }

    async fn put_object(&self, r: S3Request<PutObjectInput>) -> Reply<PutObjectOutput> {
        self.put(r).await
    }

    async fn get_object(&self, r: S3Request<GetObjectInput>) -> Reply<GetObjectOutput> {
        self.get(r.input)
    }

    async fn head_object(&self, r: S3Request<HeadObjectInput>) -> Reply<HeadObjectOutput> {
        self.head(r.input)
    }

    async fn delete_object(&self, r: S3Request<DeleteObjectInput>) -> Reply<DeleteObjectOutput> {
        self.delete(r.input).map(S3Response::new)
    }

    async fn list_objects_v2(
        &self,
        r: S3Request<ListObjectsV2Input>,
    ) -> Reply<ListObjectsV2Output> {
        self.objects_page(r.input).map(S3Response::new)
    }

    async fn create_multipart_upload(
        &self,
        r: S3Request<CreateMultipartUploadInput>,
    ) -> Reply<CreateMultipartUploadOutput> {
        self.create_upload(r.input).map(S3Response::new)
    }

    async fn upload_part(&self, r: S3Request<UploadPartInput>) -> Reply<UploadPartOutput> {
        self.put_part(r).await
    }

    async fn complete_multipart_upload(
        &self,
        r: S3Request<CompleteMultipartUploadInput>,
    ) -> Reply<CompleteMultipartUploadOutput> {
        self.complete_upload(r).map(S3Response::new)
    }

    async fn abort_multipart_upload(
        &self,
        r: S3Request<AbortMultipartUploadInput>,
    ) -> Reply<AbortMultipartUploadOutput> {
        self.abort_upload(r.input).map(S3Response::new)
    }

    async fn list_parts(&self, r: S3Request<ListPartsInput>) -> Reply<ListPartsOutput> {
        self.parts_page(r.input).map(S3Response::new)
    }

    async fn list_multipart_uploads(
        &self,
        r: S3Request<ListMultipartUploadsInput>,
    ) -> Reply<ListMultipartUploadsOutput> {
        self.uploads_page(r.input).map(S3Response::new)
    }
}
