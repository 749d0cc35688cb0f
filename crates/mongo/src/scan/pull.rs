//! The task behind a scan: pulls replies ahead of the consumer, and reopens the cursor at the
//! last `_id` if it is lost (an election, an idle timeout).

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::raw::cstr;
use bson::{RawBson, RawDocumentBuf, rawdoc};
use lob_core::settings::ByteSize;
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor};
use tokio::sync::{Semaphore, mpsc};

use super::document_batch::DocumentBatch;
use super::options::{REPLY, ScanOptions, ScanRange};
use super::sequence::Sequence;
use crate::collection::{Collection, IdRange};
use crate::error::{Cause, Error, Result, code};
use crate::id::DocumentId;
use crate::server::{Command, documents};

/// The unit of the queue, because a semaphore's permits are limited to 32 bits.
const QUEUE_UNIT: u64 = 1024;
/// What one cursor has in its queue at most: that is enough on a link that is not slow.
const QUEUE: u64 = 4 * REPLY.as_u64();
/// A reply of at least so many bytes shows how fast the connection is.
const LARGE: u64 = 1 << 20;
/// One that takes no longer may have been slow to connect.
const CONNECTED: Duration = Duration::from_millis(100);

pub(super) struct Puller {
    collection: Collection,
    range: IdRange,
    sequence: Sequence,
    options: ScanOptions,
    pub(super) batch_documents: u32,
    /// At which bytes per second of the connection to stop.
    pub(super) stops_at: Range<u64>,
    /// Whether to ask for a further reply only once the last one was consumed.
    pub(super) waits_for_room: bool,
    /// Bytes and documents of the replies so far.
    pub(super) received: u64,
    documents: u64,
    queue: Arc<Semaphore>,
    queue_units: u32,
    sender: mpsc::UnboundedSender<DocumentBatch>,
}

/// Where a cursor is read no further.
pub(super) enum End {
    /// At the end of the range.
    Range,
    /// Midway: the connection is slow.
    Slow(Slow),
}

/// A connection that turned out to be slow.
pub(super) struct Slow {
    /// The last `_id` that was read.
    pub(super) last: DocumentId,
    /// Bytes per second of the reply that showed it.
    pub(super) pace: u64,
    /// Of the documents that were read.
    pub(super) mean_document_size: ByteSize,
}

impl Puller {
    pub(super) fn new(
        collection: &Collection,
        part: ScanRange,
        options: ScanOptions,
        sender: mpsc::UnboundedSender<DocumentBatch>,
    ) -> Self {
        let queue_units =
            (options.queue.as_u64().min(QUEUE) / QUEUE_UNIT).clamp(1, u32::MAX.into());
        Self {
            collection: collection.clone(),
            range: part.range.clone(),
            sequence: Sequence::new(collection.namespace(), collection.is_collated(), part)
                .of_cluster(collection.database.server.is_mongos),
            options,
            batch_documents: options.batch_documents(),
            stops_at: 0..0,
            waits_for_room: false,
            received: 0,
            documents: 0,
            queue: Arc::new(Semaphore::new(queue_units as usize)),
            queue_units: queue_units as u32,
            sender,
        }
    }

    /// Reads to the end. Gives up once the retry pauses run out without any new cursor making
    /// progress.
    pub(super) async fn pull(&mut self) -> Result<End> {
        let mut pauses = self.collection.database.server.pauses();
        loop {
            let before = self.sequence.last().cloned();
            let lost = match self.pull_one_cursor().await {
                Ok(end) => return Ok(end),
                Err(e) if is_lost_cursor(&e) => e,
                Err(e) => return Err(expired(e, self.collection.namespace())),
            };
            if self.sequence.last() != before.as_ref() {
                pauses = self.collection.database.server.pauses();
            }
            pauses.wait(lost).await?;
        }
    }

    async fn pull_one_cursor(&mut self) -> Result<End> {
        self.sequence.begin()?;
        let IdRange { from, to } = self.range.clone();
        let min = self.sequence.last().cloned().or(from);
        let Some(min) = min else {
            return self.pull_query(rawdoc! {}, None, to).await;
        };
        let largest = rawdoc! { "_id": RawBson::MaxKey };
        let is_last_range = to.is_none();
        // The server rejects a bound that nothing can be above.
        if *min.as_document() != *largest
            && let End::Slow(slow) = self.pull_query(rawdoc! {}, Some(min), to).await?
        {
            return Ok(End::Slow(slow));
        }
        let last = self.sequence.last().map(DocumentId::as_document);
        if is_last_range && last != Some(&*largest) {
            // A scan with `min` but without `max` ends before MaxKey, unless `_id` is not an index
            // but the order of the collection itself.
            return self.pull_query(largest, None, None).await;
        }
        Ok(End::Range)
    }

