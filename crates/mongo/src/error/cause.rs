//! What the driver said, without secrets.

use lob_core::text::redact;

/// What the driver said, without secrets.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Cause(pub(super) String);

impl Cause {
    pub(crate) fn new(text: impl std::fmt::Display) -> Self {
        Self(redact(&text.to_string()))
    }

    /// Whether it is about MONGODB-AWS.
    pub(crate) fn is_of_aws(&self) -> bool {
        self.0.starts_with("MONGODB-AWS: ")
    }
}
