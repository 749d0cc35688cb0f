//! Short queries whose results are kept in memory, up to a limit.

use bson::{RawDocumentBuf, rawdoc};
use lob_core::settings::ByteSize;

use super::identity::Collection;
use crate::error::{Error, Result};
use crate::server::{Command, Database, documents};

/// For queries about a single `_id`, any limit will do.
pub(super) const ONE_ID: ByteSize = ByteSize::b(1);

/// A query for the `_id`s of a collection in order, from their index.
pub(super) fn ids_in_order(collection: &Collection) -> RawDocumentBuf {
    rawdoc! {
        "find": collection.name(),
        "projection": { "_id": 1 },
        "sort": { "_id": 1 },
        "hint": { "_id": 1 },
    }
}

/// Reads documents from a cursor until they add up to `limit` bytes.
pub(super) async fn collect(
    collection: &Collection,
    name: &'static str,
    mut body: RawDocumentBuf,
    batch_documents: u32,
    limit: ByteSize,
) -> Result<Vec<RawDocumentBuf>> {
    let database = &collection.database;
    database.pin(&mut body, collection.uuid());
    let command = Command::new(name, collection.namespace());
    let documents = database
        .server
        .retry(|| collect_once(database, &command, body.clone(), batch_documents, limit))
        .await;
    documents.map_err(|e| collection.or_replaced(e))
}

/// The same in a single attempt, on whatever collection has the name.
pub(super) async fn collect_once(
    database: &Database,
    command: &Command,
    body: RawDocumentBuf,
    batch_documents: u32,
    limit: ByteSize,
) -> Result<Vec<RawDocumentBuf>> {
    let mut cursor = database.read(command, body, batch_documents).await?;
    let mut collected = Vec::new();
    let mut size = 0;
    while size < limit.as_u64() {
        let reply = database.next_reply(command, &mut cursor).await?;
        let Some(reply) = reply else { break };
        for document in documents(&reply)? {
            let document = document?;
            size += document.as_bytes().len() as u64;
            collected.push(document.to_owned());
        }
    }
    Ok(collected)
}

/// The result of a query that this crate can do without; `None` with a warning if the server
/// refuses it.
pub(super) fn unless_refused<T>(
    collection: &Collection,
    result: Result<T>,
    without: &str,
) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::Refused { source, .. }) if !source.is_transient() => {
            let namespace = collection.namespace();
            tracing::warn!(%namespace, error = %source, "{without}");
            Ok(None)
        }
        Err(e) => Err(e),
    }
}
