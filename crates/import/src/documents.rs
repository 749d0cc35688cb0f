//! A document count with its digest.

use lob_core::checksum::Digest;

/// Documents, regardless of order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Documents {
    pub(crate) count: u64,
    pub(crate) digest: Digest,
}

impl Documents {
    pub(crate) fn add(&mut self, others: Self) {
        self.count += others.count;
        self.digest.merge(others.digest);
    }
}
