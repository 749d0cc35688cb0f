//! Reads a whole collection once, in `_id` order, as raw bytes, and proves that it was whole.
//!
//! A task of its own pulls batches ahead of the consumer through a queue that is bounded in bytes.
//! A cursor that is lost on the way (an election, an idle time-out) is opened again at the last
//! `_id`. What must never happen is that anything looks like the end of the collection: the end is
//! the task's own success, after the last batch and after the collection was found to be the same.

use std::cmp::Ordering;
use std::sync::Arc;

use bson::{RawDocument, rawdoc};
use bytesize::ByteSize;
use futures::StreamExt as _;
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::collection::Collection;
use crate::command::Command;
use crate::error::{Cause, Error, Result, code};
use crate::id::{DocumentId, Value, id_of, invalid};
use crate::id_order::compare;
use crate::retry::{pauses, report};

/// As much as one reply should hold; MongoDB stops at 16 MiB by itself, other servers do not.
const REPLY: ByteSize = ByteSize::mib(4);

/// What the queue counts in, since a semaphore counts in 32 bits.
const QUEUE_UNIT: u64 = 1024;

/// How a scan shares out memory.
#[derive(Debug, Clone, Copy)]
pub struct ScanOptions {
    /// How many bytes of documents may wait for the consumer or be held by it. One reply more is
    /// on its way.
    pub queue: ByteSize,
    /// What a document takes on average, as [`Sample::mean_document_size`](crate::Sample) says.
    pub mean_document_size: ByteSize,
}

impl ScanOptions {
    /// How many documents to ask for in one reply.
    fn batch_documents(self) -> u32 {
        let reply = REPLY.as_u64().min(self.queue.as_u64() / 2);
        let documents = reply / self.mean_document_size.as_u64().max(1);
        u32::try_from(documents.clamp(1, 100_000)).unwrap_or(1)
    }

    /// What a reply takes of the queue; one that is larger than the whole queue takes all of it.
    fn queue_units(self) -> u32 {
        u32::try_from((self.queue.as_u64() / QUEUE_UNIT).max(1)).unwrap_or(u32::MAX)
    }
}

/// Documents that came in one reply. They keep their share of the queue until this is dropped.
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

fn documents(reply: &RawBatch) -> Result<impl Iterator<Item = Result<&RawDocument>>> {
    let documents = reply.doc_slices().map_err(|e| invalid(&e.kind))?;
    Ok(documents.into_iter().map(|value| {
        value
            .map_err(invalid)?
            .as_document()
            .ok_or_else(|| invalid("it is another BSON type"))
    }))
}

/// A scan under way. Dropping it stops it.
#[derive(Debug)]
pub struct Scan {
    namespace: String,
    batches: mpsc::UnboundedReceiver<DocumentBatch>,
    task: JoinSet<Result<()>>,
}

impl Collection {
    /// Starts to read every document in `_id` order.
    pub fn scan(&self, options: ScanOptions) -> Scan {
        let (sender, batches) = mpsc::unbounded_channel();
        let puller = Puller {
            collection: self.clone(),
            options,
            queue: Arc::new(Semaphore::new(options.queue_units() as usize)),
            sender,
            last: None,
        };
        let mut task = JoinSet::new();
        task.spawn(puller.pull());
        Scan {
            namespace: self.namespace(),
            batches,
            task,
        }
    }
}

impl Scan {
    /// The next documents, or `None` when all documents of the collection have been returned.
    ///
    /// # Errors
    /// Anything that kept the scan from being whole; there is no use in calling this again.
    pub async fn next(&mut self) -> Result<Option<DocumentBatch>> {
        if let Some(batch) = self.batches.recv().await {
            return Ok(Some(batch));
        }
        match self.task.join_next().await {
            Some(Ok(result)) => result.map(|()| None),
            Some(Err(e)) => {
                let source = Cause::new(e);
                Err(Error::ScanStopped {
                    namespace: self.namespace.clone(),
                    source,
                })
            }
            None => Ok(None),
        }
    }
}

/// The task behind a [`Scan`].
struct Puller {
    collection: Collection,
    options: ScanOptions,
    queue: Arc<Semaphore>,
    sender: mpsc::UnboundedSender<DocumentBatch>,
    /// The `_id` of the last document that was handed on.
    last: Option<DocumentId>,
}

impl Puller {
    /// Reads to the end, opening the cursor again where it is lost, as long as each new cursor
    /// brings something new.
    async fn pull(mut self) -> Result<()> {
        let mut waits = pauses();
        loop {
            let before = self.last.clone();
            let lost = match self.pull_one_cursor().await {
                Ok(()) => return self.collection.check_identity().await,
                Err(e) if is_lost_cursor(&e) => e,
                Err(e) => return Err(e),
            };
            if self.last != before {
                waits = pauses();
            }
            let Some(wait) = waits.next() else {
                return Err(lost);
            };
            report(&lost, wait);
            tokio::time::sleep(wait).await;
        }
    }

