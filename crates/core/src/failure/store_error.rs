//! What can go wrong with an S3 request, by what the caller can do about it.

use std::error::Error;
use std::fmt;
use std::iter;

use super::disagreement::Disagreement;
use super::proxy::{UnusableProxy, Via};
use super::store_error_kind::StoreErrorKind;

/// A failed S3 request, after all its attempts.
#[derive(Debug, thiserror::Error)]
pub struct StoreError {
    /// What the caller can do about it.
    pub kind: StoreErrorKind,
    operation: &'static str,
    object: String,
    detail: String,
    pub(crate) bucket_region: Option<String>,
    /// The proxy that got in the way, or that may have answered itself.
    pub(crate) via: Option<Box<Via>>,
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

    /// The same for a request that is only about an upload: a "not found" without a code means the
    /// upload.
    pub(crate) fn of_upload(self) -> Self {
        match self.kind {
            StoreErrorKind::NotFound => self.of_kind(StoreErrorKind::NoSuchUpload),
            _ => self,
        }
    }

    pub(crate) fn of_kind(mut self, kind: StoreErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// The region of the bucket, according to the answer.
    pub(crate) fn bucket_region(&self) -> Option<&str> {
        self.bucket_region.as_deref()
    }

    pub(crate) fn operation(&self) -> &'static str {
        self.operation
    }

    /// The keys of the settings that may be wrong: a report says where their values came from.
    pub(crate) fn settings(&self) -> &'static [&'static str] {
        match self.kind {
            StoreErrorKind::Unreachable | StoreErrorKind::NotS3 => &["endpoint_url"],
            StoreErrorKind::NoSuchBucket => &["bucket", "endpoint_url"],
            _ => &[],
        }
    }

    /// What the user can do, in one sentence.
    pub fn hint(&self) -> Option<String> {
        use StoreErrorKind as K;
        if let Some(via) = &self.via {
            return Some(via.hint());
        }
        let hint = match self.kind {
            K::NotS3 => {
                "check --endpoint-url, also whether the server expects https://, and whether a proxy or \
                 the network's login page answers instead of the server"
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
                    "the credentials lack the permission {lacking}, or --expected-bucket-owner is \
                     wrong"
                ));
            }
            K::Credentials if self.lacks_a_feature() => {
                "this kind of profile, such as that of `aws login`, is not supported: set the \
                 variables that `aws configure export-credentials --format env` prints"
            }
            K::Credentials => {
                "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or --profile"
            }
            K::Expired => {
                "renew the credentials: AWS_SESSION_TOKEN and its keys, or the login of --profile"
            }
            K::Clock => "set this machine's clock: it is minutes off from the server's",
            K::WrongRegion => {
                return Some(match &self.bucket_region {
                    Some(region) => format!(
                        "the bucket is in `{region}`: set --region to it, and --endpoint-url to a \
                         server there if it is set"
                    ),
                    None => "set --region to the region of the bucket".to_owned(),
                });
            }
            K::AlreadyExists => "another run or process wrote this object; use a new --run-id",
            K::Conflict => "another process is writing this object; let only one of them continue",
            K::Archived => {
                "the object is archived: restore it with `aws s3api restore-object`, then run the \
                 same command"
            }
            K::StorageClass => {
                "the server does not support this --storage-class: choose another, and use a new \
                 --run-id"
            }
            K::UnusableKey => {
                "the server takes no object under this key: check --prefix, --run-id and the names of \
                 files"
            }
            K::EncryptionKey => "check that the key of --sse-kms-key-id exists and is enabled",
            K::Full => "free space on the server, or raise its quota",
            K::TooLarge => {
                "raise the limit on the size of a request, such as nginx's `client_max_body_size`: a \
                 part is as large as --part-size"
            }
            K::Throttled => {
                "the server throttles requests, or a proxy cannot reach it: run fewer processes at \
                 once or raise --retry-timeout"
            }
            K::Timeout => match self.operation {
                "UploadPart" | "PutObject" => {
                    "raise --attempt-timeout or lower --part-size if the link is slow"
                }
                _ => "raise --attempt-timeout and --retry-timeout if the link is slow",
            },
            K::Unreachable => match self.disagreement() {
                Some(Disagreement::ClientCertificate) => {
                    "the server requires a client certificate, which is not supported for S3: use \
                     an endpoint that needs only access keys"
                }
                Some(disagreement) => disagreement.hint(),
                None => {
                    "check that the server is running and that --endpoint-url or AWS_ENDPOINT_URL, or \
                     without one --region, is right"
                }
            },
            K::Proxy => {
                "check the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names, and put user and \
                 password into its URL if it needs them; NO_PROXY lists hosts to reach directly"
            }
            K::Unknown => "nothing was cleaned up; check the object before you repeat the run",
            K::Unsupported => "this needs a part of S3 that the server does not have",
            K::NotFound | K::NoSuchUpload | K::Integrity | K::ServerFailed | K::Refused => {
                return None;
            }
        };
        Some(hint.to_owned())
    }
}

impl StoreError {
    /// Whether `error` is of a kind after which its run can never complete, resumed or not.
    pub(crate) fn ends_the_run(error: &anyhow::Error) -> bool {
        let mut causes = error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<Self>());
        causes.any(|cause| {
            matches!(
                cause.kind,
                StoreErrorKind::AlreadyExists
                    | StoreErrorKind::StorageClass
                    | StoreErrorKind::UnusableKey
                    | StoreErrorKind::Unsupported
            )
        })
    }

    /// Whether the SDK says that it was built without what this kind of credentials needs.
    fn lacks_a_feature(&self) -> bool {
        let mut causes = iter::successors(self.source(), |error| (*error).source());
        causes.any(|error| error.to_string().contains("cargo feature"))
    }

    /// Why the TLS handshake failed with a server that was reached, if that is what failed.
    fn disagreement(&self) -> Option<Disagreement> {
        let mut causes = iter::successors(self.source(), |error| (*error).source());
        causes.find_map(|error| Disagreement::told_by(&error.to_string()))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of `{}` failed", self.operation, self.object)?;
        match (self.kind, self.detail.as_str()) {
            (StoreErrorKind::Timeout, "") => write!(f, ": timed out"),
            (StoreErrorKind::Unreachable, "") => write!(f, ": no connection"),
            (StoreErrorKind::Proxy, "") => match &self.via {
                Some(via) => write!(f, ": could not connect through {via}"),
                None => write!(f, ": could not connect through the proxy"),
            },
            (StoreErrorKind::Unmakeable, "") => {
                write!(f, ": the settings do not make a valid request")
            }
            (StoreErrorKind::Credentials, "") => write!(f, ": no usable credentials were found"),
            (_, "") => Ok(()),
            (_, detail) => write!(f, ": {detail}"),
        }
    }
}

/// Without this permission, S3 answers "access denied" about anything that does not exist.
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
