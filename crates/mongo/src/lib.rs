//! MongoDB for the tools: connect, list splits, scan, sample, insert into staging, swap.
//!
//! This is the only crate that names the MongoDB driver. Three rules hold everywhere in it:
//! documents stay raw bytes from the wire to the caller and back; every command is bounded in time
//! and its lost reply is settled by looking at what the server holds; and no error carries a part
//! of the connection string.

mod batch;
mod blueprint;
mod cluster_time;
mod collect;
mod collection;
mod command;
mod connection_string;
mod definition;
mod disk;
mod entries;
mod error;
mod expiry;
mod extended_json;
mod failure;
mod fields;
mod id;
mod id_order;
mod indexes;
mod insert;
mod outline;
mod ranges;
mod read_concern;
mod retry;
mod sample;
mod scan;
mod server;
mod settings;
mod size;
mod snapshot;
mod splits;
mod staging;
mod swap;
mod tls;
mod uri_options;
mod write_settings;

pub use batch::{BatchBuilder, BatchLimits, InsertBatch};
pub use blueprint::Blueprint;
pub use cluster_time::ClusterTime;
pub use collection::{Collection, MAX_NAMESPACE_BYTES};
pub use definition::Definition;
pub use entries::{Entries, FinishedFile, SplitImport, Target};
pub use error::{Cause, Error, Refusal, Result};
pub use id::DocumentId;
pub use outline::{Choice, Outline};
pub use ranges::{IdRange, MAX_RANGES, RangeSize};
pub use sample::{Sample, SampleSize};
pub use scan::{DocumentBatch, Scan, ScanOptions, ScanRange};
pub use server::{Database, Server};
pub use settings::{MongoArgs, MongoSettings};
pub use size::CollectionSize;
pub use splits::{CollectionPattern, SplitCollection};
pub use staging::{Opened, Staging};
pub use swap::{ExistingTarget, previous_name};
pub use write_settings::{WriteArgs, WriteConcern, WriteSettings};
