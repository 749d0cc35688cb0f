//! How many documents a collection has: exactly, by the server's metadata, or whether any.

use bson::{Document, RawDocumentBuf, rawdoc};

use super::collect::{ONE_ID, collect_once};
use super::identity::Collection;
use crate::error::Result;
use crate::server::{Command, number};

/// By the server's metadata, which is wrong after a crash.
pub(super) async fn estimated(collection: &Collection) -> Result<u64> {
    let (command, body) = count(collection, rawdoc! { "count": collection.name() });
    let database = &collection.database;
    let counting = || database.run(&command, body.clone());
    let reply = database.server.retry(counting).await?;
    counted(&command, &reply)
}

/// By walking the `_id` index of the primary.
pub(super) async fn exact(collection: &Collection) -> Result<u64> {
    let mut collection = collection.clone();
    collection.database = collection.database.on_primary();
    let exact = rawdoc! { "count": collection.name(), "query": {}, "hint": "_id_" };
    to_its_end(&collection, exact).await
}

/// The number of documents that `query` selects. Never times out.
pub(super) async fn of(collection: &Collection, query: RawDocumentBuf) -> Result<u64> {
    let body = rawdoc! { "count": collection.name(), "query": query };
    to_its_end(collection, body).await
}

/// Whether the primary has no documents under this name, whichever collection has it by now. Takes
/// a single step, however many documents there are.
pub(crate) async fn is_empty(collection: &Collection) -> Result<bool> {
    let database = collection.database.on_primary();
    let body = rawdoc! {
        "find": collection.name(),
        "projection": { "_id": 1 },
        "limit": 1,
        "singleBatch": true,
    };
    let command = Command::new("find", collection.namespace());
    let looking = || collect_once(&database, &command, body.clone(), 1, ONE_ID);
    let found = database.server.retry(looking).await?;
    Ok(found.is_empty())
}

/// Counts without a timeout: giving up would mean counting all of them again.
async fn to_its_end(collection: &Collection, body: RawDocumentBuf) -> Result<u64> {
    let (command, body) = count(collection, body);
    let database = &collection.database;
    let counting = || database.run_to_its_end(&command, body.clone());
    let reply = database.server.retry(counting).await?;
    counted(&command, &reply)
}

fn count(collection: &Collection, mut body: RawDocumentBuf) -> (Command, RawDocumentBuf) {
    collection.database.server.read_concern.pin(&mut body);
    (Command::new("count", collection.namespace()), body)
}

fn counted(command: &Command, reply: &Document) -> Result<u64> {
    number(reply, "n").ok_or_else(|| command.invalid_reply("`n` is not a count"))
}
