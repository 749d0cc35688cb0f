//! Inserts one batch and comes back only when it is certain that every document is stored.
//!
//! A batch is one raw command, whose documents are the very bytes of the batch. When its reply is
//! lost, the batch's `_id`s are read back, and what is not stored is sent again. A document that
//! is there already counts as stored if, and only if, it has the same bytes.

mod read_back;
mod reply;

use bson::{RawDocumentBuf, rawdoc};

use self::reply::WriteErrors;
use super::batch::InsertBatch;
use super::handle::Staging;
use crate::error::{Error, Result, code};
use crate::server::Command;

impl Staging {
    /// Stores every document of `batch` with the write concern of the settings; returns how many
    /// that are.
    ///
    /// # Errors
    /// [`Error::DifferentDocument`] and [`Error::DocumentsRefused`] for documents that cannot be
    /// stored, [`Error::ZeroTimestamp`] for one that the server would change,
    /// [`Error::Replaced`] if staging is gone, [`Error::OutcomeUnknown`] if the server does not
    /// come back within the retries.
    pub async fn insert(&self, batch: &InsertBatch) -> Result<u64> {
        if !self.keeps_zero_timestamps {
            batch.check_zero_timestamps()?;
        }
        let mut pauses = self.collection.database.server.pauses();
        let mut is_repeated = false;
        let mut is_unknown = false;
        loop {
            let attempt = if is_repeated {
                self.insert_unstored(batch).await
            } else {
                self.insert_once(batch).await
            };
            let failure = match attempt {
                Ok(()) => return Ok(batch.len() as u64),
                Err(e) if e.is_transient() => e,
                // A reply that says `duplicate` of too many documents.
                Err(e) if e.code() == Some(code::OBJECT_TOO_LARGE) && !is_repeated => e,
                Err(e) => return Err(e),
            };
            is_repeated = true;
            is_unknown |= failure.leaves_outcome_unknown();
            let waited = pauses.wait(failure).await;
            waited.map_err(|failure| match is_unknown {
                true => self.insert_command().outcome_unknown(failure),
                false => failure,
            })?;
        }
    }

    /// Sends what is not stored yet, or the last document once more if all are: the server refuses
    /// it as a duplicate, but answers only when the write concern holds for what was written before.
    async fn insert_unstored(&self, batch: &InsertBatch) -> Result<()> {
        let all = batch.documents().collect::<Result<Vec<_>>>()?;
        let stored = self.read_back(&all).await?;
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
        self.insert_once(&unstored).await
    }

    async fn insert_once(&self, batch: &InsertBatch) -> Result<()> {
        let command = self.insert_command().writing(batch.len());
        let replaced = || Error::Replaced {
            namespace: command.namespace.clone(),
        };
        let reply = match self
            .collection
            .database
            .run(&command, self.insert_body(batch))
            .await
        {
            Err(e) if e.code() == Some(code::COLLECTION_UUID_MISMATCH) => return Err(replaced()),
            reply => reply?,
        };
        let errors = WriteErrors::read(&command, &reply, batch.len())?;
        let (namespace, documents) = (command.namespace.clone(), batch.len());
        if let Some(source) = errors.other {
            if source.code == code::COLLECTION_UUID_MISMATCH {
                return Err(replaced());
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
                hosts: self.collection.database.server.hosts().to_owned(),
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
            let stored = self.read_back(&duplicates).await?;
            let refused = duplicates
                .iter()
                .filter(|d| !stored.contains(d.as_bytes()))
                .count();
            if refused > 0 {
                // Nothing is stored under their `_id`s: they violate another unique index.
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

    fn insert_command(&self) -> Command {
        Command::new("insert", self.collection.namespace())
    }

    fn insert_body(&self, batch: &InsertBatch) -> RawDocumentBuf {
        let mut body = rawdoc! { "insert": self.name(), "ordered": false };
        if self.keeps_zero_timestamps {
            body.append(bson::raw::cstr!("bypassEmptyTsReplacement"), true);
        }
        if self.bypasses_validation {
            body.append(bson::raw::cstr!("bypassDocumentValidation"), true);
        }
        self.collection.database.pin(&mut body, self.uuid());
        body.append(bson::raw::cstr!("writeConcern"), self.write_concern.clone());
        body.append(bson::raw::cstr!("documents"), &batch.documents);
        body
    }
}
