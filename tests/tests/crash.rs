//! What is left behind when a process, a connection or a person ends the work at any request.
//!
//! Every fault is placed by counting requests, never by time: a gate in front of both servers picks
//! one request, and the moment before or after it is executed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a failure is repeated by its seed")]

#[path = "crash/cut.rs"]
mod cut;
#[path = "crash/double_kills.rs"]
mod double_kills;
#[path = "crash/export.rs"]
mod export;
#[path = "crash/import.rs"]
mod import;
#[path = "crash/interrupts.rs"]
mod interrupts;
#[path = "crash/slow_down.rs"]
mod slow_down;
#[path = "crash/upload.rs"]
mod upload;

use bson::RawDocumentBuf;
use lob_tests::servers::{Doubles, Servers};

/// The doubles behind these servers.
fn doubles(servers: &Servers) -> &Doubles {
    servers.doubles.as_ref().unwrap()
}

/// The names of the collections in the test's database, without the one that holds an import's
/// entries.
fn collections(servers: &Servers) -> Vec<String> {
    let found = doubles(servers).mongo.collections(&servers.database);
    let names = found.into_iter().map(|(name, _)| name);
    names.filter(|name| name != "__lob_progress").collect()
}

/// Fills a collection, bypassing all gates.
fn load(servers: &Servers, collection: &str, documents: &[RawDocumentBuf]) {
    let documents = documents.iter().cloned();
    let loaded = doubles(servers)
        .mongo
        .load(&servers.database, collection, documents);
    loaded.unwrap();
}

/// Whether the run with this manifest exists.
fn has(servers: &Servers, manifest: &str) -> bool {
    doubles(servers)
        .s3
        .object(&servers.bucket, manifest)
        .is_some()
}
