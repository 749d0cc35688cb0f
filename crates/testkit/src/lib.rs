//! The servers, fixtures and helpers that lob-tools' tests and demo run on. Never shipped.
//!
//! They move real bytes over real sockets, and depend on nothing outside Rust.

pub mod bed;
pub mod bson_samples;
pub mod canaries;
pub mod command_line;
mod document_writer;
pub mod every_tool;
mod fate;
pub mod hints;
pub mod hostile_parquet;
mod http_client;
pub mod http_proxy;
pub mod left_behind;
pub mod manifests;
pub mod mongo;
mod notes;
pub mod parquet_files;
pub mod passwords;
pub mod peak_memory;
pub mod preload;
pub mod proxy;
pub mod real;
pub mod s3;
pub mod split_documents;
mod strikes;
pub mod tls;
pub mod wait;

pub use http_client::{http_client, http_client_trusting};
pub use notes::{TEST_NOTES, fault_fired, skipped};
