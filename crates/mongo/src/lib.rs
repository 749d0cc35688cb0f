//! MongoDB for the tools: connect, list splits, scan, sample, insert into staging, swap.
//!
//! This is the only crate that names the MongoDB driver. Three rules hold throughout: documents
//! stay raw bytes from the wire to the caller and back; every command is bounded in time, and if
//! its reply is lost, the outcome is settled by checking what the server holds; and no error
//! contains any part of the connection string.
//!
//! The modules build on each other: `staging` on `scan`, `scan` on `collection`, `collection` on
//! `server`, and all of them on `_id`s, documents and errors.

mod collection;
mod error;
mod extended_json;
mod fields;
mod id;
mod id_order;
mod scan;
mod server;
mod staging;

pub use collection::{
    Blueprint, Choice, Collection, CollectionPattern, CollectionSize, Cuts, Definition, Expiring,
    IdRange, MAX_NAMESPACE_BYTES, MAX_RANGES, RangeSize, Sample, SampleSize, SplitCollection,
    previous_name,
};
pub use error::{Cause, Error, Refusal, Result};
pub use id::DocumentId;
pub use scan::{DocumentBatch, Scan, ScanOptions, ScanRange};
pub use server::{ClusterTime, Database, MongoArgs, MongoSettings, Server, Shared};
pub use staging::{
    BatchBuilder, BatchLimits, Entries, ExistingTarget, FinishedFiles, InsertBatch, Opened,
    SplitImport, Staging, Target, WriteArgs, WriteConcern, WriteSettings,
};
