//! Reads a range of a collection once, in `_id` order, as raw bytes, and proves that it was whole.
//!
//! A task of its own pulls replies ahead of the consumer through a queue that is bounded in bytes.
//! What must never happen is that anything looks like the end of the range: the end is the success
//! of that task, after the last reply and after the collection was found to be the same.

mod document_batch;
mod options;
mod pull;
mod sequence;

use lob_core::settings::ByteSize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub use document_batch::DocumentBatch;
pub use options::{ScanOptions, ScanRange};

use self::pull::Puller;
use crate::collection::Collection;
use crate::error::{Cause, Error, Result};

/// A scan under way. Dropping it stops it.
#[derive(Debug)]
pub struct Scan {
    namespace: String,
    batches: mpsc::UnboundedReceiver<DocumentBatch>,
    task: JoinSet<Result<()>>,
    is_whole: bool,
}

impl Collection {
    /// Starts to read the documents of a range in `_id` order. Where the server gives collections no
    /// UUID, another collection that takes the name meanwhile goes unnoticed, which is said in a
    /// warning.
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

    /// Starts to read all of it back, from the primary, whatever the connection string says. `queue`
    /// is how many bytes of documents may wait.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn read_back(&self, queue: ByteSize) -> Result<Scan> {
        let mut collection = self.clone();
        collection.database = self.database.on_primary();
        let size = collection.size().await?;
        let options = ScanOptions {
            at: None,
            queue,
            mean_document_size: size.mean_document_size(),
        };
        Ok(collection.scan(ScanRange::default(), options))
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
