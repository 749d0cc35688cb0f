//! Inserts one batch, and returns only once every document is certainly stored.
//!
//! A batch is one raw command whose documents are exactly the bytes of the batch. If its reply is
//! lost, the batch's `_id`s are read back, and whatever is not stored is sent again. A document
//! that already exists counts as stored if, and only if, it has the same bytes.

mod read_back;
mod reply;

use bson::{RawDocumentBuf, rawdoc};

use self::read_back::read_back;
use self::reply::WriteErrors;
use super::batch::InsertBatch;
use super::handle::Staging;
use crate::error::{Error, Result, code};
use crate::server::Command;

/// Sends `batch` until all of it is stored or the retries end.
pub(super) async fn insert(staging: &Staging, batch: &InsertBatch) -> Result<u64> {
    if !staging.keeps_zero_timestamps {
        batch.check_zero_timestamps()?;
    }
    let mut pauses = staging.collection.database.server.pauses();
    let mut is_repeated = false;
    let mut is_unknown = false;
    loop {
        let attempt = if is_repeated {
            send_unstored(staging, batch).await
        } else {
            send(staging, batch).await
        };
        let failure = match attempt {
            Ok(()) => return Ok(batch.len() as u64),
            Err(e) if e.is_transient() => e,
            // A reply that reports `duplicate` for too many documents.
            Err(e) if e.code() == Some(code::OBJECT_TOO_LARGE) && !is_repeated => e,
            Err(e) => return Err(e),
        };
        is_repeated = true;
        is_unknown |= failure.leaves_outcome_unknown();
        let waited = pauses.wait(failure).await;
        waited.map_err(|failure| match is_unknown {
            true => command(staging).outcome_unknown(failure),
            false => failure,
        })?;
    }
}

/// Sends what is not stored yet, or the last document again if all are: the server refuses it as a
/// duplicate, but answers only once the write concern holds for what was written before.
async fn send_unstored(staging: &Staging, batch: &InsertBatch) -> Result<()> {
    let all = batch.documents().collect::<Result<Vec<_>>>()?;
    let stored = read_back(staging, &all).await?;
    let mut unstored = InsertBatch::default();
    for document in all
        .iter()
        .filter(|document| !stored.contains(document.as_bytes()))
    {
        unstored.push(document);
    }
    if let Some(last) = all.last().filter(|_| unstored.is_empty()) {
        unstored.push(last);
    }
    send(staging, &unstored).await
}

async fn send(staging: &Staging, batch: &InsertBatch) -> Result<()> {
    let command = command(staging).writing(batch.len());
    let reply = match staging
        .collection
        .database
        .run(&command, body(staging, batch)?)
        .await
    {
        Err(e) => return Err(staging.collection.or_replaced(e)),
        Ok(reply) => reply,
    };
    let errors = WriteErrors::read(&command, &reply, batch.len())?;
    let (namespace, documents) = (command.namespace.clone(), batch.len());
    if let Some(source) = errors.other {
        if source.code == code::COLLECTION_UUID_MISMATCH {
            return Err(staging.collection.replaced());
        }
        let refused = errors.refused.len();
        return Err(Error::DocumentsRefused {
            namespace,
            refused,
            documents,
            source,
        });
    }
    if let Some(source) = errors.transient {
        return Err(Error::Refused {
            command: command.name,
            namespace,
            hosts: staging.collection.database.server.hosts().to_owned(),
            source,
        });
    }
    if let Some(source) = errors.duplicate {
        let all = batch.documents().collect::<Result<Vec<_>>>()?;
        let duplicates: Vec<_> = errors
            .duplicates
            .iter()
            .filter_map(|&index| all.get(index).copied())
            .collect();
        let stored = read_back(staging, &duplicates).await?;
        let refused = duplicates
            .iter()
            .filter(|d| !stored.contains(d.as_bytes()))
            .count();
        if refused > 0 {
            // Nothing is stored under their `_id`s, so they violate another unique index.
            return Err(Error::DocumentsRefused {
                namespace,
                refused,
                documents,
                source,
            });
        }
    }
    command.check_write_concern(&reply)
}

fn command(staging: &Staging) -> Command {
    Command::new("insert", staging.collection.namespace())
}

fn body(staging: &Staging, batch: &InsertBatch) -> Result<RawDocumentBuf> {
    let mut body = rawdoc! { "insert": staging.name(), "ordered": false };
    if staging.keeps_zero_timestamps {
        body.append(bson::raw::cstr!("bypassEmptyTsReplacement"), true);
    }
    if staging.bypasses_validation {
        body.append(bson::raw::cstr!("bypassDocumentValidation"), true);
    }
    staging.collection.database.pin(&mut body, staging.uuid());
    body.append(
        bson::raw::cstr!("writeConcern"),
        staging.write_concern.clone(),
    );
    batch.complete(body)
}
