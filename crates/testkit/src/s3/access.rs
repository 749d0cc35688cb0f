//! What is refused before any operation runs: unsigned requests, another owner's bucket, and
//! features that a weaker endpoint does not implement.

use async_trait::async_trait;
use hyper::header::{
    AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH,
};
use hyper::{Method, StatusCode};
use s3s::access::{S3Access, S3AccessContext};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::weaknesses::{Checksums, Conditions, Weaknesses};

const BUCKET_REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");

/// Decides about every request with a valid signature.
pub(crate) struct Access {
    /// Account id of the owner of all buckets.
    pub(crate) owner: String,
    pub(crate) region: Option<HomeRegion>,
    pub(crate) weaknesses: Weaknesses,
}

/// The region of all buckets.
#[derive(Clone, Debug)]
pub struct HomeRegion {
    /// Its name, as reported in `x-amz-bucket-region`.
    pub name: &'static str,
    /// Error code and status for a request signed for another region.
    pub refusal: (&'static str, u16),
}

impl HomeRegion {
    /// The region is the third field of the scope that a signature names.
    fn check(&self, headers: &HeaderMap) -> S3Result<()> {
        let signature = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let scope = signature.and_then(|signature| signature.split_once("Credential="));
        let region = scope.and_then(|(_, scope)| scope.split('/').nth(2));
        if region == Some(self.name) {
            return Ok(());
        }
        let (code, status) = self.refusal;
        let code = S3ErrorCode::from_bytes(code.as_bytes());
        let mut error = S3Error::new(code.unwrap_or(S3ErrorCode::InternalError));
        error.set_status_code(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST));
        let name = HeaderValue::from_static(self.name);
        error.set_headers(HeaderMap::from_iter([(BUCKET_REGION, name)]));
        Err(error)
    }
}

#[async_trait]
impl S3Access for Access {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        if request.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Signature is required"));
        }
        if let Some(home) = &self.region {
            home.check(request.headers())?;
        }
        let expected = request.headers().get("x-amz-expected-bucket-owner");
        if expected.is_some_and(|owner| owner.as_bytes() != self.owner.as_bytes()) {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        let missing = match request.s3_op().name() {
            "ListParts" => self.weaknesses.no_list_parts,
            "ListMultipartUploads" => self.weaknesses.no_list_uploads,
            _ => false,
        };
        if missing {
            let name = request.s3_op().name();
            return Err(s3_error!(NotImplemented, "{name} is not implemented"));
        }
        if request.s3_op().name() == "CreateMultipartUpload"
            && self.weaknesses.length_required
            && !request.headers().contains_key(CONTENT_LENGTH)
        {
            return Err(s3_error!(MissingContentLength));
        }
        let has_condition = [IF_MATCH, IF_NONE_MATCH]
            .iter()
            .any(|name| request.headers().contains_key(name));
        let is_write = matches!(*request.method(), Method::PUT | Method::POST);
        if self.weaknesses.conditions == Conditions::Refused && has_condition && is_write {
            return Err(s3_error!(NotImplemented, "conditions are not implemented"));
        }
        let refused =
            |name: &&str| name.starts_with("x-amz-checksum-") && *name != "x-amz-checksum-mode";
        if self.weaknesses.checksums == Checksums::Refused
            && let Some(name) = request
                .headers()
                .keys()
                .map(|name| name.as_str())
                .find(refused)
        {
            return Err(s3_error!(
                NotImplemented,
                "header {name} is not implemented"
            ));
        }
        Ok(())
    }
}
