//! `kill -9` of exports and imports at random moments, on real servers where the environment names
//! some: the same command finishes the work, and every document is there once, byte for byte.
//!
//! `LOB_KILLS` and `LOB_KILL_DOCUMENTS` (in each of two splits) make it as long and as large as one
//! likes.

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

/// Many data files, of some parts each where there are many documents.
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

/// Fills the collections to export; returns what they hold.
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

/// The collections `{name}_{N}` hold these documents.
async fn assert_holds(servers: &Servers, name: &str, splits: &[Vec<RawDocumentBuf>]) {
    for (split, documents) in splits.iter().enumerate() {
        let name = format!("{name}_{split}");
        let found = servers.documents(&servers.database, &name).await;
        assert!(&found == documents, "`{name}` is not what was exported");
    }
}

/// An import of the run brings back these documents.
async fn assert_imports(servers: &Servers, run: &str, splits: &[Vec<RawDocumentBuf>]) {
    let pattern = format!("{run}_{{N}}");
    let import = ["--run-id", run, "--collection-pattern", &pattern];
    let import = [&import[..], &IMPORT].concat();
    servers.run("lob-import", &import).await.with_status(0);
    assert_holds(servers, run, splits).await;
}
