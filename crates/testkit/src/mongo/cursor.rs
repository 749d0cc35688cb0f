//! Cursors: where a scan is between two batches.
//!
//! A scan reads the live collection in `_id` order. Whether it sees a document written while it
//! runs depends on the scan's position, as on the real server.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use bytes::Bytes;
use uuid::Uuid;

use super::catalog::{Catalog, Collection, Namespace};
use super::element::get;
use super::failure::Failure;
use super::filter::Filter;
use super::limits::MAX_DOCUMENT_BYTES;
use super::order::Key;
use super::outcome::Outcome;
use crate::document_writer::DocumentWriter;

/// Size of the first batch if the client did not ask for one.
pub(crate) const DEFAULT_FIRST_BATCH: usize = 101;

/// A result that has not been fully returned yet.
pub(crate) struct Cursor {
    pub(crate) namespace: Namespace,
    /// The collection being read. A scan fails if it is dropped or renamed.
    pub(crate) uuid: Uuid,
    pub(crate) source: Source,
    /// How many more documents may be returned.
    pub(crate) remaining: Option<usize>,
    pub(crate) ids_only: bool,
    /// Documents to return before any others: those that did not fit into the last batch, and the
    /// second shard's copies of an `_id`.
    pub(crate) held_back: VecDeque<Bytes>,
}

/// Where a cursor's documents come from.
pub(crate) enum Source {
    Range {
        from: Bound<Key>,
        to: Bound<Key>,
        filter: Filter,
    },
    Chosen(VecDeque<Bytes>),
}

/// The size limits of one batch.
#[derive(Clone, Copy)]
pub(crate) struct BatchLimits {
    pub(crate) documents: Option<usize>,
    /// The real server ends a batch before 16 MiB; servers that deviate do not.
    pub(crate) capped: bool,
}

/// Open cursors by id.
#[derive(Default)]
pub(crate) struct Cursors {
    last_id: i64,
    open: BTreeMap<i64, Cursor>,
}

impl Cursors {
    /// Fills the first batch, and keeps the cursor if there may be more.
    pub(crate) fn first_batch(
        &mut self,
        collection: &Collection,
        cursor: Cursor,
        limits: BatchLimits,
        single_batch: bool,
    ) -> Outcome {
        let id = self.last_id + 1;
        self.last_id = id;
        let (batch, unfinished) = cursor.batch("firstBatch", collection, limits);
        match unfinished {
            Some(cursor) if !single_batch => {
                self.open.insert(id, cursor);
                batch.reply(id)
            }
            _ => batch.reply(0),
        }
    }

    /// # Errors
    ///
    /// Unknown cursor, wrong collection, or a collection that is no longer the same.
    pub(crate) fn next_batch(
        &mut self,
        catalog: &Catalog,
        id: i64,
        namespace: &Namespace,
        limits: BatchLimits,
    ) -> Result<Outcome, Failure> {
        let not_found = || Failure::new(43, format!("cursor id {id} not found"));
        let cursor = self.open.get(&id).ok_or_else(not_found)?;
        if cursor.namespace != *namespace {
            return Err(Failure::new(13, "cursor belongs to a different namespace"));
        }
        let cursor = self.open.remove(&id).ok_or_else(not_found)?;
        let collection = catalog.find(namespace, None)?;
        let Some(collection) = collection.filter(|found| found.uuid == cursor.uuid) else {
            let message = format!("collection dropped or renamed. UUID {}", cursor.uuid);
            return Err(Failure::new(175, message));
        };
        let (batch, unfinished) = cursor.batch("nextBatch", collection, limits);
        match unfinished {
            Some(cursor) => {
                self.open.insert(id, cursor);
                Ok(batch.reply(id))
            }
            None => Ok(batch.reply(0)),
        }
    }

    /// Closes a cursor; returns whether it existed.
    pub(crate) fn kill(&mut self, id: i64) -> bool {
        self.open.remove(&id).is_some()
    }
}

/// A batch that lacks only the cursor id, which depends on whether anything is left.
struct Batch {
    name: &'static str,
    namespace: String,
    array: Vec<u8>,
    documents: usize,
}

impl Batch {
    fn reply(self, id: i64) -> Outcome {
        let mut cursor = DocumentWriter::with_capacity(self.array.len() + 100);
        cursor
            .array(self.name, &self.array)
            .int64("id", id)
            .string("ns", &self.namespace);
        let mut reply = DocumentWriter::with_capacity(self.array.len() + 200);
        reply.document("cursor", &cursor.finish());
        Outcome {
            reply,
            documents: self.documents,
        }
    }
}

impl Cursor {
    /// Fills a batch; also returns the cursor, unless it is exhausted.
    fn batch(
        mut self,
        name: &'static str,
        collection: &Collection,
        limits: BatchLimits,
    ) -> (Batch, Option<Self>) {
        let mut array = DocumentWriter::new();
        let mut documents = 0;
        let mut ended = false;
        while limits.documents.is_none_or(|limit| documents < limit) {
            let Some(mut document) = self.next(collection) else {
                ended = true;
                break;
            };
            if self.ids_only {
                document = id_alone(&document);
            }
            if limits.capped && documents > 0 && array.len() + document.len() > MAX_DOCUMENT_BYTES {
                self.held_back.push_front(document);
                break;
            }
            array.document(documents.to_string(), &document);
            documents += 1;
            self.remaining = self.remaining.map(|remaining| remaining - 1);
        }
        ended |= self.remaining == Some(0);
        let namespace = self.namespace.to_string();
        let batch = Batch {
            name,
            namespace,
            array: array.finish(),
            documents,
        };
        (batch, (!ended).then_some(self))
    }

    fn next(&mut self, collection: &Collection) -> Option<Bytes> {
        if self.remaining == Some(0) {
            return None;
        }
        if let Some(document) = self.held_back.pop_front() {
            return Some(document);
        }
        match &mut self.source {
            Source::Chosen(documents) => documents.pop_front(),
            Source::Range { from, to, filter } => loop {
                let (id, document) = next_in_range(collection, from, to, filter)?;
                *from = Bound::Excluded(id.clone());
                let found = [Some(document), collection.twin(id)].into_iter().flatten();
                let found = found.filter(|document| filter.accepts(document));
                self.held_back.extend(found.cloned());
                if let Some(document) = self.held_back.pop_front() {
                    break Some(document);
                }
            },
        }
    }
}

/// The first document at or after `from`. If the filter names ids, only those are looked up.
fn next_in_range<'a>(
    collection: &'a Collection,
    from: &Bound<Key>,
    to: &Bound<Key>,
    filter: &Filter,
) -> Option<(&'a Key, &'a Bytes)> {
    let bounds = (from.as_ref(), to.as_ref());
    match filter.ids() {
        None => collection.documents.range(bounds).next(),
        Some(ids) => ids
            .range(bounds)
            .find_map(|id| collection.documents.get_key_value(id)),
    }
}

fn id_alone(document: &[u8]) -> Bytes {
    let mut projected = DocumentWriter::new();
    if let Some(id) = get(document, "_id") {
        projected.element(id.kind, "_id", id.bytes);
    }
    projected.finish().into()
}
