//! The limits that a server tells in its handshake, and keeps.

/// The largest document in bytes.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;
/// The most documents in one command.
pub(crate) const MAX_BATCH: usize = 100_000;
