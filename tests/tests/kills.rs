//! `kill -9` of exports and imports at random moments, on real servers where the environment names
//! some: the same command finishes the work, and every document is there once, byte for byte.
//!
//! `LOB_KILLS` and `LOB_KILL_DOCUMENTS` (in each of two splits) make it as long and as large as one
//! likes, and `LOB_KILL_SEED` repeats the moments of an earlier run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "kills/export.rs"]
mod export;
#[path = "kills/import.rs"]
mod import;
#[path = "kills/watch.rs"]
mod watch;
#[path = "kills/workers.rs"]
mod workers;

use std::env;
use std::time::{Duration, Instant, SystemTime};

use bson::RawDocumentBuf;
use lob_testkit::split_documents::SplitDocuments;
use lob_tests::servers::Servers;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

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

fn setting(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap())
}

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

/// The seed of the moments: that of an earlier run, or one of its own, for the test to print.
fn seed() -> u64 {
    let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    setting("LOB_KILL_SEED").unwrap_or_else(now)
}

/// As many moments as there are kills, each in the course of work that takes `whole`.
fn moments(seed: u64, whole: Duration) -> Vec<Duration> {
    let mut random = StdRng::seed_from_u64(seed);
    let kills = setting("LOB_KILLS").unwrap_or(4);
    let moment = |_| whole.mul_f64(random.random());
    (0..kills).map(moment).collect()
}

/// Runs a tool to its end, and says how long that takes.
async fn undisturbed(servers: &Servers, tool: &str, arguments: &[&str]) -> Duration {
    let begin = Instant::now();
    servers.run(tool, arguments).await.with_status(0);
    begin.elapsed()
}

/// Starts a tool and kills it after some time; it may be done by then.
async fn kill(servers: &Servers, tool: &str, arguments: &[&str], moment: Duration) {
    let mut child = servers.spawn(tool, arguments);
    tokio::time::sleep(moment).await;
    let _ = child.start_kill().is_ok();
    child.wait().await.unwrap();
}

/// The command that was killed does what it should when it is given again.
async fn repeat(servers: &Servers, tool: &str, arguments: &[&str], moment: Duration) {
    let ended = servers.run(tool, arguments).await;
    let (status, stderr) = (ended.status, ended.stderr);
    assert_eq!(status, Some(0), "killed after {moment:?}\n{stderr}");
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
