//! What the three tools share: S3 settings and store, checksums, runs, progress, metrics and the
//! plumbing of a command line.
//!
//! This crate knows nothing of the tools, of MongoDB or of Parquet. Only `store` names the S3 SDK.

pub mod failure;
pub mod redact;
pub mod crc;
pub mod hash;
pub mod metrics;
pub mod statistics;
mod retry;
pub mod s3_settings;
pub mod store;
pub mod multipart;
pub mod part;
pub mod cli;
pub mod interrupt;
pub mod progress;
pub mod report;
pub mod settings;
pub mod manifest;
pub mod run;
