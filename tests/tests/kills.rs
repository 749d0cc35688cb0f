//! Exports and imports killed with `kill -9` at random moments, on real servers if the environment
//! names any: the same command finishes the work, and every document exists once, byte for byte.
//!
//! `LOB_KILLS` and `LOB_KILL_DOCUMENTS` (per split, of which there are two) make the test as long
//! and as large as needed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "kills/export.rs"]
mod export;
#[path = "kills/import.rs"]
mod import;
#[path = "kills/watch.rs"]
mod watch;
#[path = "kills/workers.rs"]
mod workers;

use bson::RawDocumentBuf;
use lob_testkit::split_documents::SplitDocuments;
use lob_tests::kills::setting;
use lob_tests::servers::Servers;

const FEATURES: usize = 100;
const SPLITS: usize = 2;

/// Many data files, each of several parts if there are many documents.
const EXPORT: [&str; 10] = [
    "--ranges",
    "4",
    "--file-size",
    "300KiB",
    "--row-group-size",
    "100KiB",
    "--columns-sample",
    "50",
    "--progress",
    "none",
];
const IMPORT: [&str; 4] = ["--insert-batch-documents", "50", "--progress", "none"];

/// Fills the collections to export; returns their documents.
async fn fill(servers: &Servers) -> Vec<Vec<RawDocumentBuf>> {
    let count = setting("LOB_KILL_DOCUMENTS").unwrap_or(800) as usize;
    let mut splits = Vec::new();
    for split in 0..SPLITS {
        let documents = SplitDocuments::new(split as u64, FEATURES).take(count + split);
        let documents: Vec<_> = documents.collect();
        let name = format!("split_{split}_input");
        servers.insert(&name, &documents).await;
        splits.push(documents);
    }
    splits
}

/// Asserts that the collections `{name}_{N}` hold these documents.
async fn assert_holds(servers: &Servers, name: &str, splits: &[Vec<RawDocumentBuf>]) {
    for (split, documents) in splits.iter().enumerate() {
        let name = format!("{name}_{split}");
        let found = servers.documents(&servers.database, &name).await;
        assert!(&found == documents, "`{name}` is not what was exported");
    }
}

/// Asserts that an import of the run restores these documents.
async fn assert_imports(servers: &Servers, run: &str, splits: &[Vec<RawDocumentBuf>]) {
    let pattern = format!("{run}_{{N}}");
    let import = ["--run-id", run, "--collection-pattern", &pattern];
    let import = [&import[..], &IMPORT].concat();
    servers.run("lob-import", &import).await.with_status(0);
    assert_holds(servers, run, splits).await;
}
