//! A collection known by name and UUID, and what can be learnt of it in short queries.

mod blueprint;
mod collect;
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
pub use definition::Definition;
pub(crate) use identity::number;
pub use identity::{Collection, MAX_NAMESPACE_BYTES};
pub use outline::{Choice, Outline};
pub use ranges::{IdRange, MAX_RANGES, RangeSize};
pub use sample::{Sample, SampleSize};
pub use size::CollectionSize;
pub(crate) use snapshot::{expired, pin};
pub use splits::{CollectionPattern, SplitCollection};
