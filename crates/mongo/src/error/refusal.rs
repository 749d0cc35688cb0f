//! What a server says when it refuses a command or a document, or does not confirm a write.

use bson::{Bson, Document};
use lob_core::text::redact;

/// The labels by which a server says that the same command may be retried.
const REPEATABLE: [&str; 3] = [
    "RetryableError",
    "RetryableWriteError",
    "SystemOverloadedError",
];

/// An error as reported by the server.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message} (code {code}{})", if .name.is_empty() { String::new() } else { format!(", {}", .name) })]
pub struct Refusal {
    /// The server's error code.
    pub code: i32,
    /// The code's name; empty if the server does not report it.
    pub name: String,
    /// The server's message.
    pub message: String,
    /// Whether the server says, by a label, that the same command may be retried.
    pub may_be_repeated: bool,
}

impl Refusal {
    /// Reads an entry of `writeErrors`, or a `writeConcernError`. The labels are next to them in
    /// the reply.
    pub(crate) fn read(error: &Document, reply: &Document) -> Self {
        let labels = reply.get_array("errorLabels").into_iter().flatten();
        Self {
            code: error.get_i32("code").unwrap_or_default(),
            name: error.get_str("codeName").unwrap_or_default().to_owned(),
            message: redact(error.get_str("errmsg").unwrap_or("no message")),
            may_be_repeated: may_be_repeated(labels.filter_map(Bson::as_str)),
        }
    }
}

/// Whether a command that was answered with these labels may be retried.
pub(super) fn may_be_repeated<L: AsRef<str>>(labels: impl IntoIterator<Item = L>) -> bool {
    let mut labels = labels.into_iter();
    labels.any(|label| REPEATABLE.contains(&label.as_ref()))
}
