//! Reads a range with several cursors at once, for a link on which one connection is slow.
//!
//! The range is cut into segments of one reply each, just ahead of reading them: the server looks up
//! in its index which `_id` comes so many documents later. Each segment is read by a cursor of its
//! own, and the segments are handed on in order. At first there are as many at once as would take some
//! seconds if they share a slow link, and more while that is faster. They must fit into the queue, so a
//! consumer that is slower than the link reads no more than it takes.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lob_core::limiter::{Limiter, Permit};
use lob_core::settings::ByteSize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::document_batch::DocumentBatch;
use super::options::{REPLY, ScanOptions, ScanRange};
use super::pull::{Puller, Slow};
use crate::collection::{Collection, IdRange, ids_after};
use crate::error::{Cause, Error, Result};
use crate::id::DocumentId;

/// A segment takes one second of a connection divided by this, within the limits of its size: if it
/// took less, most of it would be the round trip, and if it took more, fewer would fit into memory.
const SEGMENTS_PER_SECOND: u64 = 4;
const SMALLEST_SEGMENT: u64 = 1 << 20;
/// A reply takes its size of the queue twice while it arrives.
const COPIES: u64 = 2;
/// More cursors at once for a range are no kindness to the server.
const MOST_CURSORS: usize = 32;
/// How many segments are cut at once, so that the round trip does not limit how many there are. To
/// find where the last of them ends, the server passes over the keys of all.
const CUT_AT_ONCE: u32 = 4;
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
    /// Bytes of documents in a segment.
    segment_size: u64,
    /// The mean size of the documents that were read last.
    mean_document_size: Arc<AtomicU64>,
}

/// Where a segment ends.
struct Cut {
    end: DocumentId,
    /// The documents in it, as the server counts them.
    documents: u32,
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
        let mean_document_size = slow.mean_document_size.as_u64();
        let segment_size = segment_size(slow.pace, options).max(mean_document_size);
        let at_first = at_first(slow.pace, segment_size);
        let most = cursors(options, segment_size);
        Self {
            collection,
            sender,
            options,
            limiter: Limiter::trying(at_first, FEWEST, most, slow.pace),
            segment_size,
            mean_document_size: Arc::new(mean_document_size.into()),
        }
    }

    /// Reads what comes after `after`, to the end of the range.
    pub(super) async fn pull(&self, range: IdRange, after: DocumentId) -> Result<()> {
        let (order, segments) = mpsc::unbounded_channel();
        let (ends, cuts) = mpsc::channel(CUT_AT_ONCE as usize);
        tokio::try_join!(
            self.cut(after.clone(), range.to.clone(), ends),
            self.start_all(range, after, cuts, order),
            self.hand_on(segments)
        )?;
        Ok(())
    }

    /// Finds where the segments end. What follows the last end is the rest of the range.
    async fn cut(
        &self,
        mut first: DocumentId,
        to: Option<DocumentId>,
        ends: mpsc::Sender<Cut>,
    ) -> Result<()> {
        loop {
            let documents = self.documents_in_segment();
            let to = to.as_ref();
            let found = ids_after(self.collection, &first, to, documents, CUT_AT_ONCE).await?;
            let are_all = found.len() == CUT_AT_ONCE as usize;
            for end in found {
                first = end.clone();
                if ends.send(Cut { end, documents }).await.is_err() {
                    return Ok(());
                }
            }
            if !are_all {
                return Ok(());
            }
        }
    }

    /// Starts one segment after the other as the queue has room.
    async fn start_all(
        &self,
        range: IdRange,
        after: DocumentId,
        mut cuts: mpsc::Receiver<Cut>,
        order: mpsc::UnboundedSender<Segment>,
    ) -> Result<()> {
        let shares = cursors(self.options, self.segment_size);
        let shares = Arc::new(Semaphore::new(shares.get()));
        let (mut first, mut after) = (after.clone(), Some(after));
        loop {
            let share = Arc::clone(&shares).acquire_owned().await;
            let share = share.map_err(|e| self.stopped(e))?;
            let cut = cuts.recv().await;
            let from = match &after {
                Some(_) => range.from.clone(),
                None => Some(first.clone()),
            };
            let share = match cut {
                Some(_) => share,
                None => self.with_another(share, &shares).await?,
            };
            // If documents have become larger since, several replies bring them.
            let documents = self.documents_in_segment();
            let documents = cut
                .as_ref()
                .map_or(documents, |cut| documents.min(cut.documents));
            let end = cut.map(|cut| cut.end);
            let to = end.clone().or_else(|| range.to.clone());
            let part = ScanRange {
                range: IdRange { from, to },
                after: after.take(),
            };
            let permit = self.limiter.enter().await;
            let segment = self.start(part, documents, share, permit);
            let (Ok(()), Some(end)) = (order.send(segment), end) else {
                return Ok(());
            };
            first = end;
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
            queue: ByteSize::b(replies * self.segment_size),
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
            mean_document_size.store(mean, Ordering::Relaxed);
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

    fn documents_in_segment(&self) -> u32 {
        let options = ScanOptions {
            mean_document_size: ByteSize::b(self.mean_document_size.load(Ordering::Relaxed)),
            ..self.options
        };
        options.documents_in(ByteSize::b(self.segment_size))
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
    let smallest = SMALLEST_SEGMENT.max(options.mean_document_size.as_u64());
    let has_room = fitting(options, smallest) >= FEWEST.get() as u64;
    options.is_divisible && is_cheap && !server.is_paced() && has_room
}

/// How many cursors there are at first if one brings `pace` bytes per second.
fn at_first(pace: u64, segment_size: u64) -> NonZeroUsize {
    let at_once = pace.saturating_mul(SECONDS_AT_FIRST) / segment_size;
    let at_once = usize::try_from(at_once).unwrap_or(usize::MAX);
    NonZeroUsize::new(at_once).unwrap_or(FEWEST).max(FEWEST)
}

/// Bytes of documents in a segment if a connection brings `pace` bytes per second. The queue has room
/// for the fewest cursors.
fn segment_size(pace: u64, options: ScanOptions) -> u64 {
    let most = options.queue.as_u64() / COPIES / FEWEST.get() as u64;
    let size = pace / SEGMENTS_PER_SECOND;
    size.min(REPLY.as_u64()).min(most).max(SMALLEST_SEGMENT)
}

/// How many cursors there are at most: as many as the queue has room for.
fn cursors(options: ScanOptions, segment_size: u64) -> NonZeroUsize {
    let fit = usize::try_from(fitting(options, segment_size)).unwrap_or(usize::MAX);
    NonZeroUsize::new(fit.min(MOST_CURSORS)).map_or(FEWEST, |cursors| cursors.max(FEWEST))
}

/// How many segments of this size the queue has room for.
fn fitting(options: ScanOptions, segment_size: u64) -> u64 {
    options.queue.as_u64() / (COPIES * segment_size)
}
