//! Reads a range with several cursors at once, for a link on which one connection is slow.
//!
//! The range is cut into segments of about one reply each, just ahead of reading them: the server
//! looks up in its index which `_id` comes so many documents later. Each segment is read by a cursor
//! of its own, and the segments are handed on in order. At first there are as many at once as would
//! take some seconds if they share a slow link, and more while that is faster. They must fit into the
//! queue, so a consumer that is slower than the link reads no more than it takes.

use std::cmp::Ordering;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Memory};

use lob_core::limiter::{Limiter, Permit};
use lob_core::settings::ByteSize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::document_batch::DocumentBatch;
use super::options::{REPLY, ScanOptions, ScanRange};
use super::pull::{Puller, Slow};
use crate::collection::{Collection, IdRange, id_after};
use crate::error::{Cause, Error, Result};
use crate::id::DocumentId;

/// What a segment takes of the queue: its reply, twice while it arrives.
const SEGMENT: u64 = 2 * REPLY.as_u64();
/// More cursors at once for a range are no kindness to the server.
const MOST_CURSORS: usize = 32;
/// More bytes per second are fast enough for one cursor.
const SLOW_PACE: u64 = 32 << 20;
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
    pub(super) fn new(
        collection: &'a Collection,
        options: ScanOptions,
        sender: &'a mpsc::UnboundedSender<DocumentBatch>,
        slow: &Slow,
    ) -> Self {
        let most = cursors(options);
        Self {
            collection,
            sender,
            options,
            limiter: Limiter::trying(at_first(slow.pace), FEWEST, most, slow.pace),
            mean_document_size: Arc::new(slow.mean_document_size.as_u64().into()),
        }
    }

    /// Reads what comes after `after`, to the end of the range.
    pub(super) async fn pull(&self, range: IdRange, after: DocumentId) -> Result<()> {
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
            let share = match bound {
                Some(_) => share,
                None => self.with_another(share, &shares).await?,
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

    /// What is left may be more than a segment, if the server does not say where one ends: there
    /// is room for one reply to be consumed and for one to arrive.
    async fn with_another(
        &self,
        mut share: OwnedSemaphorePermit,
        shares: &Arc<Semaphore>,
    ) -> Result<OwnedSemaphorePermit> {
        let another = Arc::clone(shares).acquire_owned().await;
        share.merge(another.map_err(|e| self.stopped(e))?);
        Ok(share)
    }

    fn start(
        &self,
        part: ScanRange,
        documents: u32,
        share: OwnedSemaphorePermit,
        permit: Permit,
    ) -> Segment {
        let (sender, batches) = mpsc::unbounded_channel();
        let replies = share.num_permits() as u64;
        let options = ScanOptions {
            queue: ByteSize::b(replies * REPLY.as_u64()),
            ..self.options
        };
        let mut puller = Puller::new(self.collection, part, options, sender);
        // One more than there are, so that the first reply is the last.
        puller.batch_documents = documents.saturating_add(1);
        puller.waits_for_room = replies == 1;
        let mean_document_size = Arc::clone(&self.mean_document_size);
        let mut task = JoinSet::new();
        task.spawn(async move {
            puller.pull().await?;
            let mean = puller.mean_document_size().as_u64();
            mean_document_size.store(mean, Memory::Relaxed);
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

/// The paces of a connection, in bytes per second, at which several cursors read on: it is slow, but
/// replies arrive well within the time that an operation may take, although two share it.
pub(super) fn slow_paces(collection: &Collection, options: ScanOptions) -> Range<u64> {
    if !is_possible(collection, options) {
        return 0..0;
    }
    let timeout = collection.database.server.operation_timeout;
    let slowest = 2.0 * REPLY.as_u64() as f64 / (timeout.as_secs_f64() / 4.0);
    slowest as u64..SLOW_PACE
}

/// Whether several cursors may read a range of the collection at once: looking `_id`s up must not
/// cost the server a look at the documents, and it is not the bandwidth limit that makes one slow.
fn is_possible(collection: &Collection, options: ScanOptions) -> bool {
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
