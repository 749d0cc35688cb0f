//! The collection that an import fills before it takes the target's place.
//!
//! It is created explicitly and known by its UUID from then on, so nothing that arrives late (an
//! insert whose reply was lost, for instance) can bring it back to life after it was dropped, or
//! hit another collection of the same name.

use bson::{RawDocumentBuf, rawdoc};
use uuid::Uuid;

use crate::collection::Collection;
use crate::command::Command;
use crate::error::{Error, Result, code};
use crate::server::Database;
use crate::write_settings::WriteSettings;

/// A collection that only this import writes to.
#[derive(Debug, Clone)]
pub struct Staging {
    pub(crate) collection: Collection,
    pub(crate) write_concern: RawDocumentBuf,
    /// True if the server can be told to leave zero Timestamps alone.
    pub(crate) keeps_zero_timestamps: bool,
}

impl Staging {
    /// Creates the collection empty, without indexes, validator or collation. A leftover of the
    /// same name is dropped first.
    ///
    /// # Errors
    /// [`Error::NoUuid`] if the server gives collections none, a view of that name, or a server
    /// that does not answer or does not allow it. Nothing is left over then, unless the server is
    /// away.
    pub async fn create(database: &Database, name: &str, settings: &WriteSettings) -> Result<Self> {
        let write_concern = settings.write_concern_document();
        if let Some(leftover) = database.collection(name).await? {
            leftover.drop(&write_concern).await?;
        }
        let body = rawdoc! { "create": name, "writeConcern": write_concern.clone() };
        let command = Command::new("create", database.namespace(name));
        let created = database
            .server
            .retry(|| async {
                let reply = database.run(&command, body.clone()).await?;
                command.check_write_concern(&reply)
            })
            .await;
        // The name exists after our own lost reply, or because of another import of the same
        // manifest: it writes the very same documents.
        let staging = match created {
            Err(e) if e.code() != Some(code::NAMESPACE_EXISTS) => Err(e),
            _ => Self::find(database, name, write_concern.clone()).await,
        };
        if let Err(e) = &staging
            && !e.is_transient()
            && let Ok(Some(half_made)) = database.collection(name).await
            && let Err(error) = half_made.drop(&write_concern).await
        {
            tracing::warn!(%error, "staging may be left over");
        }
        staging
    }

    /// Takes the collection that was created and learns how to write to it.
    async fn find(database: &Database, name: &str, write_concern: RawDocumentBuf) -> Result<Self> {
        let Some(collection) = database.collection(name).await? else {
            return Err(Error::Replaced {
                namespace: database.namespace(name),
            });
        };
        if collection.uuid().is_none() {
            return Err(Error::NoUuid {
                namespace: collection.namespace(),
            });
        }
        let keeps_zero_timestamps = knows_zero_timestamps(&collection).await?;
        Ok(Self {
            collection,
            write_concern,
            keeps_zero_timestamps,
        })
    }

    /// The collection's name.
    pub fn name(&self) -> &str {
        self.collection.name()
    }

    /// The collection's UUID, which it keeps through the swap.
    pub fn uuid(&self) -> Option<Uuid> {
        self.collection.uuid()
    }

    /// How many documents the server counts in it, exactly.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn count(&self) -> Result<u64> {
        self.collection.exact_count().await
    }

    /// Drops it; after a swap this leaves the target alone.
    ///
    /// # Errors
    /// A server that does not answer or does not allow it.
    pub async fn drop(&self) -> Result<()> {
        self.collection.drop(&self.write_concern).await
    }
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
