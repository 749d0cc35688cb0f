//! What can go wrong with one S3 request, by what the caller can do about it.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;

use crate::failure::ExitStatus;
use crate::retry::CONFLICT;

/// A failed S3 request, after all its attempts.
#[derive(Debug, thiserror::Error)]
pub struct StoreError {
    /// What the caller can do about it.
    pub kind: StoreErrorKind,
    operation: &'static str,
    object: String,
    detail: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Why an S3 request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// There is no object of that name.
    NotFound,
    /// There is no bucket of that name.
    NoSuchBucket,
    /// There is no such multipart upload (any more).
    NoSuchUpload,
    /// The credentials are fine, but do not permit this.
    AccessDenied,
    /// The server does not accept the credentials, or there are none.
    Credentials,
    /// The object exists already, written by another run or process.
    AlreadyExists,
    /// Another write of the same object is under way.
    Conflict,
    /// The server does not know the request, or a header of it.
    Unsupported,
    /// The server's object differs from what was sent, or the server says that bytes were damaged.
    Integrity,
    /// The server asked for fewer requests until the attempts were used up.
    Throttled,
    /// No answer in time.
    Timeout,
    /// No connection, or a connection that broke.
    Unreachable,
    /// A request that changes something had no answer, and asking about it had none either.
    Unknown,
    /// The server failed until the time was up, or something before it did.
    ServerFailed,
    /// The server refused the request for another reason.
    Refused,
}

impl StoreErrorKind {
    /// Whether the request may have taken effect although no success was seen.
    pub(crate) fn is_ambiguous(self) -> bool {
        matches!(
            self,
            Self::NotFound
                | Self::AlreadyExists
                | Self::Conflict
                | Self::Throttled
                | Self::Timeout
                | Self::Unreachable
                | Self::ServerFailed
                | Self::Refused
                | Self::NoSuchUpload
        )
    }

    /// Whether the server may have refused the request for a header that it does not know.
    pub(crate) fn may_be_a_header(self) -> bool {
        matches!(self, Self::Unsupported | Self::Refused)
    }

    /// Whether the same request may succeed later, so that what was sent so far is worth keeping.
    pub fn may_pass(self) -> bool {
        matches!(
            self,
            Self::Throttled
                | Self::Timeout
                | Self::Unreachable
                | Self::ServerFailed
                | Self::Unknown
                | Self::Credentials
                | Self::Conflict
                | Self::NoSuchUpload
        )
    }

    /// Exit status of a command that fails with this.
    pub fn exit_status(self) -> ExitStatus {
        match self {
            Self::Integrity => ExitStatus::Integrity,
            Self::Unknown => ExitStatus::Unknown,
            _ => ExitStatus::Failed,
        }
    }
}

impl StoreError {
    pub(crate) fn new(
        kind: StoreErrorKind,
        operation: &'static str,
        object: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            operation,
            object: object.into(),
            detail: detail.into(),
            source: None,
        }
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn of_kind(mut self, kind: StoreErrorKind) -> Self {
        self.kind = kind;
        self
    }

