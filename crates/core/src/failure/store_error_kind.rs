//! The kinds of S3 failure, and what each means for the process and the user.

use super::exit_status::ExitStatus;

/// Why an S3 request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// There is no object with that name.
    NotFound,
    /// There is no bucket with that name.
    NoSuchBucket,
    /// There is no such multipart upload, or not any more.
    NoSuchUpload,
    /// The credentials are valid, but do not permit this.
    AccessDenied,
    /// The settings do not make a valid request.
    Unmakeable,
    /// The server does not accept the credentials, or there are none.
    Credentials,
    /// The credentials have expired.
    Expired,
    /// The clocks of this machine and the server disagree.
    Clock,
    /// The bucket is not in the region that requests are signed for.
    WrongRegion,
    /// The object already exists, written by another run or process.
    AlreadyExists,
    /// Another write to the same object is in progress.
    Conflict,
    /// The object is archived, and has to be restored first.
    Archived,
    /// The server does not know the storage class.
    StorageClass,
    /// The server takes no object under this key.
    UnusableKey,
    /// The key for encryption at rest is missing or unusable.
    EncryptionKey,
    /// The server is full, or this account or bucket has used up its quota.
    Full,
    /// The server, or a proxy in front of it, takes no body of this size.
    TooLarge,
    /// The server does not know the request, or one of its headers.
    Unsupported,
    /// The server's object differs from what was sent, or the server reports damaged bytes.
    Integrity,
    /// The server kept asking for fewer requests until the time was up.
    Throttled,
    /// No answer in time.
    Timeout,
    /// No connection, or one that broke.
    Unreachable,
    /// Something other than S3 answered.
    NotS3,
    /// A proxy on the way to the server did not let the request through.
    Proxy,
    /// A request that changes something got no answer, and asking about it got none either.
    Unknown,
    /// The server, or something in front of it, kept failing until the time was up.
    ServerFailed,
    /// The server refused the request for another reason.
    Refused,
}

impl StoreErrorKind {
    /// Whether the request may have taken effect although it did not report success.
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

    /// Whether the same request may succeed later, by itself or once something outside the run is
    /// fixed, so that what was sent so far is worth keeping.
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
                | Self::TooLarge
                | Self::Conflict
                | Self::NoSuchUpload
        )
    }

    /// The exit status of a command that fails with this.
    pub fn exit_status(self) -> ExitStatus {
        match self {
            Self::Integrity => ExitStatus::Integrity,
            Self::Unknown => ExitStatus::Unknown,
            Self::Unmakeable => ExitStatus::Usage,
            _ => ExitStatus::Failed,
        }
    }
}
