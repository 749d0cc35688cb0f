//! A number of documents with their digest: by both together, data files, scans and collections are
//! compared.

use serde::Serialize;

use super::digest::Digest;

/// Documents, regardless of order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Documents {
    /// How many there are. A manifest calls them rows.
    #[serde(rename = "rows")]
    pub count: u64,
    /// The digest of all of them.
    pub digest: Digest,
}

impl Documents {
    /// Adds one raw document.
    pub fn add(&mut self, document: &[u8]) {
        self.count += 1;
        self.digest.add(document);
    }

    /// Adds all of `others`.
    pub fn merge(&mut self, others: Self) {
        self.count += others.count;
        self.digest.merge(others.digest);
    }
}
