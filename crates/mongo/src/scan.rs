//! Reads a range of a collection once, in `_id` order, as raw bytes, and proves that it was whole.
//!
//! A task of its own pulls replies ahead of the consumer through a queue that is bounded in bytes.
//! What must never happen is that anything looks like the end of the range: the end is the success
//! of that task, after the last reply and after the collection was found to be the same.

mod pull;
mod sequence;

use bson::RawDocument;
use lob_core::byte_size::ByteSize;
use mongodb::raw_batch_cursor::RawBatch;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;

use self::pull::Puller;
use crate::collection::Collection;
use crate::collection::IdRange;
use crate::error::{Cause, Error, Result};
use crate::id::DocumentId;
use crate::server::ClusterTime;
use crate::server::documents;

/// As much as one reply should hold; MongoDB stops at 16 MiB by itself, other servers do not.
const REPLY: ByteSize = ByteSize::mib(4);

/// What to scan. The default is the whole collection.
#[derive(Debug, Clone, Default)]
pub struct ScanRange {
    /// The documents to return.
    pub range: IdRange,
    /// The last `_id` that an earlier scan of the same range returned; this one goes on after it.
    pub after: Option<DocumentId>,
}

/// How to scan.
#[derive(Debug, Clone, Copy)]
pub struct ScanOptions {
    /// The time to read at; without it documents are returned as they are when their turn comes.
    pub at: Option<ClusterTime>,
    /// How many bytes of documents may wait for the consumer or be held by it. One reply more is
    /// on its way.
    pub queue: ByteSize,
    /// What a document takes on average, as
    /// [`Sample::mean_document_size`](crate::Sample::mean_document_size) says.
    pub mean_document_size: ByteSize,
}

impl ScanOptions {
    /// How many documents to ask for in one reply.
    fn batch_documents(self) -> u32 {
        let reply = REPLY.as_u64().min(self.queue.as_u64() / 2);
        let documents = reply / self.mean_document_size.as_u64().max(1);
        u32::try_from(documents.clamp(1, 100_000)).unwrap_or(1)
    }
}

/// Documents that came in one reply. They keep their share of the queue until this is dropped, so
/// a consumer that waits for the next batch while it holds as many as fill the queue waits forever.
#[derive(Debug)]
pub struct DocumentBatch {
    reply: RawBatch,
    /// Documents at the start that an earlier batch has held already.
    seen: usize,
    _share: OwnedSemaphorePermit,
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

/// A scan under way. Dropping it stops it.
#[derive(Debug)]
pub struct Scan {
    namespace: String,
    batches: mpsc::UnboundedReceiver<DocumentBatch>,
    task: JoinSet<Result<()>>,
    is_whole: bool,
}

impl Collection {
    /// Starts to read the documents of a range in `_id` order. Where the server gives collections no UUID,
    /// another collection that takes the name meanwhile goes unnoticed, which is said in a warning.
    pub fn scan(&self, part: ScanRange, options: ScanOptions) -> Scan {
        if self.uuid().is_none() {
            let namespace = self.namespace();
            tracing::warn!(%namespace, "it has no UUID: it is known by its name only");
        }
        let (sender, batches) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(Puller::new(self, part, options, sender).pull());
        Scan {
            namespace: self.namespace(),
            batches,
            task,
            is_whole: false,
        }
    }
}

impl Scan {
    /// The next documents, or `None` when all documents of the range have been returned.
    ///
    /// # Errors
    /// Anything that kept the scan from being whole; from then on every call is an error.
    pub async fn next(&mut self) -> Result<Option<DocumentBatch>> {
        if let Some(batch) = self.batches.recv().await {
            return Ok(Some(batch));
        }
        let stopped = |source| {
            let namespace = self.namespace.clone();
            Error::ScanStopped { namespace, source }
        };
        match self.task.join_next().await {
            Some(result) => result.map_err(|e| stopped(Cause::new(e)))??,
            None if self.is_whole => {}
            None => return Err(stopped(Cause::new("it has failed before"))),
        }
        self.is_whole = true;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_bounded_by_the_queue_and_by_its_own_limit() {
        let documents = |queue, mean_document_size| {
            ScanOptions {
                at: None,
                queue,
                mean_document_size,
            }
            .batch_documents()
        };
        assert_eq!(documents(ByteSize::mib(64), ByteSize::kib(8)), 512);
        assert_eq!(documents(ByteSize::mib(1), ByteSize::kib(8)), 64);
        assert_eq!(documents(ByteSize::mib(64), ByteSize::mib(16)), 1);
        assert_eq!(documents(ByteSize::mib(64), ByteSize::b(0)), 100_000);
        assert_eq!(documents(ByteSize::b(0), ByteSize::mib(1)), 1);
    }
}
