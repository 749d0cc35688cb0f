//! Reads the `_id`s of a collection from its index and thins them out on the way, so that memory
//! does not grow with their number.

use bson::raw::cstr;
use bson::{RawDocument, RawDocumentBuf};
use lob_core::settings::ByteSize;

use super::usable::{in_order, is_usable};
use crate::collection::collect::ids_in_order;
use crate::collection::identity::Collection;
use crate::collection::size::CollectionSize;
use crate::error::Result;
use crate::id::{DocumentId, id_of};
use crate::server::{Command, documents};

/// Up to this many documents, all `_id`s are read: 60 MB of ObjectIds, which take a few seconds and
/// are little compared with the documents.
const MOST_WALKED: u64 = 2_000_000;
/// If the index alone does not provide the `_id`s, the documents must be read for them: up to this
/// many bytes.
const MOST_READ: ByteSize = ByteSize::mib(64);
/// `_id`s per reply: few replies, in case the server is far away.
const BATCH_IDS: u32 = 50_000;
/// At least this many are kept if there are as many, and at most twice as many.
const KEPT: usize = 1 << 16;
/// Unless they take more bytes than this.
const KEPT_BYTES: usize = 32 * 1024 * 1024;

/// Whether walking all `_id`s is cheap.
pub(super) fn is_walkable(collection: &Collection, size: CollectionSize) -> bool {
    // On a sharded collection the documents are read for their shard keys.
    let has_ids_in_index = collection.has_ids_in_index() && !size.is_sharded;
    size.documents <= MOST_WALKED && (has_ids_in_index || size.bytes <= MOST_READ)
}

/// `_id`s that cut the collection into equal parts; `None` if it has many more documents than the
/// server believes.
pub(super) async fn walk(collection: &Collection) -> Result<Option<Vec<DocumentId>>> {
    let mut body = ids_in_order(collection);
    body.append(cstr!("batchSize"), i64::from(BATCH_IDS));
    collection.database.pin(&mut body, collection.uuid());
    let command = Command::new("find", collection.namespace());
    let server = &collection.database.server;
    let walked = server
        .retry(|| walk_once(collection, &command, body.clone()))
        .await;
    let thinned = walked.map_err(|e| collection.or_replaced(e))?;
    Ok(thinned.map(|thinned| in_order(thinned.into_bounds())))
}

async fn walk_once(
    collection: &Collection,
    command: &Command,
    body: RawDocumentBuf,
) -> Result<Option<Thinned>> {
    let database = &collection.database;
    let mut cursor = database.read(command, body, BATCH_IDS).await?;
    let mut thinned = Thinned::new();
    while let Some(reply) = database.next_reply(command, &mut cursor).await? {
        for document in documents(&reply)? {
            thinned.pass(document?)?;
        }
        if thinned.passed > 2 * MOST_WALKED {
            return Ok(None);
        }
    }
    Ok(Some(thinned))
}

/// Every `every`-th of the `_id`s that have passed.
struct Thinned {
    kept: Vec<DocumentId>,
    bytes: usize,
    every: u64,
    passed: u64,
}

impl Thinned {
    fn new() -> Self {
        Self {
            kept: Vec::new(),
            bytes: 0,
            every: 1,
            passed: 0,
        }
    }

    fn pass(&mut self, document: &RawDocument) -> Result<()> {
        let id = id_of(document)?;
        if !is_usable(id) {
            return Ok(());
        }
        if self.passed.is_multiple_of(self.every) {
            let id = DocumentId::new(id)?;
            self.bytes += id.size();
            self.kept.push(id);
        }
        self.passed += 1;
        if self.kept.len() > 2 * KEPT || self.bytes > KEPT_BYTES {
            self.halve();
        }
        Ok(())
    }

    fn halve(&mut self) {
        let mut is_kept = false;
        self.kept.retain(|_| {
            is_kept = !is_kept;
            is_kept
        });
        self.bytes = self.kept.iter().map(DocumentId::size).sum();
        self.every *= 2;
    }

    /// All but the first, as there is nothing below it.
    fn into_bounds(mut self) -> Vec<DocumentId> {
        self.kept.drain(..self.kept.len().min(1));
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    fn thinned(ids: impl Iterator<Item = RawDocumentBuf>) -> Thinned {
        let mut thinned = Thinned::new();
        for id in ids {
            thinned.pass(&id).unwrap();
            assert!(thinned.kept.len() <= 2 * KEPT && thinned.bytes <= KEPT_BYTES);
        }
        thinned
    }

    #[test]
    fn two_million_ids_are_thinned_out_evenly() {
        for count in [0, 1, 2, 1000, 131_072, 131_073, 2_000_000] {
            let thinned = thinned((0..count).map(|i| rawdoc! { "_id": i }));
            let (every, kept) = (thinned.every as i32, thinned.kept.len());
            assert!(kept == count as usize || kept >= KEPT, "{count}: {kept}");
            let bounds = thinned.into_bounds();
            assert_eq!(bounds.len(), kept.saturating_sub(1));
            for (i, bound) in (1..).zip(&bounds) {
                assert_eq!(bound.to_string(), (i * every).to_string());
            }
        }
    }

    #[test]
    fn large_ids_are_thinned_out_to_the_byte_limit() {
        let long = "x".repeat(10_000);
        let thinned = thinned((0..20_000).map(|i| rawdoc! { "_id": format!("{i:06}{long}") }));
        assert!((1000..4000).contains(&thinned.kept.len()));
    }
}
