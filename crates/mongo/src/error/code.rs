//! The server's error codes that this crate acts upon.

use super::Refusal;

pub(crate) const UNAUTHORIZED: i32 = 13;
/// A batch of no or too many documents.
pub(crate) const INVALID_LENGTH: i32 = 16;
pub(crate) const NAMESPACE_NOT_FOUND: i32 = 26;
pub(crate) const CURSOR_NOT_FOUND: i32 = 43;
pub(crate) const NAMESPACE_EXISTS: i32 = 48;
pub(crate) const COMMAND_NOT_FOUND: i32 = 59;
/// The collection of a running query was dropped or renamed.
pub(crate) const QUERY_PLAN_KILLED: i32 = 175;
pub(crate) const CURSOR_KILLED: i32 = 237;
pub(crate) const SNAPSHOT_TOO_OLD: i32 = 239;
pub(crate) const SNAPSHOT_UNAVAILABLE: i32 = 246;
pub(crate) const COLLECTION_UUID_MISMATCH: i32 = 361;
pub(crate) const OBJECT_TOO_LARGE: i32 = 10334;
pub(crate) const DUPLICATE_KEY: i32 = 11000;
/// `min` is not below `max`.
pub(crate) const BOUNDS_IN_DISORDER: i32 = 51175;

/// The codes of a server that stops, starts or changes its role, and of the network between
/// servers (the retryable codes of the driver specifications); and those of a cursor that is lost,
/// since the query can be made again.
const TRANSIENT: [i32; 16] = [
    6,
    7,
    CURSOR_NOT_FOUND,
    89,
    91,
    134,
    189,
    CURSOR_KILLED,
    262,
    9001,
    10058,
    10107,
    11600,
    11602,
    13435,
    13436,
];

/// Those of them that a server answers before it does anything: it is not the primary.
const NOT_EXECUTED: [i32; 4] = [10058, 10107, 13435, 13436];

impl Refusal {
    /// True if the server may have stopped in the middle of the command.
    pub(crate) fn interrupts(&self) -> bool {
        self.is_transient() && !NOT_EXECUTED.contains(&self.code)
    }

    /// True if the server would take the same command a moment later.
    pub(crate) fn is_transient(&self) -> bool {
        TRANSIENT.contains(&self.code)
    }
}
