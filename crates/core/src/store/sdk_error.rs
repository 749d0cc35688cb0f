//! Turns what the SDK says about a failed request into an error of the store.

use std::error::Error;
use std::iter;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ConnectorError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;

use super::answer;
use super::foreign::Foreign;
use super::proxies::OfTransport;
use crate::failure::{StoreError, StoreErrorKind, UnusableProxy, Via};

impl StoreError {
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
        let mut kind = kind_of(&error, code.as_deref(), status);
        let mut detail = match (&code, status) {
            (Some(code), Some(status)) => format!("{code} ({status})"),
            (None, Some(407)) => "the proxy requires a user and password (407)".to_owned(),
            (None, Some(status)) => format!("status {status}"),
            (Some(code), None) => code.clone(),
            (None, None) => String::new(),
        };
        let refused = error.raw_response().filter(|_| code.is_none());
        let refused = refused.and_then(|response| Foreign::of_refusal(operation, response));
        if let Some(foreign) = foreign(&error).or(refused) {
            kind = StoreErrorKind::NotS3;
            detail = format!("this is not an S3 server: {foreign} ({detail})");
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
            detail = format!("{detail}, perhaps from {via}");
        }
        let mut failed = Self::new(kind, operation, object, detail);
        failed.via = via.cloned().map(Box::new);
        let home = error.raw_response();
        let home = home.and_then(|response| response.headers().get("x-amz-bucket-region"));
        failed.bucket_region = home.filter(|home| is_region(home)).map(str::to_owned);
        match error {
            // Everything that the server said is in `detail`.
            SdkError::ServiceError(_) => failed,
            _ if kind == StoreErrorKind::NotS3 => failed,
            error => match error.into_source() {
                // It names the kind of its own cause, and nothing more.
                Ok(cause) => failed.caused_by(match cause.downcast::<ConnectorError>() {
                    Ok(connector) => connector.into_source(),
                    Err(cause) => cause,
                }),
                Err(_) => failed,
            },
        }
    }
}

/// Request ids of service errors, if the SDK has parsed one.
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
        // The SDK uses the same kind when the settings do not make a valid request.
        (SdkError::DispatchFailure(failure), _)
            if failure.is_other()
                && !failure
                    .as_connector_error()
                    .is_some_and(|e| OfTransport::is_in(e)) =>
        {
            K::Unmakeable
        }
        // This includes a connection that broke before the complete reply: the request may have
        // been carried out.
        (SdkError::DispatchFailure(_) | SdkError::ResponseError(_), _) => K::Unreachable,
        (SdkError::ConstructionFailure(_), _) => K::Unmakeable,
        _ => K::Refused,
    }
}

/// How the answer shows that it does not come from S3, if it does not.
fn foreign<E>(error: &SdkError<E, HttpResponse>) -> Option<Foreign>
where
    E: Error + 'static,
{
    let mut causes = iter::successors(error.source(), |error| (*error).source());
    causes.find_map(|error| error.downcast_ref::<Foreign>().cloned())
}

/// The proxy that let nothing through, or a plain `http` proxy that answered in place of the
/// server: an answer from S3 has a code, or at least a request id.
fn proxy_of<'a, E>(error: &'a SdkError<E, HttpResponse>, code: Option<&str>) -> Option<&'a Via> {
    if let SdkError::DispatchFailure(failure) = error {
        return failure.as_connector_error().and_then(|e| Via::blamed(e));
    }
    let response = error.raw_response()?;
    // For a HEAD without a body, the SDK makes up this code itself.
    let has_code = code.is_some_and(|code| code != "NotFound");
    let is_of_s3 = has_code || response.headers().get("x-amz-request-id").is_some();
    response.extension::<Via>().filter(|_| !is_of_s3)
}

/// Whether a text from a server may be used as a region: it becomes part of a host name.
fn is_region(text: &str) -> bool {
    let is_of_one = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=32).contains(&text.len()) && text.chars().all(is_of_one)
}

/// Whether the request was never sent because the SDK's chain found no usable credentials.
fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    error.is::<CredentialsError>() || error.source().is_some_and(lacks_credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the user is told to do about an answer with this code.
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
            ("KeyTooLongError", 400, "names"),
            ("QuotaExceeded", 403, "quota"),
            ("AccessDenied", 403, "s3:GetObject"),
        ] {
            assert!(hint_of(code, status).contains(part), "{code}");
        }
    }

    #[test]
    fn a_region_named_by_a_server_cannot_redirect_to_another_host() {
        assert!(is_region("eu-central-1"));
        for other in ["", "eu.example.com", "eu/", "x@evil", "EU", &"x".repeat(33)] {
            assert!(!is_region(other), "{other}");
        }
    }

    #[test]
    fn a_missing_permission_is_named_once() {
        for operation in ["ListObjectsV2", "HeadObject", "PutObject"] {
            let denied = StoreError::new(StoreErrorKind::AccessDenied, operation, "s3://b/k", "");
            let hint = denied.hint().unwrap();
            assert_eq!(hint.matches("s3:ListBucket").count(), 1, "{hint}");
        }
    }

    #[test]
    fn the_part_size_is_only_mentioned_when_parts_are_sent() {
        let hint = |operation| {
            let error = StoreError::new(StoreErrorKind::Timeout, operation, "s3://b", "");
            error.hint().unwrap()
        };
        assert!(hint("UploadPart").contains("--part-size"));
        assert!(!hint("GetObject").contains("--part-size"));
    }

    #[test]
    fn what_the_server_will_never_take_ends_the_run_permanently() {
        let of = |kind| {
            let error = StoreError::new(kind, "PutObject", "s3://b/k", "");
            StoreError::ends_the_run(&anyhow::Error::from(error).context("a file"))
        };
        assert!(of(StoreErrorKind::AlreadyExists));
        assert!(of(StoreErrorKind::UnusableKey));
        assert!(of(StoreErrorKind::Unsupported));
        assert!(!of(StoreErrorKind::Throttled));
    }

    #[test]
    fn an_untrusted_certificate_is_not_reported_as_a_server_that_is_down() {
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
        assert!(hint("connection refused").contains("check that the server is running"));
    }
}
