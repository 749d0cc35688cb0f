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
pub use entries::{Entries, FinishedFiles, SplitImport, Target};
pub use handle::Staging;
pub use open::Opened;
pub use swap::ExistingTarget;
pub use write_settings::{WriteArgs, WriteConcern, WriteSettings};

use crate::collection::{Blueprint, Expiring, expiring_within};
use crate::error::Result;

impl Staging {
    /// Resumes the staging of `import`, or creates it empty. A non-empty collection with its name
    /// that no entry identifies as staging is dropped first.
    ///
    /// # Errors
    /// [`Error::NoUuid`](crate::Error::NoUuid) if the server gives collections no UUID. Otherwise,
    /// one of the names belongs to a view, or the server does not answer or denies permission.
    pub async fn open(
        entries: &Entries,
        import: &SplitImport,
        blueprint: &Blueprint,
        settings: &WriteSettings,
    ) -> Result<Opened> {
        open::open(entries, import, blueprint, settings).await
    }

    /// Stores every document of `batch` with the write concern of the settings, and returns their
    /// number.
    ///
    /// # Errors
    /// [`Error::DifferentDocument`](crate::Error::DifferentDocument) and
    /// [`Error::DocumentsRefused`](crate::Error::DocumentsRefused) for documents that cannot be
    /// stored, [`Error::ZeroTimestamp`](crate::Error::ZeroTimestamp) for one that the server would
    /// change, [`Error::Replaced`](crate::Error::Replaced) if staging is gone,
    /// [`Error::OutcomeUnknown`](crate::Error::OutcomeUnknown) if the server does not come back
    /// before the retries end.
    pub async fn insert(&self, batch: &InsertBatch) -> Result<u64> {
        insert::insert(self, batch).await
    }

    /// Builds the indexes of `blueprint`, except for TTL indexes, which would start to remove
    /// documents here. Never times out.
    ///
    /// # Errors
    /// [`Error::IndexRefused`](crate::Error::IndexRefused) if the documents violate an index or the
    /// server does not accept it; [`Error::Replaced`](crate::Error::Replaced) if staging is gone;
    /// otherwise, the server goes away.
    pub async fn build_indexes(&self, blueprint: &Blueprint) -> Result<()> {
        indexes::build_indexes(self, blueprint).await
    }

    /// Builds the TTL indexes once staging is at `target`.
    ///
    /// # Errors
    /// [`Error::Replaced`](crate::Error::Replaced) if it is not there; otherwise as for
    /// [`Staging::build_indexes`].
    pub async fn build_expiring_at(&self, target: &str, blueprint: &Blueprint) -> Result<()> {
        indexes::build_expiring_at(self, target, blueprint).await
    }

    /// The maximum number of documents that become old enough within this time to expire by an
    /// index of `blueprint`. The server reads all documents for this, as it does to build the
    /// index.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn expiring_within(&self, blueprint: &Blueprint, time: Duration) -> Result<Expiring> {
        expiring_within(&self.collection, blueprint, time).await
    }

    /// Renames staging to `target`; succeeds if it already has this name. Returns the name under
    /// which the old collection is kept, if there was one to keep.
    ///
    /// # Errors
    /// [`Error::TargetExists`](crate::Error::TargetExists) if it must not be replaced,
    /// [`Error::SwapLost`](crate::Error::SwapLost) if someone else renamed or dropped either
    /// collection, [`Error::OutcomeUnknown`](crate::Error::OutcomeUnknown) if the server does not
    /// come back before the retries end or does not confirm the write concern.
    pub async fn swap_into(
        &self,
        target: &str,
        existing: ExistingTarget,
    ) -> Result<Option<String>> {
        swap::swap_into(self, target, existing).await
    }
}
