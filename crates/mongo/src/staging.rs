//! What an import writes: staging, its documents and entries, and the swap.

mod batch;
mod entries;
mod handle;
mod insert;
mod swap;
mod write_settings;

pub use batch::{BatchBuilder, BatchLimits, InsertBatch};
pub use entries::{Entries, FinishedFile, SplitImport, Target};
pub use handle::{Opened, Staging};
pub use swap::{ExistingTarget, previous_name};
pub use write_settings::{WriteArgs, WriteConcern, WriteSettings};
