//! What short queries can tell about a collection: its size, its definition, a sample, and where to
//! cut it into ranges.

mod blueprint;
mod collect;
mod count;
mod cuts;
mod definition;
mod expiry;
mod id_range;
mod identity;
mod indexes;
mod sample;
mod size;
mod snapshot;
mod splits;

pub use blueprint::Blueprint;
pub(crate) use count::is_empty;
pub use cuts::{Choice, Cuts};
pub use definition::Definition;
pub use expiry::Expiring;
pub(crate) use expiry::expiring_within;
pub(crate) use id_range::ids_after;
pub use id_range::{IdRange, MAX_RANGES, RangeSize};
pub use identity::{Collection, MAX_NAMESPACE_BYTES, previous_name};
pub(crate) use indexes::{Built, build};
pub use sample::{Sample, SampleSize};
pub use size::CollectionSize;
pub use splits::{CollectionPattern, SplitCollection};

use crate::error::Result;
use crate::server::ClusterTime;

impl Collection {
    /// The size of the collection. A collection that does not exist has size zero.
    ///
    /// # Errors
    /// The server does not answer, or does not report the size.
    pub async fn size(&self) -> Result<CollectionSize> {
        CollectionSize::of(self).await
    }

    /// Whether the documents are distributed over several servers by a shard key. Only a mongos is
    /// asked.
    ///
    /// # Errors
    /// As for [`Collection::size`].
    pub async fn is_sharded(&self) -> Result<bool> {
        Ok(self.database.server.is_mongos && self.size().await?.is_sharded)
    }

    /// The number of documents according to the server's metadata: good enough for progress, wrong
    /// after a crash.
    ///
    /// # Errors
    /// As for [`Database::collection`](crate::Database::collection), or the user may not read the
    /// collection.
    pub async fn estimated_count(&self) -> Result<u64> {
        count::estimated(self).await
    }

    /// The number of documents, counted by walking the `_id` index. It never times out: giving up
    /// would mean counting them all again.
    ///
    /// # Errors
    /// As for [`Collection::estimated_count`].
    pub async fn exact_count(&self) -> Result<u64> {
        count::exact(self).await
    }

    /// The current indexes and options of the collection. Whatever cannot be written down is left
    /// out with a warning.
    ///
    /// # Errors
    /// [`Error::Replaced`](crate::Error::Replaced) if the name now belongs to another collection,
    /// or to none. Otherwise, the server does not answer or denies permission.
    pub async fn definition(&self) -> Result<Definition> {
        Definition::of(self).await
    }

    /// A time at which this and every other collection on the server can be read from now on, as
    /// long as the server keeps that part of its history. It is no earlier than the time after
    /// which this database reads, and the call waits until most members have reached it.
    ///
    /// # Errors
    /// [`Error::NoSnapshots`](crate::Error::NoSnapshots) if the server has no snapshots.
    pub async fn snapshot_time(&self) -> Result<ClusterTime> {
        snapshot::snapshot_time(self).await
    }

    /// Finds where to read `even` documents and where to cut the collection into ranges. Warns
    /// about whatever prevents that.
    ///
    /// # Errors
    /// [`Error::TooFewRanges`](crate::Error::TooFewRanges) if the collection cannot be cut into the
    /// requested number of ranges. Otherwise, the server does not answer or the collection was
    /// replaced.
    pub async fn cuts(&self, even: u32, ranges: RangeSize) -> Result<Cuts> {
        Cuts::of(self, even, ranges).await
    }

    /// Reads the first documents, and some from all over the collection at its cuts. The same
    /// collection yields the same sample, unless its cuts were chosen at random.
    ///
    /// # Errors
    /// The server does not answer, or the collection was replaced.
    pub async fn sample(&self, size: SampleSize, cuts: &Cuts) -> Result<Sample> {
        Sample::of(self, size, cuts).await
    }
}
