//! Reads a range with several cursors at once, for a link on which one connection is slow.
//!
//! The range is cut into segments of about one reply each, just ahead of reading them: the server
//! looks up in its index which `_id` comes so many documents later. Each segment is read by a cursor
//! of its own, and the segments are handed on in order. At first there are as many at once as would
//! take some seconds if they share a slow link, and more while that is faster. They must fit into the
//! queue, so a consumer that is slower than the link reads no more than it takes.

use std::cmp::Ordering;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Memory};

use lob_core::limiter::{Limiter, Permit};
use lob_core::settings::ByteSize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::document_batch::DocumentBatch;
use super::options::{REPLY, ScanOptions, ScanRange};
use super::pull::{LARGE, Puller};
use crate::collection::{Collection, IdRange, id_after};
use crate::error::{Cause, Error, Result};
use crate::id::DocumentId;

/// What a segment takes of the queue: its reply, twice while it arrives.
const SEGMENT: u64 = 2 * REPLY.as_u64();
/// More cursors at once for a range are no kindness to the server.
const MOST_CURSORS: usize = 32;
const FEWEST: NonZeroUsize = const { NonZeroUsize::new(2).unwrap() };
/// How long the first segments take together at most if one connection fills the link.
const SECONDS_AT_FIRST: u64 = 8;

/// What is left of a range, and where it goes.
pub(super) struct Ahead<'a> {
    collection: &'a Collection,
    sender: &'a mpsc::UnboundedSender<DocumentBatch>,
    options: ScanOptions,
    limiter: Limiter,
    /// The mean size of the documents that were read last.
    mean_document_size: Arc<AtomicU64>,
}

/// A piece of the range that is being read.
struct Segment {
    batches: mpsc::UnboundedReceiver<DocumentBatch>,
    task: JoinSet<Result<()>>,
    /// Its share of the queue, until all of its batches are dropped.
    share: Arc<OwnedSemaphorePermit>,
}

impl<'a> Ahead<'a> {
    /// Of a connection that brings `pace` bytes per second.
    pub(super) fn new(
        collection: &'a Collection,
        options: ScanOptions,
        sender: &'a mpsc::UnboundedSender<DocumentBatch>,
        pace: u64,
    ) -> Self {
        Self {
            collection,
            sender,
            options,
            limiter: Limiter::new(at_first(pace), cursors(options)),
            mean_document_size: Arc::new(options.mean_document_size.as_u64().into()),
        }
    }

    /// Reads what comes after `after`, to the end of the range.
    pub(super) async fn pull(&self, range: IdRange, after: DocumentId) -> Result<()> {
        // The reply that showed the connection to be slow: the limiter need not guess.
        self.limiter.enter().await.succeeded(LARGE);
        let (order, segments) = mpsc::unbounded_channel();
        tokio::try_join!(self.cut(range, after, order), self.hand_on(segments))?;
        Ok(())
    }

    /// Starts one segment after the other as the queue has room.
    async fn cut(
        &self,
        range: IdRange,
        after: DocumentId,
        order: mpsc::UnboundedSender<Segment>,
    ) -> Result<()> {
        let shares = Arc::new(Semaphore::new(cursors(self.options).get()));
        let (mut first, mut after) = (after.clone(), Some(after));
        loop {
            let share = Arc::clone(&shares).acquire_owned().await;
            let share = share.map_err(|e| self.stopped(e))?;
            let permit = self.limiter.enter().await;
            let documents = self.options_now().batch_documents();
            let found = id_after(self.collection, &first, range.to.as_ref(), documents).await?;
            let bound = found.filter(|bound| bound.compare(&first) == Some(Ordering::Greater));
            let from = match &after {
                Some(_) => range.from.clone(),
                None => Some(first.clone()),
            };
            let to = bound.clone().or_else(|| range.to.clone());
            let part = ScanRange {
                range: IdRange { from, to },
                after: after.take(),
            };
            let segment = self.start(part, documents, share, permit);
            let (Ok(()), Some(bound)) = (order.send(segment), bound) else {
                return Ok(());
            };
            first = bound;
        }
    }

    fn start(
        &self,
        part: ScanRange,
        documents: u32,
        share: OwnedSemaphorePermit,
        permit: Permit,
    ) -> Segment {
        let (sender, batches) = mpsc::unbounded_channel();
        let options = ScanOptions {
            queue: REPLY,
            ..self.options
        };
        let mut puller = Puller::new(self.collection, part, options, sender);
        // One more than there are, so that the first reply is the last.
        puller.batch_documents = documents.saturating_add(1);
        puller.waits_for_room = true;
        let mean_document_size = Arc::clone(&self.mean_document_size);
        let mut task = JoinSet::new();
        task.spawn(async move {
            puller.pull().await?;
            // Documents that were deleted meanwhile do not make the others small.
            let least = mean_document_size.load(Memory::Relaxed) / 2;
            let mean = puller.received / u64::from(documents);
            mean_document_size.store(mean.max(least), Memory::Relaxed);
            permit.succeeded(puller.received);
            Ok(())
        });
        Segment {
            batches,
            task,
            share: Arc::new(share),
        }
    }

    /// Hands the batches of the segments on, one segment after the other.
    async fn hand_on(&self, mut segments: mpsc::UnboundedReceiver<Segment>) -> Result<()> {
        while let Some(mut segment) = segments.recv().await {
            while let Some(mut batch) = segment.batches.recv().await {
                batch.segment = Some(Arc::clone(&segment.share));
                self.sender.send(batch).map_err(|e| self.stopped(e))?;
            }
            if let Some(ended) = segment.task.join_next().await {
                ended.map_err(|e| self.stopped(e))??;
            }
        }
        Ok(())
    }

    fn options_now(&self) -> ScanOptions {
        ScanOptions {
            mean_document_size: ByteSize::b(self.mean_document_size.load(Memory::Relaxed)),
            ..self.options
        }
    }

    fn stopped(&self, why: impl std::fmt::Display) -> Error {
        Error::ScanStopped {
            namespace: self.collection.namespace(),
            source: Cause::new(why),
        }
    }
}

/// Whether several cursors may read a range of the collection at once: looking `_id`s up must not
/// cost the server a look at the documents, and it is not the bandwidth limit that makes one slow.
pub(super) fn is_possible(collection: &Collection, options: ScanOptions) -> bool {
    let server = &collection.database.server;
    let is_cheap = collection.has_ids_in_index() && !server.is_mongos;
    options.is_divisible && is_cheap && !server.is_paced() && cursors(options) >= FEWEST
}

/// How many cursors there are at first if one brings `pace` bytes per second.
fn at_first(pace: u64) -> NonZeroUsize {
    let at_once = pace.saturating_mul(SECONDS_AT_FIRST) / REPLY.as_u64();
    let at_once = usize::try_from(at_once).unwrap_or(usize::MAX);
    NonZeroUsize::new(at_once).unwrap_or(FEWEST).max(FEWEST)
}

/// How many cursors the queue has room for.
fn cursors(options: ScanOptions) -> NonZeroUsize {
    let fit = usize::try_from(options.queue.as_u64() / SEGMENT).unwrap_or(usize::MAX);
    NonZeroUsize::new(fit.min(MOST_CURSORS)).unwrap_or(NonZeroUsize::MIN)
}
