//! Looks up what is stored under the `_id`s of some documents, and compares it byte for byte.

use std::collections::HashSet;

use bson::{RawDocument, rawdoc};

use crate::error::{Error, Result};
use crate::id::{DocumentId, id_of, one_of};
use crate::server::{Command, documents as reply_documents};
use crate::staging::handle::Staging;

/// Maximum size to ask for in one reply.
const REPLY_BYTES: usize = 4 * 1024 * 1024;

/// The bytes of those `documents` that are stored.
///
/// # Errors
/// [`Error::DifferentDocument`] if another document has the `_id` of one of them.
pub(super) async fn read_back<'a>(
    staging: &Staging,
    documents: &[&'a RawDocument],
) -> Result<HashSet<&'a [u8]>> {
    let mut expected: HashSet<&[u8]> = HashSet::new();
    let mut ids = Vec::new();
    for document in documents {
        expected.insert(document.as_bytes());
        ids.push(id_of(document)?);
    }
    let total: usize = expected.iter().map(|document| document.len()).sum();
    let mean = (total / expected.len().max(1)).max(1);
    let batch_documents = u32::try_from(REPLY_BYTES / mean)
        .unwrap_or(1)
        .clamp(1, 100_000);
    let mut body = rawdoc! {
        "find": staging.name(),
        "filter": { "_id": one_of(&ids)? },
        "batchSize": i64::from(batch_documents),
    };
    let database = staging.collection.database.on_primary();
    database.pin(&mut body, staging.uuid());
    let find = Command::new("find", staging.collection.namespace());
    let mut cursor = match database.read(&find, body, batch_documents).await {
        Err(e) => return Err(staging.collection.or_replaced(e)),
        Ok(cursor) => cursor,
    };
    let mut stored = HashSet::new();
    while let Some(reply) = database.next_reply(&find, &mut cursor).await? {
        for document in reply_documents(&reply)? {
            let found = document?;
            let Some(equal) = expected.take(found.as_bytes()) else {
                let id = DocumentId::of(found)?.to_string();
                return Err(Error::DifferentDocument {
                    namespace: find.namespace,
                    id,
                });
            };
            stored.insert(equal);
        }
    }
    Ok(stored)
}
