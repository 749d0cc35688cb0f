//! Reads a range of a collection once, in `_id` order, as raw bytes, and proves that it was
//! complete.
//!
//! A separate task pulls replies ahead of the consumer into a queue that is bounded in bytes; over a
//! slow connection, it uses several.
//! Nothing else must ever look like the end of the range, so the end is the success of that task:
//! after the last reply, and after checking that the collection is still the same.

mod ahead;
mod document_batch;
mod options;
mod pull;
mod sequence;

use lob_core::settings::ByteSize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub use document_batch::DocumentBatch;
pub use options::{ScanOptions, ScanRange};

use self::ahead::Ahead;
use self::pull::{End, Puller};
use crate::collection::Collection;
use crate::error::{Cause, Error, Result};

/// A scan in progress. Dropping it stops it.
#[derive(Debug)]
pub struct Scan {
    namespace: String,
    batches: mpsc::UnboundedReceiver<DocumentBatch>,
    task: JoinSet<Result<()>>,
    is_whole: bool,
}

impl Collection {
    /// Starts to read the documents of a range in `_id` order. If the server gives collections no
    /// UUID, another collection that takes over the name goes unnoticed; a warning says so.
    pub fn scan(&self, part: ScanRange, options: ScanOptions) -> Scan {
        if self.uuid().is_none() {
            let namespace = self.namespace();
            tracing::warn!(%namespace, "it has no UUID: it is identified by its name only");
        }
        let (sender, batches) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(pull(self.clone(), part, options, sender));
        Scan {
            namespace: self.namespace(),
            batches,
            task,
            is_whole: false,
        }
    }

    /// Starts to read the whole collection back from the primary, whatever the connection string
    /// says. `queue` is how many bytes of documents may wait.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn read_back(&self, queue: ByteSize) -> Result<Scan> {
        let mut collection = self.clone();
        collection.database = self.database.on_primary();
        let size = collection.size().await?;
        let options = ScanOptions {
            at: None,
            queue,
            is_divisible: false,
            mean_document_size: size.mean_document_size(),
        };
        Ok(collection.scan(ScanRange::default(), options))
    }
}

/// Reads a range to its end, and checks that the collection is still the same.
async fn pull(
    collection: Collection,
    part: ScanRange,
    options: ScanOptions,
    sender: mpsc::UnboundedSender<DocumentBatch>,
) -> Result<()> {
    let range = part.range.clone();
    let mut puller = Puller::new(&collection, part, options, sender.clone());
    puller.stops_at = ahead::slow_paces(&collection, options);
    if let End::Slow(slow) = puller.pull().await? {
        let namespace = collection.namespace();
        tracing::debug!(%namespace, "the link is slow: several cursors read ahead");
        let ahead = Ahead::new(&collection, options, &sender, &slow);
        ahead.pull(range, slow.last).await?;
    }
    collection.check_identity().await
}

impl Scan {
    /// The next documents, or `None` once all documents of the range have been returned.
    ///
    /// # Errors
    /// Anything that kept the scan from being complete; from then on every call is an error.
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

    #[tokio::test]
    async fn a_scan_whose_task_panics_is_an_error_and_never_the_end() {
        let (sender, batches) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let _sender = sender;
            panic!("a bug")
        });
        let mut scan = Scan {
            namespace: "raw.split_0_input".to_owned(),
            batches,
            task,
            is_whole: false,
        };
        for _ in 0..2 {
            let ended = scan.next().await;
            assert!(matches!(ended, Err(Error::ScanStopped { .. })), "{ended:?}");
        }
    }
}