    async fn pull_query(
        &mut self,
        filter: RawDocumentBuf,
        min: Option<DocumentId>,
        max: Option<DocumentId>,
    ) -> Result<End> {
        let find = Command::new("find", self.collection.namespace());
        // The first reply arrives as the cursor is opened.
        let mut begin = Instant::now();
        let mut cursor = self.open(&find, filter, min, max).await?;
        let database = self.collection.database.clone();
        while let Some(reply) = database.next_reply(&find, &mut cursor).await? {
            let (pace, is_last) = (pace(&reply, begin.elapsed()), is_last(&reply));
            self.hand_on(reply).await?;
            // Where the order is unknown, a scan cannot go on after a document that is deleted.
            if let Some(last) = self.sequence.last()
                && last.compare(last) == Some(Ordering::Equal)
                && let Some(pace) = pace
                && self.stops_at.contains(&pace)
            {
                return Ok(End::Slow(Slow {
                    last: last.clone(),
                    pace,
                    mean_document_size: self.mean_document_size(),
                }));
            }
            if self.waits_for_room && !is_last {
                let room = self.queue.acquire_many(self.queue_units).await;
                drop(room.map_err(|e| self.stopped(e))?);
            }
            begin = Instant::now();
        }
        Ok(End::Range)
    }

    /// Documents of a first reply: just enough to show whether the connection is slow.
    fn first_batch(&self) -> u32 {
        if self.stops_at.is_empty() {
            return self.batch_documents;
        }
        let enough = LARGE / self.options.mean_document_size.as_u64().max(1) + 1;
        u32::try_from(enough).map_or(self.batch_documents, |enough| {
            enough.min(self.batch_documents)
        })
    }

    async fn open(
        &self,
        find: &Command,
        filter: RawDocumentBuf,
        min: Option<DocumentId>,
        max: Option<DocumentId>,
    ) -> Result<RawBatchCursor> {
        let collection = &self.collection;
        let mut body = rawdoc! {
            "find": collection.name(),
            "filter": filter,
            "sort": { "_id": 1 },
            "hint": { "_id": 1 },
            "batchSize": i64::from(self.first_batch()),
        };
        for (name, bound) in [(cstr!("min"), min), (cstr!("max"), max)] {
            if let Some(bound) = bound {
                body.append(name, bound.as_document().to_owned());
            }
        }
        let (database, batch_documents) = (&collection.database, self.batch_documents);
        database.pin(&mut body, collection.uuid());
        let opened = match self.options.at {
            Some(time) => database.read_at(time, find, body, batch_documents).await,
            None => database.read(find, body, batch_documents).await,
        };
        match opened {
            Ok(cursor) if database.server.takes_collection_uuid => Ok(cursor),
            Ok(cursor) => collection.check_identity().await.map(|()| cursor),
            Err(e) => Err(collection.or_replaced(e)),
        }
    }

    /// Checks a reply and puts it into the queue, waiting for room.
    async fn hand_on(&mut self, reply: RawBatch) -> Result<()> {
        let mut count = 0;
        let counted = documents(&reply)?.inspect(|_| count += 1);
        let seen = self.sequence.advance(counted)?;
        let bytes = reply.as_raw_document().as_bytes().len() as u64;
        self.received += bytes;
        self.documents += count;
        let units = bytes / QUEUE_UNIT;
        let units = units.clamp(1, self.queue_units.into()) as u32;
        let share = Arc::clone(&self.queue).acquire_many_owned(units).await;
        let share = share.map_err(|e| self.stopped(e))?;
        let batch = DocumentBatch {
            reply,
            seen,
            _share: share,
            segment: None,
        };
        self.sender.send(batch).map_err(|e| self.stopped(e))
    }

    /// The mean size of the documents so far, or else that of the sample.
    pub(super) fn mean_document_size(&self) -> ByteSize {
        let mean = self.received.checked_div(self.documents);
        mean.map_or(self.options.mean_document_size, ByteSize::b)
    }

    fn stopped(&self, why: impl std::fmt::Display) -> Error {
        Error::ScanStopped {
            namespace: self.collection.namespace(),
            source: Cause::new(why),
        }
    }
}

/// The bytes per second of a reply, if it shows how fast the connection is.
fn pace(reply: &RawBatch, time: Duration) -> Option<u64> {
    let bytes = reply.as_raw_document().as_bytes().len() as u64;
    let pace = (bytes as f64 / time.as_secs_f64()) as u64;
    (bytes >= LARGE && time > CONNECTED).then_some(pace)
}

/// Whether the cursor ends with this reply: its id is zero.
fn is_last(reply: &RawBatch) -> bool {
    let cursor = reply.as_raw_document().get_document("cursor");
    cursor.is_ok_and(|cursor| cursor.get_i64("id").is_ok_and(|id| id == 0))
}

/// Whether a new cursor may continue where the old one ended. Opening it tells whether the
/// collection is still the same.
fn is_lost_cursor(error: &Error) -> bool {
    error.is_transient() || error.code() == Some(code::QUERY_PLAN_KILLED)
}

/// The error of a scan at a point in time that the server no longer keeps in its history. Reading
/// at another time would mix two states of the collection.
fn expired(error: Error, namespace: String) -> Error {
    const EXPIRED: [i32; 2] = [code::SNAPSHOT_TOO_OLD, code::SNAPSHOT_UNAVAILABLE];
    match error {
        Error::Refused { source, .. } if EXPIRED.contains(&source.code) => {
            Error::SnapshotGone { namespace, source }
        }
        other => other,
    }
}
