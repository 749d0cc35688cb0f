//! What can go wrong with one S3 request, by what the caller can do about it.

use std::error::Error;
use std::fmt;
use std::iter;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ConnectorError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;

use super::answer;
use super::error_kind::StoreErrorKind;
use super::foreign::Foreign;
use super::proxies::{OfTransport, UnusableProxy, Via};
use crate::trust::Disagreement;

/// A failed S3 request, after all its attempts.
#[derive(Debug, thiserror::Error)]
pub struct StoreError {
    /// What the caller can do about it.
    pub kind: StoreErrorKind,
    operation: &'static str,
    object: String,
    detail: String,
    bucket_region: Option<String>,
    /// The proxy that stood in the way, or may have answered.
    via: Option<Box<Via>>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
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
            bucket_region: None,
            via: None,
            source: None,
        }
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same of a request that is about an upload alone: without a code, what is not there is the
    /// upload.
    pub(super) fn of_upload(self) -> Self {
        match self.kind {
            StoreErrorKind::NotFound => self.of_kind(StoreErrorKind::NoSuchUpload),
            _ => self,
        }
    }

    pub(crate) fn of_kind(mut self, kind: StoreErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// The region that the answer says the bucket to be in.
    pub(crate) fn bucket_region(&self) -> Option<&str> {
        self.bucket_region.as_deref()
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
            (None, Some(407)) => "the proxy wants a user and a password (407)".to_owned(),
            (None, Some(status)) => format!("status {status}"),
            (Some(code), None) => code.clone(),
            (None, None) => String::new(),
        };
        if let Some(foreign) = foreign(&error) {
            detail = format!("what answers is no S3: {foreign} ({detail})");
        }
        if let Some(message) = error.as_service_error().and_then(|e| e.message()) {
            detail = format!("{detail}: {message}");
        }
        if let Some(id) = error
            .as_service_error()
            .and_then(RequestIdOf::request_id_of)
        {
            detail = format!("{detail} [request id {id}]");
        }
        let via = proxy_of(&error, code.as_deref());
        if let Some(via) = via.filter(|_| status.is_some()) {
            detail = format!("{detail}, perhaps by {via}");
        }
        let mut failed = Self::new(kind, operation, object, detail);
        failed.via = via.cloned().map(Box::new);
        let home = error.raw_response();
        let home = home.and_then(|response| response.headers().get("x-amz-bucket-region"));
        failed.bucket_region = home.filter(|home| is_region(home)).map(str::to_owned);
        match error {
            // Everything that the server said stands in `detail`.
            SdkError::ServiceError(_) => failed,
            _ if kind == StoreErrorKind::NotS3 => failed,
            error => match error.into_source() {
                // It says of which kind its own cause is, and no more.
                Ok(cause) => failed.caused_by(match cause.downcast::<ConnectorError>() {
                    Ok(connector) => connector.into_source(),
                    Err(cause) => cause,
                }),
                Err(_) => failed,
            },
        }
    }

    /// What the person can do, as one sentence.
    pub fn hint(&self) -> Option<String> {
        use StoreErrorKind as K;
        if let Some(via) = &self.via {
            return Some(via.hint());
        }
        let hint = match self.kind {
            K::NotS3 => {
                "check --endpoint-url, and whether a proxy or a login page of the network answers \
                 in the server's place"
            }
            K::Unmakeable if self.source().is_some_and(UnusableProxy::is_in) => UnusableProxy::HINT,
            K::Unmakeable => "check --bucket, --region, --endpoint-url and --path-style",
            K::NoSuchBucket => "check --bucket, --endpoint-url and --region",
            K::AccessDenied => {
                let lacking = match permission(self.operation) {
                    LIST => format!("`{LIST}` for this bucket"),
                    other => {
                        format!(
                            "`{other}` for this key, or, for a key that may not exist, `{LIST}`"
                        )
                    }
                };
                return Some(format!(
                    "the credentials lack the permission {lacking}; or --expected-bucket-owner is \
                     not the bucket's"
                ));
            }
            K::Credentials => {
                "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or --profile"
            }
            K::Expired => {
                "renew the credentials: AWS_SESSION_TOKEN and the keys beside it, or the login of \
                 --profile"
            }
            K::Clock => "set the clock of this machine: the server's is minutes away from it",
            K::WrongRegion => {
                return Some(match &self.bucket_region {
                    Some(region) => format!(
                        "the bucket is in `{region}`: set --region to it, and --endpoint-url to a \
                         server there if it is set"
                    ),
                    None => "set --region to the region of the bucket".to_owned(),
                });
            }
            K::AlreadyExists => "another run or process wrote this object; take a new --run-id",
            K::Conflict => "another process works on this object; let one of them go on alone",
            K::Archived => {
                "the object is archived: restore it (`aws s3api restore-object`), and when that is \
                 done run the same command"
            }
            K::StorageClass => {
                "the server does not have this --storage-class: take another, and a new --run-id"
            }
            K::EncryptionKey => "check that the key of --sse-kms-key-id exists and is enabled",
            K::Full => "free space on the server, or raise its quota",
            K::Throttled => {
                "the server asks for fewer requests; run fewer processes at once or raise \
                 --retry-timeout"
            }
            K::Timeout => match self.operation {
                "UploadPart" | "PutObject" => {
                    "raise --attempt-timeout or lower --part-size if the link is slow"
                }
                _ => "raise --attempt-timeout and --retry-timeout if the link is slow",
            },
            K::Unreachable => match self.disagreement() {
                Some(Disagreement::ClientCertificate) => {
                    "the server wants a certificate of the client, which is not supported for \
                         S3: name an endpoint that takes keys alone"
                }
                Some(disagreement) => disagreement.hint(),
                None => "check that the server runs and that --endpoint-url names it",
            },
            K::Proxy => {
                "check the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names, with user and \
                 password in its URL where it wants them; NO_PROXY lists hosts to reach directly"
            }
            K::Unknown => "nothing was cleaned up; look at the object before you repeat the run",
            K::NotFound
            | K::NoSuchUpload
            | K::Unsupported
            | K::Integrity
            | K::ServerFailed
            | K::Refused => return None,
        };
        Some(hint.to_owned())
    }
}

