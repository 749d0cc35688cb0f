//! The collection that an import fills before it takes the target's place.
//!
//! It is created explicitly and identified by its UUID from then on, so nothing that arrives late
//! (such as an insert whose reply was lost) can recreate it after it was dropped, or hit another
//! collection with the same name.

use bson::RawDocumentBuf;
use lob_core::settings::ByteSize;
use uuid::Uuid;

use crate::collection::Collection;
use crate::error::Result;
use crate::scan::Scan;

/// A collection that only this import writes to.
#[derive(Debug, Clone)]
pub struct Staging {
    pub(crate) collection: Collection,
    pub(crate) write_concern: RawDocumentBuf,
    /// Whether the server can be told to leave zero Timestamps alone.
    pub(crate) keeps_zero_timestamps: bool,
    /// Whether the documents bypass the collection's validator.
    pub(crate) bypasses_validation: bool,
}

impl Staging {
    /// The collection's name.
    pub fn name(&self) -> &str {
        self.collection.name()
    }

    /// The collection's UUID, which it keeps through the swap.
    pub fn uuid(&self) -> Option<Uuid> {
        self.collection.uuid()
    }

    /// The exact number of documents as counted by the server. Never times out.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn count(&self) -> Result<u64> {
        self.collection.exact_count().await
    }

    /// The number of documents according to the server's metadata, which is wrong after a crash.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn estimated_count(&self) -> Result<u64> {
        self.collection.estimated_count().await
    }

    /// Starts to read it back: see [`Collection::read_back`].
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn scan(&self, queue: ByteSize) -> Result<Scan> {
        self.collection.read_back(queue).await
    }

    /// Whether it has taken the place of `target`.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn is_at(&self, target: &str) -> Result<bool> {
        Ok(self.at(target).await?.is_some())
    }

    /// The collection under the name `target`, if staging has taken that place.
    pub(crate) async fn at(&self, target: &str) -> Result<Option<Collection>> {
        let found = self.collection.database.collection(target).await?;
        Ok(found.filter(|found| found.uuid().is_some() && found.uuid() == self.uuid()))
    }

    /// Drops it. After a swap this leaves the target alone.
    ///
    /// # Errors
    /// The server does not answer or denies permission.
    pub async fn drop(&self) -> Result<()> {
        self.collection.drop(&self.write_concern).await
    }
}
