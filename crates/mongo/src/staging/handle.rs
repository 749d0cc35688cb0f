//! The collection that an import fills before it takes the target's place.
//!
//! It is created explicitly and known by its UUID from then on, so nothing that arrives late (an
//! insert whose reply was lost, for instance) can bring it back to life after it was dropped, or
//! hit another collection of the same name.

use bson::{RawDocumentBuf, rawdoc};
use lob_core::byte_size::ByteSize;
use uuid::Uuid;

use super::entries::{Entries, FinishedFile, SplitImport};
use super::write_settings::WriteSettings;
use crate::collection::Blueprint;
use crate::collection::Collection;
use crate::error::{Error, Result, code};
use crate::id::invalid;
use crate::scan::Scan;
use crate::server::Command;
use crate::server::Database;

/// A collection that only this import writes to.
#[derive(Debug, Clone)]
pub struct Staging {
    pub(crate) collection: Collection,
    pub(crate) write_concern: RawDocumentBuf,
    /// True if the server can be told to leave zero Timestamps alone.
    pub(crate) keeps_zero_timestamps: bool,
    /// True if the documents need not pass the collection's validator.
    pub(crate) bypasses_validation: bool,
}

/// What an import finds where its staging should be.
#[derive(Debug)]
pub enum Opened {
    /// Staging, and the data files that an earlier process, or another one, has put into it.
    Staging(Staging, Vec<FinishedFile>),
    /// What was staging of this import is at the target: the swap took place.
    InPlace(Staging),
}

impl Staging {
    /// Takes up the staging of `import`, or creates it empty. A collection of its name that is not
    /// empty, and that no entry says to be staging, is dropped first.
    ///
    /// # Errors
    /// [`Error::NoUuid`] if the server gives collections none, a view of one of the names, or a
    /// server that does not answer or does not allow it.
    pub async fn open(
        entries: &Entries,
        import: &SplitImport,
        blueprint: &Blueprint,
        settings: &WriteSettings,
    ) -> Result<Opened> {
        let database = &entries.database;
        let write_concern = settings.write_concern_document();
        let found = database.collection(&import.staging).await?;
        let is_empty = match &found {
            Some(found) => found.is_empty().await?,
            None => true,
        };
        // Asked after that: who fills staging has said before that it is.
        let recorded = entries.stagings(import).await?;
        let is_recorded = |found: &Collection| found.uuid().is_some_and(|u| recorded.contains(&u));
        let staging = |collection, keeps_zero_timestamps| Self {
            collection,
            write_concern: write_concern.clone(),
            keeps_zero_timestamps,
            bypasses_validation: blueprint.has_validator(),
        };
        if let Some(target) = database.collection(&import.target).await?
            && is_recorded(&target)
        {
            return Ok(Opened::InPlace(staging(target, false)));
        }
        let collection = match found {
            Some(found) if is_empty || is_recorded(&found) => found,
            found => {
                if let Some(leftover) = found {
                    entries.forget(leftover.uuid().as_slice()).await?;
                    leftover.drop(&write_concern).await?;
                }
                create(database, &import.staging, blueprint, &write_concern).await?
            }
        };
        let Some(uuid) = collection.uuid() else {
            let namespace = collection.namespace();
            collection.drop(&write_concern).await?;
            return Err(Error::NoUuid { namespace });
        };
        if !is_recorded(&collection) {
            entries.add_staging(uuid, import).await?;
        }
        // What is neither staging nor at the target was dropped by somebody.
        let gone: Vec<_> = recorded.into_iter().filter(|old| *old != uuid).collect();
        entries.forget(&gone).await?;
        let keeps_zero_timestamps = knows_zero_timestamps(&collection).await?;
        let staging = staging(collection, keeps_zero_timestamps);
        Ok(Opened::Staging(staging, entries.files(uuid).await?))
    }

    /// The collection's name.
    pub fn name(&self) -> &str {
        self.collection.name()
    }

    /// The collection's UUID, which it keeps through the swap.
    pub fn uuid(&self) -> Option<Uuid> {
        self.collection.uuid()
    }

    /// How many documents the server counts in it, exactly, which takes as long as it takes.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn count(&self) -> Result<u64> {
        self.collection.exact_count().await
    }

    /// How many documents there are by the server's own books, which a crash makes wrong.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn estimated_count(&self) -> Result<u64> {
        self.collection.estimated_count().await
    }

    /// Starts to read it back: see [`Collection::read_back`].
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn scan(&self, queue: ByteSize) -> Result<Scan> {
        self.collection.read_back(queue).await
    }

    /// True if it has taken the place of `target`.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn is_at(&self, target: &str) -> Result<bool> {
        Ok(self.at(target).await?.is_some())
    }

    /// The collection under the name of `target`, if it has taken that place.
    pub(crate) async fn at(&self, target: &str) -> Result<Option<Collection>> {
        let found = self.collection.database.collection(target).await?;
        Ok(found.filter(|found| found.uuid().is_some() && found.uuid() == self.uuid()))
    }

    /// Drops it; after a swap this leaves the target alone.
    ///
    /// # Errors
    /// A server that does not answer or does not allow it.
    pub async fn drop(&self) -> Result<()> {
        self.collection.drop(&self.write_concern).await
    }
}

/// Creates a collection without indexes.
async fn create(
    database: &Database,
    name: &str,
    blueprint: &Blueprint,
    write_concern: &RawDocumentBuf,
) -> Result<Collection> {
    let mut body = rawdoc! { "create": name, "writeConcern": write_concern.clone() };
    for option in &blueprint.raw_options()? {
        let (name, value) = option.map_err(invalid)?;
        body.append(name, value);
    }
    let command = Command::new("create", database.namespace(name));
    let created = database
        .server
        .retry(|| async {
            let reply = database.run(&command, body.clone()).await?;
            command.check_write_concern(&reply)
        })
        .await;
    match created {
        // After our own lost reply, or because of another import of the same manifest: it writes
        // the very same documents.
        Err(e) if e.code() == Some(code::NAMESPACE_EXISTS) => {}
        created => created?,
    }
    let created = database.collection(name).await?;
    created.ok_or_else(|| Error::Replaced {
        namespace: database.namespace(name),
    })
}

/// Asks by an insert of no documents: MongoDB refuses their number, but only after it has read the
/// command's fields. Any other answer means that the server may not know
/// `bypassEmptyTsReplacement`.
async fn knows_zero_timestamps(collection: &Collection) -> Result<bool> {
    let mut body = rawdoc! {
        "insert": collection.name(),
        "documents": [],
        "bypassEmptyTsReplacement": true,
    };
    collection.database.pin(&mut body, collection.uuid());
    let command = Command::new("insert", collection.namespace());
    match collection
        .database
        .server
        .retry(|| collection.database.run(&command, body.clone()))
        .await
    {
        Ok(_) => Ok(false),
        Err(Error::Refused { source, .. }) if !source.is_transient() => {
            Ok(source.code == code::INVALID_LENGTH)
        }
        Err(e) => Err(e),
    }
}
