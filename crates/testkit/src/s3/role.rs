//! A gate that denies what the credentials lack a permission for, as S3 does.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::gate::{Gate, Moment, Verdict};
use super::lock::lock;
use super::request::{Operation, Request};

/// The permission that a [`Role`] lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The permission for one operation.
    Operation(Operation),
    /// `s3:ListBucket`, without which S3 does not reveal whether an object exists either.
    ListBucket,
}

/// Permits everything until it is set. Clones share one state.
#[derive(Clone, Default)]
pub struct Role(Arc<Mutex<Option<Denied>>>);

impl Role {
    /// Denies only this, or nothing.
    pub fn set(&self, denied: Option<Denied>) {
        *lock(&self.0) = denied;
    }
}

impl Denied {
    /// The name of the missing permission.
    #[must_use]
    pub fn permission(self) -> &'static str {
        match self {
            Self::Operation(Operation::GetObject | Operation::HeadObject) => "s3:GetObject",
            Self::Operation(Operation::AbortMultipartUpload) => "s3:AbortMultipartUpload",
            Self::Operation(Operation::ListParts) => "s3:ListMultipartUploadParts",
            Self::Operation(Operation::ListMultipartUploads) => "s3:ListBucketMultipartUploads",
            Self::Operation(Operation::ListObjectsV2) | Self::ListBucket => "s3:ListBucket",
            Self::Operation(_) => "s3:PutObject",
        }
    }

    fn denies(self, moment: Moment, request: &Request) -> bool {
        let operation = request.operation;
        match (self, moment) {
            (Self::Operation(denied), Moment::Arrived) => operation == denied,
            (Self::ListBucket, Moment::Arrived) => operation == Operation::ListObjectsV2,
            (Self::ListBucket, Moment::Executed) => {
                let asks = matches!(operation, Operation::GetObject | Operation::HeadObject);
                asks && request.status == Some(404)
            }
            (Self::Operation(_), Moment::Executed) => false,
        }
    }
}

#[async_trait]
impl Gate for Role {
    async fn decide(&self, moment: Moment, request: &Request) -> Verdict {
        let denied = *lock(&self.0);
        match denied.is_some_and(|denied| denied.denies(moment, request)) {
            true => Verdict::Answer {
                status: 403,
                code: "AccessDenied",
            },
            false => Verdict::Pass,
        }
    }
}
