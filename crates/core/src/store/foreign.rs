//! Detects answers that do not come from S3. The login page of a network, or a proxy, answers 200
//! to everything, which makes every run appear to exist already.

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};

/// How an answer shows that it does not come from S3.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Foreign {
    /// S3 answers in XML, or with what was stored.
    #[error("it answers with an HTML page")]
    Page,
    /// S3 redirects only to where the bucket is, and says where that is.
    #[error("it redirects to `{0}`")]
    Redirect(String),
    /// Every object has an ETag.
    #[error("it answers without an ETag")]
    NoEtag,
    /// Even an empty list takes some bytes of XML.
    #[error("it sends an empty answer")]
    Nothing,
}

impl Foreign {
    /// What is foreign about a success. Every server sends at least one thing that S3 sends, but
    /// not all of them send everything: an answer with a request id is trusted.
    fn of(operation: Option<&str>, response: &HttpResponse) -> Option<Self> {
        let header = |name| response.headers().get(name);
        if !response.status().is_success() || header("x-amz-request-id").is_some() {
            return None;
        }
        match operation {
            _ if is_page(response) => Some(Self::Page),
            Some("HeadObject" | "GetObject") if header("etag").is_none() => Some(Self::NoEtag),
            Some(
                "ListObjectsV2"
                | "ListParts"
                | "ListMultipartUploads"
                | "CreateMultipartUpload"
                | "CompleteMultipartUpload",
            ) if response.status().as_u16() == 204 || header("content-length") == Some("0") => {
                Some(Self::Nothing)
            }
            _ => None,
        }
    }

    /// What is foreign about a refusal without an error code. One of a HEAD has no page, whatever its
    /// type.
    pub(super) fn of_refusal(operation: &str, response: &HttpResponse) -> Option<Self> {
        let header = |name| response.headers().get(name);
        if header("x-amz-request-id")
            .or(header("x-amz-bucket-region"))
            .is_some()
        {
            return None;
        }
        match response.status().as_u16() {
            301 | 302 | 303 | 307 | 308 => {
                let target = header("location").unwrap_or_default();
                // What follows may be a secret.
                let target = target.split(['?', '#']).next().unwrap_or_default();
                Some(Self::Redirect(target.to_owned()))
            }
            401 | 403 if !operation.starts_with("Head") && is_page(response) => Some(Self::Page),
            _ => None,
        }
    }
}

fn is_page(response: &HttpResponse) -> bool {
    let kind = response.headers().get("content-type");
    kind.is_some_and(|kind| kind.starts_with("text/html"))
}

/// Refuses answers that do not come from S3.
#[derive(Debug)]
pub(super) struct RefuseForeign;

#[dyn_dispatch_hint]
impl Intercept for RefuseForeign {
    fn name(&self) -> &'static str {
        "lob-tools: answers of S3 alone"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = bag.load::<Metadata>().map(Metadata::name);
        match Foreign::of(operation, context.response()) {
            Some(foreign) => Err(foreign.into()),
            None => Ok(()),
        }
    }
}
