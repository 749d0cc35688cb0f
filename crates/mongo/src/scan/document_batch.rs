//! Documents on their way from a scan to its consumer.

use std::sync::Arc;

use bson::RawDocument;
use mongodb::raw_batch_cursor::RawBatch;
use tokio::sync::OwnedSemaphorePermit;

use crate::error::Result;
use crate::server::documents;

/// The documents of one reply. They keep their share of the queue until this is dropped, so a
/// consumer that waits for the next batch while holding enough to fill the queue waits forever.
#[derive(Debug)]
pub struct DocumentBatch {
    pub(super) reply: RawBatch,
    /// How many documents at the start an earlier batch already contained.
    pub(super) seen: usize,
    pub(super) _share: OwnedSemaphorePermit,
    /// The same of the segment that they belong to, if several are read at once.
    pub(super) segment: Option<Arc<OwnedSemaphorePermit>>,
}

impl DocumentBatch {
    /// The documents as they came from the server, not copied.
    ///
    /// # Errors
    /// The reply is not what a cursor returns, or an item is not a document.
    pub fn documents(&self) -> Result<impl Iterator<Item = Result<&RawDocument>>> {
        Ok(documents(&self.reply)?.skip(self.seen))
    }
}