impl StoreError {
    /// Whether `error` is of a kind with which its run can never be completed, resumed or not.
    pub(crate) fn ends_the_run(error: &anyhow::Error) -> bool {
        let mut causes = error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<Self>());
        causes.any(|cause| {
            matches!(
                cause.kind,
                StoreErrorKind::AlreadyExists | StoreErrorKind::StorageClass
            )
        })
    }

    /// Why the server was reached and TLS was not agreed on, if that is what failed.
    fn disagreement(&self) -> Option<Disagreement> {
        let mut causes = iter::successors(self.source(), |error| (*error).source());
        causes.find_map(|error| Disagreement::told_by(&error.to_string()))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of `{}` failed", self.operation, self.object)?;
        match (self.kind, self.detail.as_str()) {
            (StoreErrorKind::Timeout, "") => write!(f, ": no answer in time"),
            (StoreErrorKind::Unreachable, "") => write!(f, ": no connection"),
            (StoreErrorKind::Proxy, "") => match &self.via {
                Some(via) => write!(f, ": no way through {via}"),
                None => write!(f, ": no way through the proxy"),
            },
            (StoreErrorKind::Unmakeable, "") => {
                write!(f, ": no request can be made of the settings")
            }
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

fn kind_of<E: Error + 'static>(
    error: &SdkError<E, HttpResponse>,
    code: Option<&str>,
    status: Option<u16>,
) -> StoreErrorKind {
    use StoreErrorKind as K;
    let lacks_credentials = |failure: &ConnectorError| lacks_credentials(failure);
    let is_blocked = |failure: &ConnectorError| Via::blamed(failure).is_some();
    match (error, status) {
        _ if foreign(error).is_some() => K::NotS3,
        (SdkError::ServiceError(_), Some(status)) => answer::of(code, status).kind,
        (SdkError::TimeoutError(_), _) => K::Timeout,
        (SdkError::DispatchFailure(failure), _)
            if failure.as_connector_error().is_some_and(lacks_credentials) =>
        {
            K::Credentials
        }
        (SdkError::DispatchFailure(failure), _)
            if failure.as_connector_error().is_some_and(is_blocked) =>
        {
            K::Proxy
        }
        (SdkError::DispatchFailure(failure), _) if failure.is_timeout() => K::Timeout,
        (SdkError::DispatchFailure(failure), _)
            if failure
                .as_connector_error()
                .is_some_and(|e| UnusableProxy::is_in(e)) =>
        {
            K::Unmakeable
        }
        (SdkError::DispatchFailure(failure), _) if failure.is_user() => K::Refused,
        // The SDK says the same of what it could not make of the settings.
        (SdkError::DispatchFailure(failure), _)
            if failure.is_other()
                && !failure
                    .as_connector_error()
                    .is_some_and(|e| OfTransport::is_in(e)) =>
        {
            K::Unmakeable
        }
        // Also a connection that broke before the whole reply: the request may have been done.
        (SdkError::DispatchFailure(_) | SdkError::ResponseError(_), _) => K::Unreachable,
        (SdkError::ConstructionFailure(_), _) => K::Unmakeable,
        _ => K::Refused,
    }
}

/// Whether the answer was none of S3.
fn foreign<E>(error: &SdkError<E, HttpResponse>) -> Option<Foreign>
where
    E: Error + 'static,
{
    let mut causes = iter::successors(error.source(), |error| (*error).source());
    causes.find_map(|error| error.downcast_ref::<Foreign>().copied())
}

/// The proxy that let nothing through, or one of plain http that answered in the place of the server:
/// an answer of S3 has a code, or at least the id of its request.
fn proxy_of<'a, E>(error: &'a SdkError<E, HttpResponse>, code: Option<&str>) -> Option<&'a Via> {
    if let SdkError::DispatchFailure(failure) = error {
        return failure.as_connector_error().and_then(|e| Via::blamed(e));
    }
    let response = error.raw_response()?;
    let is_of_s3 = code.is_some() || response.headers().get("x-amz-request-id").is_some();
    response.extension::<Via>().filter(|_| !is_of_s3)
}

