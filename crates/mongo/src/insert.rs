//! Inserts one batch and comes back only when it is certain that every document is stored.
//!
//! A batch is one raw command, whose documents are the very bytes of the batch. If its reply is
//! lost, the same command is sent again: what was stored already is then refused as a duplicate,
//! and a duplicate counts as success if, and only if, the stored document has the same bytes.

use std::collections::HashSet;

use bson::{Bson, Document, RawArrayBuf, RawDocument, rawdoc};
use futures::StreamExt as _;

use crate::batch::InsertBatch;
use crate::collection::number;
use crate::command::Command;
use crate::error::{Error, Refusal, Result, code};
use crate::id::{DocumentId, invalid};
use crate::retry::report;
use crate::staging::Staging;

impl Staging {
    /// Stores every document of `batch` with the write concern of the settings; returns how many
    /// that are.
    ///
    /// # Errors
    /// [`Error::DifferentDocument`] and [`Error::DocumentsRefused`] for documents that cannot be
    /// stored, [`Error::ZeroTimestamp`] for one that the server would change,
    /// [`Error::OutcomeUnknown`] if the server does not come back within the retries.
    pub async fn insert(&self, batch: &InsertBatch) -> Result<u64> {
        if !self.keeps_zero_timestamps {
            batch.check_zero_timestamps()?;
        }
        let command = self.insert_command(batch);
        let mut pauses = self.collection.database.server.pauses();
        let mut is_unknown = false;
        loop {
            let failure = match self.insert_once(&command, batch).await {
                Ok(()) => return Ok(batch.len() as u64),
                Err(e) if e.is_transient() => e,
                Err(e) => return Err(e),
            };
            is_unknown |= !matches!(failure, Error::Unreachable { .. });
            match pauses.next() {
                Some(pause) => {
                    report(&failure, pause);
                    tokio::time::sleep(pause).await;
                }
                None if is_unknown => return Err(command.outcome_unknown(failure)),
                None => return Err(failure),
            }
        }
    }

    fn insert_command(&self, batch: &InsertBatch) -> Command {
        let mut body = rawdoc! { "insert": self.name(), "ordered": false };
        if self.keeps_zero_timestamps {
            body.append(bson::raw::cstr!("bypassEmptyTsReplacement"), true);
        }
        self.collection.database.pin(&mut body, self.uuid());
        body.append(bson::raw::cstr!("writeConcern"), self.write_concern.clone());
        body.append(bson::raw::cstr!("documents"), batch.documents.clone());
        Command::new("insert", self.collection.namespace(), body)
    }

    async fn insert_once(&self, command: &Command, batch: &InsertBatch) -> Result<()> {
        let replaced = || Error::Replaced {
            namespace: command.namespace.clone(),
        };
        let reply = match self.collection.database.run(command).await {
            Err(e) if e.code() == Some(code::COLLECTION_UUID_MISMATCH) => return Err(replaced()),
            reply => reply?,
        };
        let errors = WriteErrors::read(command, &reply)?;
        if let Some(source) = errors.other {
            if source.code == code::COLLECTION_UUID_MISMATCH {
                return Err(replaced());
            }
            let (namespace, refused) = (command.namespace.clone(), errors.count);
            let documents = batch.len();
            return Err(Error::DocumentsRefused {
                namespace,
                refused,
                documents,
                source,
            });
        }
        if let Some(source) = errors.transient {
            let (command, namespace) = (command.name, command.namespace.clone());
            return Err(Error::Refused {
                command,
                namespace,
                source,
            });
        }
        // Some servers count refused documents as well.
        let inserted =
            number(&reply, "n").ok_or_else(|| command.invalid_reply("`n` is missing"))?;
        if inserted + (errors.count as u64) < batch.len() as u64 {
            return Err(command.invalid_reply("`n` is less than the number of documents"));
        }
        if let Some(duplicate) = errors.duplicate {
            self.check_stored(command, batch, &errors.duplicates, duplicate)
                .await?;
        }
        command.check_write_concern(&reply)
    }