    pub(crate) fn operation(&self) -> &'static str {
        self.operation
    }

    /// Classifies what the SDK returned for `operation` on `object`.
    pub(crate) fn from_sdk<E>(
        operation: &'static str,
        object: String,
        error: SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        let code = error
            .as_service_error()
            .and_then(|e| e.code())
            .map(str::to_owned);
        let kind = kind_of(&error, code.as_deref(), status);
        let mut detail = match (&code, status) {
            (Some(code), Some(status)) => format!("{code} ({status})"),
            (None, Some(status)) => format!("status {status}"),
            (Some(code), None) => code.clone(),
            (None, None) => String::new(),
        };
        if let Some(message) = error.as_service_error().and_then(|e| e.message()) {
            detail = format!("{detail}: {message}");
        }
        if let Some(id) = error
            .as_service_error()
            .and_then(RequestIdOf::request_id_of)
        {
            detail = format!("{detail} [request id {id}]");
        }
        let failed = Self::new(kind, operation, object, detail);
        match error {
            // Everything that the server said stands in `detail`.
            SdkError::ServiceError(_) => failed,
            error => match error.into_source() {
                Ok(cause) => failed.caused_by(cause),
                Err(_) => failed,
            },
        }
    }

    /// What the person can do, as one sentence.
    pub fn hint(&self) -> Option<String> {
        let hint = match self.kind {
            StoreErrorKind::NoSuchBucket => {
                "check --bucket, --endpoint-url and --region".to_owned()
            }
            StoreErrorKind::AccessDenied => format!(
                "the credentials lack the permission `{}` for this key, or, for a key that may \
                 not exist, `s3:ListBucket`; or --expected-bucket-owner is not the bucket's",
                permission(self.operation)
            ),
            StoreErrorKind::Credentials => "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, \
                 AWS_SESSION_TOKEN or --profile, and the clock of this machine"
                .to_owned(),
            StoreErrorKind::AlreadyExists => {
                "another run or process wrote this object; take a new --run-id".to_owned()
            }
            StoreErrorKind::Conflict => {
                "another process works on this object; let one of them go on alone".to_owned()
            }
            StoreErrorKind::Throttled => {
                "the server asks for fewer requests; run fewer processes at once or raise \
                 --retry-timeout"
                    .to_owned()
            }
            StoreErrorKind::Timeout if self.operation == "GetObject" => {
                "raise --attempt-timeout and --retry-timeout if the link is slow".to_owned()
            }
            StoreErrorKind::Timeout => {
                "raise --attempt-timeout or lower --part-size if the link is slow".to_owned()
            }
            StoreErrorKind::Unreachable if self.is_of_a_certificate() => {
                "name the authority that signed the server's certificate with --ca-bundle"
                    .to_owned()
            }
            StoreErrorKind::Unreachable => {
                "check that the server runs and that --endpoint-url names it".to_owned()
            }
            StoreErrorKind::Unknown => {
                "nothing was cleaned up; look at the object before you repeat the run".to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }
}

impl StoreError {
    /// Whether the server was reached and its certificate was not accepted, as rustls says it.
    fn is_of_a_certificate(&self) -> bool {
        let mut cause = self.source();
        while let Some(error) = cause {
            if error.to_string().contains("invalid peer certificate") {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of `{}` failed", self.operation, self.object)?;
        match (self.kind, self.detail.as_str()) {
            (StoreErrorKind::Timeout, "") => write!(f, ": no answer in time"),
            (StoreErrorKind::Unreachable, "") => write!(f, ": no connection"),
            (StoreErrorKind::Credentials, "") => write!(f, ": no usable credentials were found"),
            (_, "") => Ok(()),
            (_, detail) => write!(f, ": {detail}"),
        }
    }
}

/// Request ids of service errors, where the SDK has parsed one.
trait RequestIdOf {
    fn request_id_of(&self) -> Option<&str>;
}

impl<E: ProvideErrorMetadata> RequestIdOf for E {
    fn request_id_of(&self) -> Option<&str> {
        self.meta().request_id()
    }
}

fn kind_of<E>(
    error: &SdkError<E, HttpResponse>,
    code: Option<&str>,
    status: Option<u16>,
) -> StoreErrorKind {
    use StoreErrorKind as K;
    match (code, status) {
        (Some("NoSuchBucket"), _) => K::NoSuchBucket,
        (Some("NoSuchUpload"), _) => K::NoSuchUpload,
        (Some("NoSuchKey" | "NotFound"), _) => K::NotFound,
        (Some(CONFLICT), _) | (_, Some(409)) => K::Conflict,
        (Some("PreconditionFailed"), _) | (_, Some(412)) => K::AlreadyExists,
        (Some("NotImplemented"), _) | (_, Some(501)) => K::Unsupported,
        (
            Some(
                "BadDigest"
                | "XAmzContentChecksumMismatch"
                | "XAmzContentSHA256Mismatch"
                | "InvalidDigest",
            ),
            _,
        ) => K::Integrity,
        (
            Some(
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "InvalidToken"
                | "RequestTimeTooSkewed"
                | "AuthorizationHeaderMalformed",
            ),
            _,
        ) => K::Credentials,
        (Some("SlowDown" | "SlowDownRead" | "SlowDownWrite"), _) | (_, Some(429 | 503)) => {
            K::Throttled
        }
        (_, Some(401)) => K::Credentials,
        (_, Some(403)) => K::AccessDenied,
        (_, Some(404)) => K::NotFound,
        (Some("RequestTimeout"), _) | (_, Some(408)) => K::Timeout,
        // It also stands in the body of a 200.
        (Some("InternalError"), _) => K::ServerFailed,
        (_, Some(status)) => match error {
            // A status arrived, but not the whole body.
            SdkError::ResponseError(_) => K::Unreachable,
            _ if status >= 500 => K::ServerFailed,
            _ => K::Refused,
        },
        (_, None) => match error {
            SdkError::TimeoutError(_) => K::Timeout,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => K::Timeout,
            SdkError::DispatchFailure(failure) if failure.is_user() => K::Refused,
            SdkError::DispatchFailure(failure)
                if failure
                    .as_connector_error()
                    .is_some_and(|error| lacks_credentials(error)) =>
            {
                K::Credentials
            }
            // Also a connection that broke before the whole reply: the request may have been done.
            SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => K::Unreachable,
            _ => K::Refused,
        },
    }
}

/// Whether the request was never sent because the SDK's chain found no usable credentials.
fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    error.is::<CredentialsError>() || error.source().is_some_and(lacks_credentials)
}

/// The IAM action that an operation needs.
fn permission(operation: &str) -> &'static str {
    match operation {
        "HeadObject" | "GetObject" => "s3:GetObject",
        "ListParts" => "s3:ListMultipartUploadParts",
        "ListMultipartUploads" => "s3:ListBucketMultipartUploads",
        "ListObjectsV2" | "HeadBucket" => "s3:ListBucket",
        "AbortMultipartUpload" => "s3:AbortMultipartUpload",
        _ => "s3:PutObject",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_not_trusted_is_no_server_that_does_not_run() {
        let hint = |cause: &str| {
            let error = StoreError::new(StoreErrorKind::Unreachable, "HeadBucket", "s3://b", "");
            error.caused_by(cause.to_owned()).hint().unwrap()
        };
        assert!(hint("invalid peer certificate: UnknownIssuer").contains("--ca-bundle"));
        assert!(hint("connection refused").contains("check that the server runs"));
    }
}
