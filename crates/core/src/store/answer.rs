//! The answers of S3 and compatible servers other than success, in one table: what kind of failure
//! each is, and whether another attempt can help. Exit status and hint follow from the kind
//! (`error_kind`).
//!
//! A code decides if there is one; a proxy, or the answer to a HEAD, gives only a status.

use crate::failure::StoreErrorKind as K;

/// Whether to send the same request again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// The answer would be the same.
    Never,
    /// The obstacle is transient.
    Later,
    /// The server wants fewer requests.
    Slower,
    /// The bytes arrived damaged: they are sent again, but only a few times, since bytes that
    /// arrive damaged every time are damaged here.
    Damaged,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) kind: K,
    pub(super) again: Again,
}

/// Another write to the same key is in progress, perhaps our own earlier attempt.
pub(super) const CONFLICT: &str = "ConditionalRequestConflict";

/// The codes. Those that only compatible servers use are marked by their prefix.
const CODES: [(&str, K, Again); 71] = [
    ("NoSuchBucket", K::NoSuchBucket, Again::Never),
    ("InvalidBucketName", K::NoSuchBucket, Again::Never),
    ("NoSuchUpload", K::NoSuchUpload, Again::Never),
    ("NoSuchKey", K::NotFound, Again::Never),
    ("NotFound", K::NotFound, Again::Never),
    ("PreconditionFailed", K::AlreadyExists, Again::Never),
    (CONFLICT, K::Conflict, Again::Later),
    ("OperationAborted", K::Conflict, Again::Later),
    ("NotImplemented", K::Unsupported, Again::Never),
    ("MethodNotAllowed", K::Unsupported, Again::Never),
    // Permissions and keys.
    ("AccessDenied", K::AccessDenied, Again::Never),
    ("AllAccessDisabled", K::AccessDenied, Again::Never),
    ("InvalidAccessKeyId", K::Credentials, Again::Never),
    ("SignatureDoesNotMatch", K::Credentials, Again::Never),
    ("InvalidToken", K::Credentials, Again::Never),
    // MinIO; AWS's STS; R2; Google.
    ("InvalidTokenId", K::Credentials, Again::Never),
    ("InvalidClientTokenId", K::Credentials, Again::Never),
    ("Unauthorized", K::Credentials, Again::Never),
    ("InvalidSecurity", K::Credentials, Again::Never),
    // There is a problem with the account, which the server's own words describe best: S3 and
    // Wasabi; S3; Google; Ceph; R2, and an object that it retains for good.
    ("AccountProblem", K::Refused, Again::Never),
    ("NotSignedUp", K::Refused, Again::Never),
    ("UserProjectAccountProblem", K::Refused, Again::Never),
    ("UserSuspended", K::Refused, Again::Never),
    ("NotEntitled", K::Refused, Again::Never),
    ("ObjectLockedByBucketPolicy", K::Refused, Again::Never),
    ("TokenRefreshRequired", K::Expired, Again::Never),
    ("ExpiredToken", K::Expired, Again::Never),
    ("ExpiredTokenException", K::Expired, Again::Never),
    // The SDK corrects its clock from the answer, so the next attempt is signed with another time.
    ("RequestTimeTooSkewed", K::Clock, Again::Later),
    ("RequestExpired", K::Clock, Again::Never),
    ("ExpiredRequest", K::Clock, Again::Never),
    // A different region.
    ("AuthorizationHeaderMalformed", K::WrongRegion, Again::Never),
    ("PermanentRedirect", K::WrongRegion, Again::Never),
    ("TemporaryRedirect", K::WrongRegion, Again::Never),
    ("Redirect", K::WrongRegion, Again::Never),
    (
        "IllegalLocationConstraintException",
        K::WrongRegion,
        Again::Never,
    ),
    ("IncorrectEndpoint", K::WrongRegion, Again::Never),
    // What is stored, or not accepted.
    ("InvalidObjectState", K::Archived, Again::Never),
    ("InvalidStorageClass", K::StorageClass, Again::Never),
    ("KeyTooLongError", K::UnusableKey, Again::Never),
    ("XMinioInvalidObjectName", K::UnusableKey, Again::Never),
    ("XMinioInvalidResourceName", K::UnusableKey, Again::Never),
    // Other objects lie below this key.
    (
        "XMinioObjectExistsAsDirectory",
        K::UnusableKey,
        Again::Never,
    ),
    ("KMS.DisabledException", K::EncryptionKey, Again::Never),
    (
        "KMS.InvalidKeyUsageException",
        K::EncryptionKey,
        Again::Never,
    ),
    (
        "KMS.KMSInvalidStateException",
        K::EncryptionKey,
        Again::Never,
    ),
    ("KMS.NotFoundException", K::EncryptionKey, Again::Never),
    ("QuotaExceeded", K::Full, Again::Never),
    ("InsufficientCapacity", K::Full, Again::Never),
    ("XMinioStorageFull", K::Full, Again::Never),
    ("XMinioAdminBucketQuotaExceeded", K::Full, Again::Never),
    // Bytes that arrived damaged.
    ("BadDigest", K::Integrity, Again::Damaged),
    ("IncompleteBody", K::Integrity, Again::Damaged),
    ("XAmzContentChecksumMismatch", K::Integrity, Again::Damaged),
    ("XAmzContentSHA256Mismatch", K::Integrity, Again::Damaged),
    ("InvalidDigest", K::Integrity, Again::Never),
    // Too many requests.
    ("SlowDown", K::Throttled, Again::Slower),
    ("SlowDownRead", K::Throttled, Again::Slower),
    ("SlowDownWrite", K::Throttled, Again::Slower),
    ("ServiceUnavailable", K::Throttled, Again::Slower),
    ("RequestLimitExceeded", K::Throttled, Again::Slower),
    ("BandwidthLimitExceeded", K::Throttled, Again::Slower),
    ("Throttling", K::Throttled, Again::Slower),
    ("ThrottlingException", K::Throttled, Again::Slower),
    ("TooManyRequests", K::Throttled, Again::Slower),
    ("TooManyRequestsException", K::Throttled, Again::Slower),
    // The server failed this time. The first of these may also be in the body of a 200.
    ("InternalError", K::ServerFailed, Again::Later),
    ("ServerBusy", K::ServerFailed, Again::Later),
    ("XMinioServerNotInitialized", K::ServerFailed, Again::Later),
    ("RequestTimeout", K::Timeout, Again::Later),
    ("RequestTimeoutException", K::Timeout, Again::Later),
];

