//! What becomes of a connection string.

/// What becomes of a connection string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Taken,
    Warned,
    Refused,
}
