//! Exports of collections that change meanwhile: a document present throughout is exported once,
//! and a collection that is dropped or replaced is never mistaken for the planned one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "live/gone.rs"]
mod gone;
#[path = "live/writers.rs"]
mod writers;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use bson::{RawDocumentBuf, rawdoc};
use lob_tests::servers::Servers;

use crate::writers::{DOCUMENTS, Life, write};

/// Many ranges and as little read-ahead as possible, so that the scan takes as long as the export.
const EXPORT: [&str; 10] = [
    "--run-id",
    "r1",
    "--ranges",
    "8",
    "--read-ahead",
    "16KiB",
    "--file-size",
    "300KiB",
    "--row-group-size",
    "50KiB",
];

/// One version of a document; versions differ in size.
fn document(id: i32, version: i32) -> RawDocumentBuf {
    let text = "x".repeat(100 + version as usize % 10 * 100);
    rawdoc! { "_id": id, "role": "train", "version": version, "text": text }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_present_throughout_an_export_appear_once_others_at_most_once() {
    let servers = Servers::start().await;
    let first = (0..DOCUMENTS).filter(|&id| Life::of(id) != Life::Comes);
    let documents: Vec<_> = first.map(|id| document(id, 0)).collect();
    servers.insert("split_0_input", &documents).await;

    let is_over = AtomicBool::new(false);
    let export = async {
        let ended = servers.run("lob-export", &EXPORT).await;
        is_over.store(true, Ordering::Relaxed);
        ended.with_status(0);
    };
    let ((), written) = tokio::join!(export, write(&servers, "split_0_input", &is_over));

    let import = ["--run-id", "r1", "--collection-pattern", "back_{N}"];
    servers.run("lob-import", &import).await.with_status(0);
    let back = servers.documents(&servers.database, "back_0").await;
    // A duplicate document would be counted twice.
    let split = &servers.manifest("r1").await["splits"][0];
    assert_eq!(split["num_documents"], back.len());
    let mut versions = BTreeMap::new();
    for found in back {
        let id = found.get_i32("_id").unwrap();
        let version = found.get_i32("version").unwrap();
        let last = written.versions.get(&id).copied().unwrap_or(0);
        assert!(found == document(id, version) && version <= last, "{id}");
        versions.insert(id, version);
    }
    let lives = |id: &i32| matches!(Life::of(*id), Life::Stays | Life::Changes);
    let missing = (0..DOCUMENTS).filter(|id| lives(id) && !versions.contains_key(id));
    assert_eq!(missing.collect::<Vec<_>>(), [0; 0]);
    // Writes happened while the documents were being read.
    let changed = versions.values().filter(|&&version| version > 0).count();
    println!(
        "{} writes, {changed} documents changed before",
        written.writes
    );
    assert!(changed > 0 && changed < versions.len());
    lob_testkit::fault_fired("E13");
}