/// The meaning of a code; `None` if the table does not list it.
fn of_code(code: &str) -> Option<Answer> {
    let (_, kind, again) = *CODES.iter().find(|(name, ..)| *name == code)?;
    Some(Answer { kind, again })
}

/// The meaning of a status when there is no known code.
fn of_status(status: u16) -> Answer {
    let (kind, again) = match status {
        301 | 307 | 308 => (K::WrongRegion, Again::Never),
        401 => (K::Credentials, Again::Never),
        403 => (K::AccessDenied, Again::Never),
        404 => (K::NotFound, Again::Never),
        407 => (K::Proxy, Again::Never),
        408 => (K::Timeout, Again::Later),
        409 => (K::Conflict, Again::Never),
        412 => (K::AlreadyExists, Again::Never),
        413 => (K::TooLarge, Again::Never),
        429 | 503 => (K::Throttled, Again::Slower),
        // nginx: the client closed the connection, which was not us.
        499 => (K::Unreachable, Again::Later),
        501 | 505 => (K::Unsupported, Again::Never),
        507 => (K::Full, Again::Never),
        // This includes Cloudflare's statuses for problems on the way to the server.
        500.. => (K::ServerFailed, Again::Later),
        _ => (K::Refused, Again::Never),
    };
    Answer { kind, again }
}

/// The meaning of an answer with this code and status.
pub(super) fn of(code: Option<&str>, status: u16) -> Answer {
    code.and_then(of_code).unwrap_or_else(|| of_status(status))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::failure::ExitStatus;

    #[test]
    fn each_s3_error_code_is_listed_once() {
        let codes: HashSet<_> = CODES.iter().map(|(code, ..)| code).collect();
        assert_eq!(codes.len(), CODES.len());
    }

    #[test]
    fn a_failure_that_outlasts_its_retries_can_be_resumed_or_is_damage() {
        let answers = CODES
            .iter()
            .map(|(code, kind, again)| (*code, *kind, *again));
        let statuses = (100..600)
            .map(of_status)
            .map(|of| ("a status", of.kind, of.again));
        for (name, kind, again) in answers.chain(statuses) {
            match again {
                Again::Damaged => assert_eq!(kind.exit_status(), ExitStatus::Integrity, "{name}"),
                Again::Later | Again::Slower => assert!(kind.may_pass(), "{name}"),
                Again::Never => {}
            }
        }
    }

    #[test]
    fn a_code_takes_precedence_over_the_status() {
        assert_eq!(of(Some("IncompleteBody"), 400).kind, K::Integrity);
        assert_eq!(of(Some("ExpiredToken"), 400).kind, K::Expired);
        assert_eq!(of(Some("SlowDownWrite"), 200).again, Again::Slower);
        assert_eq!(of(Some("InternalError"), 200).kind, K::ServerFailed);
        assert_eq!(of(Some("InvalidTokenId"), 403).kind, K::Credentials);
        assert_eq!(of(Some("UserSuspended"), 403).kind, K::Refused);
        assert_eq!(of(Some("NeverHeardOf"), 409).again, Again::Never);
        assert_eq!(of(None, 520).again, Again::Later);
    }
}
