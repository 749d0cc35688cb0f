//! What the three tools share: S3 settings and store, checksums, runs, progress, metrics and the
//! plumbing of a command line.
//!
//! This crate knows nothing about the tools, MongoDB or Parquet. Only `store` uses the S3 SDK.

pub mod checksum;
pub mod cli;
pub mod failure;
pub mod interrupt;
pub mod limiter;
pub mod manifest;
pub mod metrics;
pub mod progress;
pub mod run;
pub mod settings;
pub mod shared_file;
pub mod store;
pub mod text;
pub mod transfer;
pub mod trust;
