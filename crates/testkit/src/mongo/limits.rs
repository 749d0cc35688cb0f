//! The limits that the server announces in its handshake and enforces.

/// The largest document in bytes.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;
/// The most documents in one command.
pub(crate) const MAX_BATCH: usize = 100_000;
