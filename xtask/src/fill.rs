//! Fills a split collection with generated documents, holding only a few batches in memory.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use bson::raw::{RawArrayBuf, RawDocumentBuf, cstr};
use bson::{doc, rawdoc};
use lob_core::checksum::Digest;
use lob_testkit::split_documents::SplitDocuments;
use mongodb::{Client, Database};
use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinSet, spawn_blocking};

/// The collection that is filled.
pub(crate) const COLLECTION: &str = "split_0_input";
/// Doubles in each document.
const FEATURES: usize = 768;
/// Documents per insert command.
const BATCH: usize = 500;
/// Concurrent insert commands: two keep MongoDB on two cores busy.
const WRITERS: usize = 2;

/// An endless stream of documents, always the same.
pub(crate) fn documents() -> impl Iterator<Item = RawDocumentBuf> {
    SplitDocuments::new(1, FEATURES)
}

/// How many documents make up this many bytes of BSON.
pub(crate) fn documents_in(bytes: u64) -> u64 {
    let first = documents().next().map_or(1, |first| first.as_bytes().len());
    bytes / first as u64
}

/// What a collection was filled with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filled {
    pub(crate) documents: u64,
    /// Size as BSON.
    pub(crate) bytes: u64,
    /// The digest that an export must compute.
    pub(crate) digest: Digest,
}

impl Filled {
    fn add(&mut self, document: &RawDocumentBuf) {
        self.documents += 1;
        self.bytes += document.as_bytes().len() as u64;
        self.digest.add(document.as_bytes());
    }
}

/// Fills the collection with the first `count` documents; the database must not exist yet.
pub(crate) async fn fill(client: &Client, database: &str, count: u64) -> anyhow::Result<Filled> {
    let database = client.database(database);
    let (batches, waiting) = mpsc::channel(WRITERS);
    let made = spawn_blocking(move || make(count, &batches));
    let waiting = Arc::new(Mutex::new(waiting));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (database, waiting) = (database.clone(), Arc::clone(&waiting));
        writers.spawn(async move {
            loop {
                let batch = waiting.lock().await.recv().await;
                let Some(batch) = batch else {
                    return anyhow::Ok(());
                };
                insert(&database, batch).await?;
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    let filled = made.await?;
    let documents = database.collection::<RawDocumentBuf>(COLLECTION);
    let stored = documents.count_documents(doc! {}).await?;
    ensure!(
        stored == filled.documents,
        "{stored} of {count} documents are stored"
    );
    Ok(filled)
}

/// Sends batches until all are made or nobody receives them any more.
fn make(count: u64, batches: &mpsc::Sender<Vec<RawDocumentBuf>>) -> Filled {
    let mut filled = Filled::default();
    let mut documents = documents();
    while filled.documents < count {
        let size = BATCH.min((count - filled.documents) as usize);
        let batch: Vec<_> = documents.by_ref().take(size).collect();
        batch.iter().for_each(|document| filled.add(document));
        if batches.blocking_send(batch).is_err() {
            break;
        }
    }
    filled
}

/// Does not wait for the journal: generated data can be generated again.
async fn insert(database: &Database, batch: Vec<RawDocumentBuf>) -> anyhow::Result<()> {
    let count = batch.len();
    let mut documents = RawArrayBuf::new();
    for document in batch {
        documents.push(document);
    }
    let mut insert = rawdoc! { "insert": COLLECTION, "writeConcern": { "w": 1 } };
    insert.append(cstr!("documents"), documents);
    let reply = database.run_raw_command(insert).await;
    let reply = reply.context("the collection cannot be filled")?;
    ensure!(
        reply.get_i32("n")? as usize == count,
        "the server refuses made-up documents: {reply}"
    );
    Ok(())
}
