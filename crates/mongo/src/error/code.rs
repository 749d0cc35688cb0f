//! The server's error codes that this crate acts upon.

use super::Refusal;

pub(crate) const UNAUTHORIZED: i32 = 13;
/// A batch of no or too many documents.
pub(crate) const INVALID_LENGTH: i32 = 16;
pub(crate) const NAMESPACE_NOT_FOUND: i32 = 26;
pub(crate) const CURSOR_NOT_FOUND: i32 = 43;
pub(crate) const NAMESPACE_EXISTS: i32 = 48;
/// The time that the command, or the server, gave it is over.
pub(crate) const MAX_TIME_EXPIRED: i32 = 50;
pub(crate) const COMMAND_NOT_FOUND: i32 = 59;
const NO_SUCH_MEMBER: i32 = 133;
/// The collection of a running query was dropped or renamed.
pub(crate) const QUERY_PLAN_KILLED: i32 = 175;
pub(crate) const CURSOR_KILLED: i32 = 237;
pub(crate) const SNAPSHOT_TOO_OLD: i32 = 239;
pub(crate) const SNAPSHOT_UNAVAILABLE: i32 = 246;
pub(crate) const COLLECTION_UUID_MISMATCH: i32 = 361;
const RATE_LIMIT_EXCEEDED: i32 = 462;
const NOT_WRITABLE_PRIMARY_LEGACY: i32 = 10058;
const NOT_WRITABLE_PRIMARY: i32 = 10107;
pub(crate) const OBJECT_TOO_LARGE: i32 = 10334;
pub(crate) const DUPLICATE_KEY: i32 = 11000;
const NOT_PRIMARY_NO_SECONDARY_OK: i32 = 13435;
const NOT_PRIMARY_OR_SECONDARY: i32 = 13436;
/// `$sample` met the same document too often by chance.
pub(crate) const SAMPLED_TWICE: i32 = 28799;
/// `min` is not below `max`.
pub(crate) const BOUNDS_IN_DISORDER: i32 = 51175;

/// The labels by which a server says that the same command may be sent again.
const REPEATABLE: [&str; 3] = [
    "RetryableError",
    "RetryableWriteError",
    "SystemOverloadedError",
];

/// The codes of what passes by itself, whatever the command was: it is sent again where that does
/// no harm.
const TRANSIENT: [i32; 26] = [
    // A server that stops, starts or changes its role, and the network between servers: the
    // retryable codes of the driver specifications.
    6,
    7,
    89,
    91,
    134,
    189,
    262,
    9001,
    NOT_WRITABLE_PRIMARY_LEGACY,
    NOT_WRITABLE_PRIMARY,
    11600,
    11602,
    NOT_PRIMARY_NO_SECONDARY_OK,
    NOT_PRIMARY_OR_SECONDARY,
    // A cursor that is lost: the query can be made again.
    CURSOR_NOT_FOUND,
    CURSOR_KILLED,
    // Other commands are in the way: a lock, a write, an operation on the same collection.
    24,
    112,
    117,
    // A time that the server gives commands or write concerns by itself.
    MAX_TIME_EXPIRED,
    64,
    // No member of the wanted kind, or none that answers the server in time.
    NO_SUCH_MEMBER,
    202,
    384,
    // Too many requests: of MongoDB itself, and of Azure Cosmos DB.
    RATE_LIMIT_EXCEEDED,
    16500,
];

/// Those of them that a server answers before it does anything: it is not the primary, or takes no
/// more requests.
const NOT_EXECUTED: [i32; 6] = [
    NO_SUCH_MEMBER,
    RATE_LIMIT_EXCEEDED,
    NOT_WRITABLE_PRIMARY_LEGACY,
    NOT_WRITABLE_PRIMARY,
    NOT_PRIMARY_NO_SECONDARY_OK,
    NOT_PRIMARY_OR_SECONDARY,
];

/// Whether a command that was answered with these labels may be sent again.
pub(crate) fn may_be_repeated<L: AsRef<str>>(labels: impl IntoIterator<Item = L>) -> bool {
    let mut labels = labels.into_iter();
    labels.any(|label| REPEATABLE.contains(&label.as_ref()))
}

impl Refusal {
    /// True if the server may have stopped in the middle of the command.
    pub(crate) fn interrupts(&self) -> bool {
        self.is_transient() && !NOT_EXECUTED.contains(&self.code)
    }

    /// True if the server would take the same command a moment later.
    pub(crate) fn is_transient(&self) -> bool {
        self.may_be_repeated || TRANSIENT.contains(&self.code)
    }
}