    async fn pull_one_cursor(&mut self) -> Result<()> {
        if self.last.is_some() && self.collection.is_collated() {
            return Err(self.cannot_resume());
        }
        let mut resuming = self.last.is_some();
        let mut cursor = self.open().await?;
        let database = self.collection.database.clone();
        let namespace = self.collection.namespace();
        loop {
            let next = async { cursor.next().await.transpose() };
            let Some(reply) = database.bounded("getMore", &namespace, next).await? else {
                return Ok(());
            };
            self.hand_on(reply, &mut resuming).await?;
        }
    }

    /// Opens a cursor at the start, or at the last `_id` (which is returned once more).
    async fn open(&self) -> Result<RawBatchCursor> {
        let collection = &self.collection;
        let batch_documents = self.options.batch_documents();
        let mut body = rawdoc! {
            "find": collection.name(),
            "filter": {},
            "sort": { "_id": 1 },
            "hint": { "_id": 1 },
            "batchSize": i64::from(batch_documents),
        };
        if let Some(last) = &self.last {
            body.append(bson::raw::cstr!("min"), last.as_document().to_owned());
        }
        let database = &collection.database;
        database.pin(&mut body, collection.uuid());
        let command = Command::new("find", collection.namespace(), body);
        match database.open_cursor(&command, batch_documents).await {
            Ok(cursor) if database.server.takes_collection_uuid => Ok(cursor),
            Ok(cursor) => collection.check_identity().await.map(|()| cursor),
            Err(e) if e.code() == Some(code::COLLECTION_UUID_MISMATCH) => Err(Error::Replaced {
                namespace: collection.namespace(),
            }),
            Err(e) => Err(e),
        }
    }

    /// Checks the order of a reply's documents and puts it into the queue.
    async fn hand_on(&mut self, reply: RawBatch, resuming: &mut bool) -> Result<()> {
        let mut seen = 0;
        let mut last: Option<Value<'_>> = None;
        let before = self.last.clone();
        let mut previous = before
            .as_ref()
            .map(|id| id_of(id.as_document()))
            .transpose()?;
        for document in documents(&reply)? {
            let id = id_of(document?)?;
            if let Some(previous) = previous
                && !self.collection.is_collated()
            {
                match compare(previous, id) {
                    Some(Ordering::Less) => {}
                    Some(Ordering::Equal) if *resuming => seen = 1,
                    // Either there is no telling, or the server ignores `min`.
                    _ if *resuming => return Err(self.cannot_resume()),
                    None if previous != id => {}
                    _ => return Err(self.out_of_order(previous, id)?),
                }
            }
            *resuming = false;
            previous = Some(id);
            last = Some(id);
        }
        if let Some(last) = last {
            self.last = Some(DocumentId::new(last)?);
        }
        let units = reply.as_raw_document().as_bytes().len() as u64 / QUEUE_UNIT;
        let units = u32::try_from(units)
            .unwrap_or(u32::MAX)
            .clamp(1, self.options.queue_units());
        let queue = Arc::clone(&self.queue);
        let share = queue
            .acquire_many_owned(units)
            .await
            .map_err(|e| self.stopped(e))?;
        self.sender
            .send(DocumentBatch {
                reply,
                seen,
                _share: share,
            })
            .map_err(|e| self.stopped(e))
    }

    fn out_of_order(&self, previous: Value<'_>, id: Value<'_>) -> Result<Error> {
        Ok(Error::OutOfOrder {
            namespace: self.collection.namespace(),
            id: DocumentId::new(id)?.to_string(),
            previous: DocumentId::new(previous)?.to_string(),
        })
    }

    fn cannot_resume(&self) -> Error {
        let id = self
            .last
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        Error::CannotResume {
            namespace: self.collection.namespace(),
            id,
        }
    }

    fn stopped(&self, why: impl std::fmt::Display) -> Error {
        let source = Cause::new(why);
        Error::ScanStopped {
            namespace: self.collection.namespace(),
            source,
        }
    }
}

/// True if a new cursor may go on where the old one ended. Opening it tells whether the collection
/// is still the same.
fn is_lost_cursor(error: &Error) -> bool {
    error.is_transient()
        || matches!(
            error.code(),
            Some(code::CURSOR_NOT_FOUND | code::CURSOR_KILLED | code::QUERY_PLAN_KILLED)
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_bounded_by_the_queue_and_by_its_own_limit() {
        let documents = |queue, mean_document_size| {
            ScanOptions {
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