    /// Reads back the documents that were refused as duplicates and compares them byte for byte.
    async fn check_stored(
        &self,
        insert: &Command,
        batch: &InsertBatch,
        duplicates: &HashSet<usize>,
        refusal: Refusal,
    ) -> Result<()> {
        let mut expected: HashSet<&[u8]> = HashSet::new();
        let mut ids = RawArrayBuf::new();
        for (index, document) in batch.documents().enumerate() {
            if duplicates.contains(&index) {
                let document = document?;
                expected.insert(document.as_bytes());
                let id = document.into_iter().next().ok_or(Error::IdNotFirst)?;
                ids.push(id.map_err(invalid)?.1);
            }
        }
        let mean = (batch.size() / batch.len().max(1)).max(1);
        let batch_documents = u32::try_from((4 << 20) / mean)
            .unwrap_or(1)
            .clamp(1, 10_000);
        let mut body = rawdoc! {
            "find": self.name(),
            "filter": { "_id": { "$in": ids } },
            "batchSize": i64::from(batch_documents),
        };
        self.collection.database.pin(&mut body, self.uuid());
        let find = Command::new("find", insert.namespace.clone(), body);
        let database = &self.collection.database;
        let mut cursor = database
            .open_cursor_on_primary(&find, batch_documents)
            .await?;
        loop {
            let next = async { cursor.next().await.transpose() };
            let Some(reply) = database.bounded("getMore", &find.namespace, next).await? else {
                break;
            };
            for document in reply.doc_slices().map_err(|e| invalid(&e.kind))? {
                let document = document.map_err(invalid)?;
                let stored = document
                    .as_document()
                    .ok_or_else(|| invalid("another type"))?;
                if !expected.remove(stored.as_bytes()) {
                    return Err(self.different(stored)?);
                }
            }
        }
        if expected.is_empty() {
            return Ok(());
        }
        // Refused as a duplicate, but nothing is stored under its `_id`: another unique index.
        Err(Error::DocumentsRefused {
            namespace: insert.namespace.clone(),
            refused: expected.len(),
            documents: batch.len(),
            source: refusal,
        })
    }

    fn different(&self, stored: &RawDocument) -> Result<Error> {
        let id = DocumentId::of(stored)?.to_string();
        Ok(Error::DifferentDocument {
            namespace: self.collection.namespace(),
            id,
        })
    }
}

/// What the server said about single documents of a batch.
#[derive(Default)]
struct WriteErrors {
    count: usize,
    /// Positions in the batch of the documents that were refused as duplicates.
    duplicates: HashSet<usize>,
    /// The first error of each kind.
    duplicate: Option<Refusal>,
    transient: Option<Refusal>,
    other: Option<Refusal>,
}

impl WriteErrors {
    fn read(command: &Command, reply: &Document) -> Result<Self> {
        let mut errors = Self::default();
        let Some(listed) = reply.get("writeErrors") else {
            return Ok(errors);
        };
        let listed = listed
            .as_array()
            .ok_or_else(|| command.invalid_reply("`writeErrors`"))?;
        for error in listed.iter().map(Bson::as_document) {
            let error = error.ok_or_else(|| command.invalid_reply("`writeErrors`"))?;
            let refusal = Refusal::read(error);
            errors.count += 1;
            if refusal.code == code::DUPLICATE_KEY {
                let index = number(error, "index").and_then(|index| usize::try_from(index).ok());
                let index = index.ok_or_else(|| command.invalid_reply("`index` is missing"))?;
                errors.duplicates.insert(index);
                errors.duplicate.get_or_insert(refusal);
            } else if refusal.is_transient() {
                errors.transient.get_or_insert(refusal);
            } else {
                errors.other.get_or_insert(refusal);
            }
        }
        Ok(errors)
    }
}

impl Refusal {
    /// Reads an entry of `writeErrors`, or a `writeConcernError`.
    pub(crate) fn read(error: &Document) -> Self {
        Self {
            code: error.get_i32("code").unwrap_or_default(),
            name: error.get_str("codeName").unwrap_or_default().to_owned(),
            message: error.get_str("errmsg").unwrap_or("no message").to_owned(),
        }
    }
}

impl Command {
    /// Fails if the command took effect on fewer members than the write concern asks for.
    pub(crate) fn check_write_concern(&self, reply: &Document) -> Result<()> {
        let Ok(error) = reply.get_document("writeConcernError") else {
            return Ok(());
        };
        let (command, namespace) = (self.name, self.namespace.clone());
        match Refusal::read(error) {
            source if source.is_transient() => Err(Error::Refused {
                command,
                namespace,
                source,
            }),
            source => Err(Error::WriteConcern {
                command,
                namespace,
                source,
            }),
        }
    }

    pub(crate) fn outcome_unknown(&self, failure: Error) -> Error {
        Error::OutcomeUnknown {
            command: self.name,
            namespace: self.namespace.clone(),
            source: Box::new(failure),
        }
    }
}
