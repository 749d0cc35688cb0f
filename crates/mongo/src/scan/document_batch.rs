//! Documents on their way from a scan to its consumer.

use bson::RawDocument;
use mongodb::raw_batch_cursor::RawBatch;
use tokio::sync::OwnedSemaphorePermit;

use crate::error::Result;
use crate::server::documents;

/// Documents that came in one reply. They keep their share of the queue until this is dropped, so
/// a consumer that waits for the next batch while it holds as many as fill the queue waits forever.
#[derive(Debug)]
pub struct DocumentBatch {
    pub(super) reply: RawBatch,
    /// Documents at the start that an earlier batch has held already.
    pub(super) seen: usize,
    pub(super) _share: OwnedSemaphorePermit,
}

impl DocumentBatch {
    /// The documents as they came from the server, uncopied.
    ///
    /// # Errors
    /// A reply that is not what a cursor returns; an item that is not a document.
    pub fn documents(&self) -> Result<impl Iterator<Item = Result<&RawDocument>>> {
        Ok(documents(&self.reply)?.skip(self.seen))
    }
}
