//! What an import has done so far, kept in a collection next to the data: enough for the next
//! process to resume after one dies.
//!
//! One entry says that a collection is the staging of an import; one entry per data file says that
//! all its documents are acknowledged. All of them identify staging by its UUID, so entries for
//! another staging with the same name have no effect, and a target with this UUID means that the
//! swap took place.

use std::collections::{BTreeMap, BTreeSet};

use bson::{Bson, RawDocument, RawDocumentBuf, rawdoc};
use lob_core::checksum::Documents;
use uuid::Uuid;

use super::handle::Staging;
use super::write_settings::WriteSettings;
use crate::collection::Collection;
use crate::error::{Error, Refusal, Result, code, invalid};
use crate::server::{Command, Database, LISTED, documents};

/// The collection that holds the entries.
const NAME: &str = "__lob_progress";

/// One split of a run, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitImport {
    /// The hash of the run's manifest, and whatever else the documents depend on.
    pub manifest: String,
    /// The collection to replace.
    pub target: String,
    /// The collection to fill.
    pub staging: String,
}

/// What has the target's name.
#[derive(Debug, Clone)]
pub enum Target {
    /// Nothing.
    Missing,
    /// The former staging of the same import: the swap took place.
    InPlace,
    /// A collection that the swap would replace.
    Other(Collection),
}

/// The data files whose documents are all in staging: by their keys in the manifest, what was
/// acknowledged of each.
pub type FinishedFiles = BTreeMap<String, Documents>;

/// The entries in one database, written with the same write concern as the documents.
#[derive(Debug, Clone)]
pub struct Entries {
    pub(crate) database: Database,
    write_concern: RawDocumentBuf,
}

impl Entries {
    /// The entries of `database`; their collection need not exist.
    pub fn new(database: &Database, settings: &WriteSettings) -> Self {
        Self {
            database: database.clone(),
            write_concern: settings.write_concern_document(),
        }
    }

    /// What has the name of the target of `import`.
    ///
    /// # Errors
    /// The name belongs to a view, or the server does not answer.
    pub async fn target(&self, import: &SplitImport) -> Result<Target> {
        let Some(target) = self.database.collection(&import.target).await? else {
            return Ok(Target::Missing);
        };
        let stagings = self.stagings(import).await?;
        let is_in_place = target.uuid().is_some_and(|uuid| stagings.contains(&uuid));
        Ok(if is_in_place {
            Target::InPlace
        } else {
            Target::Other(target)
        })
    }

    /// Records that all documents of the data file `key` are acknowledged.
    ///
    /// # Errors
    /// The server does not answer or denies permission.
    pub async fn add_file(&self, staging: &Staging, key: &str, documents: Documents) -> Result<()> {
        let staging = staging.uuid().unwrap_or_default().to_string();
        self.add(rawdoc! {
            "_id": format!("{staging}/{key}"),
            "staging": staging,
            "file": key,
            "documents": i64::try_from(documents.count).map_err(invalid)?,
            "digest": documents.digest.to_string(),
        })
        .await
    }

    /// Removes all entries of these stagings. A single command removes the entries that identify
    /// them as staging, so it affects all of them or none. The collection of entries stays: another
    /// import may be about to write to it, and whatever it writes before a drop would be lost.
    ///
    /// # Errors
    /// The server does not answer or denies permission.
    pub async fn forget(&self, stagings: &[Uuid]) -> Result<()> {
        if stagings.is_empty() {
            return Ok(());
        }
        let stagings: bson::RawArrayBuf = stagings.iter().map(Uuid::to_string).collect();
        for field in ["staging", "_id"] {
            let mut filter = RawDocumentBuf::new();
            let name = bson::raw::CString::try_from(field).map_err(invalid)?;
            filter.append(name, rawdoc! { "$in": stagings.clone() });
            self.delete(filter).await?;
        }
        Ok(())
    }

    /// Records that a collection is the staging of `import`.
    pub(crate) async fn add_staging(&self, staging: Uuid, import: &SplitImport) -> Result<()> {
        self.add(rawdoc! {
            "_id": staging.to_string(),
            "manifest": import.manifest.as_str(),
            "target": import.target.as_str(),
        })
        .await
    }

    /// The UUIDs of the collections that are or were the staging of `import`.
    pub(crate) async fn stagings(&self, import: &SplitImport) -> Result<BTreeSet<Uuid>> {
        let filter = rawdoc! {
            "manifest": import.manifest.as_str(),
            "target": import.target.as_str(),
        };
        let read = |entry: &RawDocument| entry.get_str("_id").ok()?.parse().ok();
        Ok(self.find(filter, read).await?.into_iter().collect())
    }

    /// The data files that are in a staging collection.
    pub(crate) async fn files(&self, staging: Uuid) -> Result<FinishedFiles> {
        let read = |entry: &RawDocument| {
            let documents = Documents {
                count: entry.get_i64("documents").ok()?.try_into().ok()?,
                digest: entry.get_str("digest").ok()?.parse().ok()?,
            };
            Some((entry.get_str("file").ok()?.to_owned(), documents))
        };
        let filter = rawdoc! { "staging": staging.to_string() };
        Ok(self.find(filter, read).await?.into_iter().collect())
    }

    /// What `read` makes of the entries that `filter` selects. Anything that is not an entry of
    /// ours is skipped.
    async fn find<T>(
        &self,
        filter: RawDocumentBuf,
        read: impl Fn(&RawDocument) -> Option<T>,
    ) -> Result<Vec<T>> {
        let body = rawdoc! { "find": NAME, "filter": filter };
        let command = Command::new("find", self.database.namespace(NAME));
        let database = self.database.on_primary();
        let once = async || {
            let mut cursor = database.read(&command, body.clone(), LISTED).await?;
            let mut found = Vec::new();
            while let Some(reply) = database.next_reply(&command, &mut cursor).await? {
                for entry in documents(&reply)? {
                    found.extend(read(entry?));
                }
            }
            Ok(found)
        };
        database.server.retry(once).await
    }

    /// If the entry already exists, it was written by an attempt whose reply was lost, or by
    /// another process of the same import.
    async fn add(&self, entry: RawDocumentBuf) -> Result<()> {
        let body = rawdoc! {
            "insert": NAME,
            "documents": [entry],
            "writeConcern": self.write_concern.clone(),
        };
        self.write("insert", body).await
    }

    async fn delete(&self, filter: RawDocumentBuf) -> Result<()> {
        let body = rawdoc! {
            "delete": NAME,
            "deletes": [{ "q": filter, "limit": 0 }],
            "writeConcern": self.write_concern.clone(),
        };
        self.write("delete", body).await
    }

    async fn write(&self, name: &'static str, body: RawDocumentBuf) -> Result<()> {
        let namespace = self.database.namespace(NAME);
        let command = Command::new(name, namespace.clone());
        let once = async || {
            let reply = self.database.run(&command, body.clone()).await?;
            let errors = reply.get_array("writeErrors").into_iter().flatten();
            let errors = errors.filter_map(Bson::as_document);
            let errors = errors.map(|error| Refusal::read(error, &reply));
            match errors.into_iter().find(|e| e.code != code::DUPLICATE_KEY) {
                Some(source) => Err(Error::Refused {
                    command: name,
                    namespace: namespace.clone(),
                    hosts: self.database.server.hosts().to_owned(),
                    source,
                }),
                None => command.check_write_concern(&reply),
            }
        };
        self.database.server.retry(once).await
    }
}