/// Whether a text of a server can be a region: it becomes part of a host's name.
fn is_region(text: &str) -> bool {
    let is_of_one = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=32).contains(&text.len()) && text.chars().all(is_of_one)
}

/// Whether `error` or one of its causes says `words`.
pub(super) fn says(error: &(dyn Error + 'static), words: &str) -> bool {
    error.to_string().contains(words) || error.source().is_some_and(|cause| says(cause, words))
}

/// Whether the request was never sent because the SDK's chain found no usable credentials.
fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    error.is::<CredentialsError>() || error.source().is_some_and(lacks_credentials)
}

/// Without it S3 says of what is not there that it is not permitted.
const LIST: &str = "s3:ListBucket";

/// The IAM action that an operation needs.
fn permission(operation: &str) -> &'static str {
    match operation {
        "HeadObject" | "GetObject" => "s3:GetObject",
        "ListParts" => "s3:ListMultipartUploadParts",
        "ListMultipartUploads" => "s3:ListBucketMultipartUploads",
        "ListObjectsV2" | "HeadBucket" => LIST,
        "AbortMultipartUpload" => "s3:AbortMultipartUpload",
        _ => "s3:PutObject",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the person is told to do about an answer of this code.
    fn hint_of(code: &str, status: u16) -> String {
        let kind = answer::of(Some(code), status).kind;
        let error = StoreError::new(kind, "GetObject", "s3://b/k", code);
        error.hint().unwrap_or_default()
    }

    #[test]
    fn each_cause_has_its_own_hint() {
        for (code, status, part) in [
            ("AuthorizationHeaderMalformed", 400, "--region"),
            ("PermanentRedirect", 301, "--region"),
            ("ExpiredToken", 400, "renew"),
            ("InvalidAccessKeyId", 403, "AWS_ACCESS_KEY_ID"),
            ("RequestTimeTooSkewed", 403, "clock"),
            ("InvalidObjectState", 403, "restore"),
            ("KMS.NotFoundException", 400, "--sse-kms-key-id"),
            ("QuotaExceeded", 403, "quota"),
            ("AccessDenied", 403, "s3:GetObject"),
        ] {
            assert!(hint_of(code, status).contains(part), "{code}");
        }
    }

    #[test]
    fn a_region_that_a_server_names_leads_to_no_other_host() {
        assert!(is_region("eu-central-1"));
        for other in ["", "eu.example.com", "eu/", "x@evil", "EU", &"x".repeat(33)] {
            assert!(!is_region(other), "{other}");
        }
    }

    #[test]
    fn a_permission_that_lacks_is_named_once() {
        for operation in ["ListObjectsV2", "HeadObject", "PutObject"] {
            let denied = StoreError::new(StoreErrorKind::AccessDenied, operation, "s3://b/k", "");
            let hint = denied.hint().unwrap();
            assert_eq!(hint.matches("s3:ListBucket").count(), 1, "{hint}");
        }
    }

    #[test]
    fn the_size_of_parts_is_spoken_of_only_where_parts_are_sent() {
        let hint = |operation| {
            let error = StoreError::new(StoreErrorKind::Timeout, operation, "s3://b", "");
            error.hint().unwrap()
        };
        assert!(hint("UploadPart").contains("--part-size"));
        assert!(!hint("GetObject").contains("--part-size"));
    }

    #[test]
    fn an_object_of_another_writer_ends_the_run_for_good() {
        let of = |kind| {
            let error = StoreError::new(kind, "PutObject", "s3://b/k", "");
            StoreError::ends_the_run(&anyhow::Error::from(error).context("a file"))
        };
        assert!(of(StoreErrorKind::AlreadyExists));
        assert!(!of(StoreErrorKind::Throttled));
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_no_server_that_does_not_run() {
        let hint = |cause: &str| {
            let error = StoreError::new(StoreErrorKind::Unreachable, "HeadBucket", "s3://b", "");
            error.caused_by(cause.to_owned()).hint().unwrap()
        };
        assert!(hint("invalid peer certificate: UnknownIssuer").contains("--ca-bundle"));
        assert!(
            hint("received corrupt message of type InvalidContentType")
                .contains("does not speak TLS")
        );
        let wants_ours = hint("received fatal alert: CertificateRequired");
        assert!(wants_ours.contains("not supported for S3"), "{wants_ours}");
        assert!(hint("connection refused").contains("check that the server runs"));
    }
}
