//! What an import writes: staging, its documents and entries, and the swap.

mod batch;
mod entries;
mod handle;
mod indexes;
mod insert;
mod open;
mod swap;
mod write_settings;

use std::time::Duration;

pub use batch::{BatchBuilder, BatchLimits, InsertBatch};
pub use entries::{Entries, FinishedFile, SplitImport, Target};
pub use handle::Staging;
pub use open::Opened;
pub use swap::ExistingTarget;
pub use write_settings::{WriteArgs, WriteConcern, WriteSettings};

use crate::collection::{Blueprint, Expiring, expiring_within};
use crate::error::Result;

impl Staging {
    /// Takes up the staging of `import`, or creates it empty. A collection of its name that is not
    /// empty, and that no entry says to be staging, is dropped first.
    ///
    /// # Errors
    /// [`Error::NoUuid`](crate::Error::NoUuid) if the server gives collections none, a view of one
    /// of the names, or a server that does not answer or does not allow it.
    pub async fn open(
        entries: &Entries,
        import: &SplitImport,
        blueprint: &Blueprint,
        settings: &WriteSettings,
    ) -> Result<Opened> {
        open::open(entries, import, blueprint, settings).await
    }

    /// Stores every document of `batch` with the write concern of the settings; returns how many
    /// that are.
    ///
    /// # Errors
    /// [`Error::DifferentDocument`](crate::Error::DifferentDocument) and
    /// [`Error::DocumentsRefused`](crate::Error::DocumentsRefused) for documents that cannot be
    /// stored, [`Error::ZeroTimestamp`](crate::Error::ZeroTimestamp) for one that the server would
    /// change, [`Error::Replaced`](crate::Error::Replaced) if staging is gone,
    /// [`Error::OutcomeUnknown`](crate::Error::OutcomeUnknown) if the server does not come back
    /// within the retries.
    pub async fn insert(&self, batch: &InsertBatch) -> Result<u64> {
        insert::insert(self, batch).await
    }

    /// Builds the indexes of `blueprint` but the TTL indexes: they would do so
    /// here. It takes as long as it takes.
    ///
    /// # Errors
    /// [`Error::IndexRefused`](crate::Error::IndexRefused) if the documents violate one, or the
    /// server does not take it; [`Error::Replaced`](crate::Error::Replaced) if staging is gone; a
    /// server that goes away.
    pub async fn build_indexes(&self, blueprint: &Blueprint) -> Result<()> {
        indexes::build_indexes(self, blueprint).await
    }

    /// Builds the TTL indexes, when staging is at `target`.
    ///
    /// # Errors
    /// [`Error::Replaced`](crate::Error::Replaced) if it is not there; as
    /// [`Staging::build_indexes`].
    pub async fn build_expiring_at(&self, target: &str, blueprint: &Blueprint) -> Result<()> {
        indexes::build_expiring_at(self, target, blueprint).await
    }

    /// How many documents at most are old enough to expire within this time by an index of `blueprint`. The
    /// server reads all documents for it, as it does to build the index.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn expiring_within(&self, blueprint: &Blueprint, time: Duration) -> Result<Expiring> {
        expiring_within(&self.collection, blueprint, time).await
    }

    /// Renames staging to `target`; that it has this name already is success. Returns the name
    /// under which the old collection is kept, if there was one to be kept.
    ///
    /// # Errors
    /// [`Error::TargetExists`](crate::Error::TargetExists) where it must not be replaced,
    /// [`Error::SwapLost`](crate::Error::SwapLost) if someone else renamed or dropped one of the
    /// two, [`Error::OutcomeUnknown`](crate::Error::OutcomeUnknown) if the server does not come
    /// back within the retries or does not confirm the write concern.
    pub async fn swap_into(
        &self,
        target: &str,
        existing: ExistingTarget,
    ) -> Result<Option<String>> {
        swap::swap_into(self, target, existing).await
    }
}
