//! What the three tools share: S3 settings and store, checksums, runs, progress, metrics and the
//! plumbing of a command line.
//!
//! This crate knows nothing of the tools, of MongoDB or of Parquet. Only `store` names the S3 SDK.

pub mod address;
pub mod bucket;
pub mod byte_size;
pub mod cli;
pub mod counted;
pub mod crc;
pub mod endpoint_url;
pub mod failure;
pub mod flow;
pub mod hash;
pub mod interrupt;
pub mod manifest;
pub mod metrics;
pub mod multipart;
pub mod object_settings;
pub mod part;
pub mod part_settings;
pub mod percent;
mod printable;
pub mod progress;
pub mod redact;
pub mod report;
pub mod run;
pub mod s3_settings;
pub mod settings;
pub mod shrink;
pub mod split_selection;
pub mod statistics;
pub mod store;
pub mod trust;
