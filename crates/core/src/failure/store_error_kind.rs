//! Of what kind a failure of an S3 request is: what it means for the process and for the person.

use super::exit_status::ExitStatus;

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
    /// No request can be made of the settings.
    Unmakeable,
    /// The server does not accept the credentials, or there are none.
    Credentials,
    /// The credentials were good until a while ago.
    Expired,
    /// This machine and the server disagree about the time.
    Clock,
    /// The bucket is in another region than the one that requests are signed for.
    WrongRegion,
    /// The object exists already, written by another run or process.
    AlreadyExists,
    /// Another write of the same object is under way.
    Conflict,
    /// The object is in an archive, from which it has to be restored first.
    Archived,
    /// The server does not know the storage class.
    StorageClass,
    /// The key for encryption at rest is missing or cannot be used.
    EncryptionKey,
    /// The server has no room, or no more of it for this account or bucket.
    Full,
    /// The server does not know the request, or a header of it.
    Unsupported,
    /// The server's object differs from what was sent, or the server says that bytes were damaged.
    Integrity,
    /// The server asked for fewer requests until the time was up.
    Throttled,
    /// No answer in time.
    Timeout,
    /// No connection, or a connection that broke.
    Unreachable,
    /// What answers is something else than S3.
    NotS3,
    /// A proxy on the way to the server did not let the request through.
    Proxy,
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
                | Self::Proxy
                | Self::ServerFailed
                | Self::Refused
                | Self::NoSuchUpload
        )
    }

    /// Whether the server may have refused the request for a header that it does not know.
    pub(crate) fn may_be_a_header(self) -> bool {
        matches!(self, Self::Unsupported | Self::Refused)
    }

    /// Whether the same request may succeed later with nothing changed.
    pub(crate) fn passes_by_itself(self) -> bool {
        matches!(
            self,
            Self::Throttled
                | Self::Timeout
                | Self::Unreachable
                | Self::ServerFailed
                | Self::Unknown
        )
    }

    /// Whether the same request may succeed later, by itself or after something outside of the run
    /// was mended, so that what was sent so far is worth keeping.
    pub fn may_pass(self) -> bool {
        matches!(
            self,
            Self::Throttled
                | Self::Timeout
                | Self::Unreachable
                | Self::Proxy
                | Self::NotS3
                | Self::ServerFailed
                | Self::Unknown
                | Self::AccessDenied
                | Self::Credentials
                | Self::Expired
                | Self::Clock
                | Self::EncryptionKey
                | Self::Full
                | Self::Conflict
                | Self::NoSuchUpload
        )
    }

    /// Exit status of a command that fails with this.
    pub fn exit_status(self) -> ExitStatus {
        match self {
            Self::Integrity => ExitStatus::Integrity,
            Self::Unknown => ExitStatus::Unknown,
            Self::Unmakeable => ExitStatus::Usage,
            _ => ExitStatus::Failed,
        }
    }
}
