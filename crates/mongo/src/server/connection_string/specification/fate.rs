//! The outcome for a connection string.

/// The outcome for a connection string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Taken,
    Warned,
    Refused,
}
