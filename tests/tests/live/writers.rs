//! A writer that keeps inserting, updating and deleting documents.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use bson::{RawDocumentBuf, doc};
use lob_tests::servers::Servers;
use mongodb::Collection;
use mongodb::options::{CollectionOptions, WriteConcern};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::document;

pub(crate) const DOCUMENTS: i32 = 4000;

/// What happens to a document, depending on its `_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Stays,
    Changes,
    /// Exists at first, is deleted, inserted again, and so on.
    Goes,
    /// Does not exist at first.
    Comes,
}

impl Life {
    pub(crate) fn of(id: i32) -> Self {
        [Self::Stays, Self::Changes, Self::Goes, Self::Comes][id as usize % 4]
    }
}

/// The last version written of each document, and the number of writes.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) versions: BTreeMap<i32, i32>,
    pub(crate) writes: u64,
}

/// Writes to `collection` until `is_over` is set.
pub(crate) async fn write(servers: &Servers, collection: &str, is_over: &AtomicBool) -> Written {
    // As fast as possible: these writes need not survive a failover.
    let options = CollectionOptions::builder().write_concern(WriteConcern::nodes(1));
    let database = servers.mongo.database(&servers.database);
    let collection: Collection<RawDocumentBuf> =
        database.collection_with_options(collection, options.build());
    let mut random = StdRng::seed_from_u64(1);
    let mut written = Written::default();
    let mut exists: Vec<bool> = (0..DOCUMENTS)
        .map(|id| Life::of(id) != Life::Comes)
        .collect();
    while !is_over.load(Ordering::Relaxed) {
        let id = random.random_range(0..DOCUMENTS);
        let version = written.versions.get(&id).copied().unwrap_or(0) + 1;
        let new = document(id, version);
        match (Life::of(id), &mut exists[id as usize]) {
            (Life::Stays, _) => continue,
            (Life::Changes, _) => {
                let replaced = collection.replace_one(doc! { "_id": id }, new).await;
                assert_eq!(replaced.unwrap().matched_count, 1);
            }
            (_, exists @ true) => {
                let deleted = collection.delete_one(doc! { "_id": id }).await;
                assert_eq!(deleted.unwrap().deleted_count, 1);
                *exists = false;
                continue;
            }
            (_, exists @ false) => {
                collection.insert_one(new).await.unwrap();
                *exists = true;
            }
        }
        written.versions.insert(id, version);
        written.writes += 1;
    }
    written
}
