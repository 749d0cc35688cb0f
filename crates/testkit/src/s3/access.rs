//! What is refused before an operation looks at it: unsigned requests, another owner's bucket, and
//! what a weaker endpoint does not implement.

use async_trait::async_trait;
use s3s::access::{S3Access, S3AccessContext};
use s3s::{S3Result, s3_error};

use super::weaknesses::{Checksums, Weaknesses};

/// Decides about every request whose signature is right.
pub(crate) struct Access {
    /// Account id of the owner of all buckets.
    pub(crate) owner: String,
    pub(crate) weaknesses: Weaknesses,
}

#[async_trait]
impl S3Access for Access {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        if request.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Signature is required"));
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
