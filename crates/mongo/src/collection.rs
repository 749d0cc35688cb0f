//! What can be learnt of a collection in short queries: its sizes, its definition, its sample, and
//! where to cut it.

mod blueprint;
mod collect;
mod count;
mod definition;
mod expiry;
mod identity;
mod indexes;
mod outline;
mod ranges;
mod sample;
mod size;
mod snapshot;
mod splits;

pub use blueprint::Blueprint;
pub(crate) use count::is_empty;
pub use definition::Definition;
pub use expiry::Expiring;
pub(crate) use expiry::expiring_within;
pub use identity::{Collection, MAX_NAMESPACE_BYTES, previous_name};
pub(crate) use indexes::{Built, build};
pub use outline::{Choice, Outline};
pub use ranges::{IdRange, MAX_RANGES, RangeSize};
pub use sample::{Sample, SampleSize};
pub use size::CollectionSize;
pub use splits::{CollectionPattern, SplitCollection};

use crate::error::Result;
use crate::server::ClusterTime;

impl Collection {
    /// The size of the collection; one that does not exist has none.
    ///
    /// # Errors
    /// A server that does not answer, or does not tell.
    pub async fn size(&self) -> Result<CollectionSize> {
        CollectionSize::of(self).await
    }

    /// True if the documents lie on several servers by some key. Only a mongos is asked.
    ///
    /// # Errors
    /// As [`Collection::size`].
    pub async fn is_sharded(&self) -> Result<bool> {
        Ok(self.database.server.is_mongos && self.size().await?.is_sharded)
    }

    /// How many documents there are by the server's own books: good for progress, wrong after a
    /// crash.
    ///
    /// # Errors
    /// What [`Database::collection`](crate::Database::collection) says, or that the user may not
    /// read it.
    pub async fn estimated_count(&self) -> Result<u64> {
        count::estimated(self).await
    }

    /// How many documents there are, counted by walking the `_id` index. It takes as long as it
    /// takes: to give up would count them all again.
    ///
    /// # Errors
    /// See [`Collection::estimated_count`].
    pub async fn exact_count(&self) -> Result<u64> {
        count::exact(self).await
    }

    /// The indexes and options that the collection has now. What cannot be written down is told
    /// and left out.
    ///
    /// # Errors
    /// [`Error::Replaced`](crate::Error::Replaced) if the name stands for another collection now,
    /// or for none; a server that does not answer, or does not allow it.
    pub async fn definition(&self) -> Result<Definition> {
        Definition::of(self).await
    }

    /// A time at which this and every other collection of the server can be read from now on, as
    /// long as the server keeps that part of its history. It is not before the time that the reads
    /// of its database are after, and waited for until most members have come to it.
    ///
    /// # Errors
    /// [`Error::NoSnapshots`](crate::Error::NoSnapshots) where the server has none.
    pub async fn snapshot_time(&self) -> Result<ClusterTime> {
        snapshot::snapshot_time(self).await
    }

    /// Finds where to read `even` documents and where to cut into ranges. What stands in the way
    /// of it is said in a warning.
    ///
    /// # Errors
    /// [`Error::TooFewRanges`](crate::Error::TooFewRanges) where the collection cannot be cut as
    /// finely as was asked for by number; a server that does not answer, or a collection that was
    /// replaced.
    pub async fn outline(&self, even: u32, ranges: RangeSize) -> Result<Outline> {
        Outline::of(self, even, ranges).await
    }

    /// Reads the first documents and some all over the collection, where its outline says. The same
    /// collection has the same sample, unless its outline was chosen at random.
    ///
    /// # Errors
    /// A server that does not answer, or a collection that was replaced.
    pub async fn sample(&self, size: SampleSize, outline: &Outline) -> Result<Sample> {
        Sample::of(self, size, outline).await
    }
}
