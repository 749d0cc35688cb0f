//! Many exports and imports while one in twenty requests fails: every one completes, with the right
//! documents.
//!
//! `LOB_SOAK_RUNS=100` sets the number of runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;

use bson::spec::BinarySubtype;
use bson::{Binary, RawDocumentBuf, rawdoc};
use futures::StreamExt as _;
use lob_testkit::bson_samples;
use lob_testkit::split_documents::SplitDocuments;
use lob_tests::faults::FaultCounts;
use lob_tests::servers::Servers;

/// How many runs are in flight at once.
const AT_ONCE: usize = 4;
const ORDINARY_RUNS: u64 = 4;
/// The share of requests that fails.
const SHARE: f64 = 0.05;

/// Many data files for split 0, and one of two parts for split 1.
const EXPORT: [&str; 18] = [
    "--run-id",
    "r1",
    "--ranges",
    "3",
    "--file-size",
    "60KiB",
    "--row-group-size",
    "20KiB",
    "--part-size",
    "5MiB",
    "--columns-sample",
    "20",
    "--read-ahead",
    "32KiB",
    "--compression",
    "none",
    "--attempt-timeout",
    "1s",
];
const IMPORT: [&str; 8] = [
    "--run-id",
    "r1",
    "--collection-pattern",
    "back_{N}",
    "--insert-batch-documents",
    "40",
    "--attempt-timeout",
    "1s",
];

/// A real MongoDB has a single fail point, so runs on it are sequential.
fn at_once() -> usize {
    match env::var_os("LOB_E2E_MONGODB_URI") {
        Some(_) => 1,
        None => AT_ONCE,
    }
}

/// Many small documents, a few that fill parts, and every oddity that the server keeps.
fn splits(servers: &Servers) -> [Vec<RawDocumentBuf>; 3] {
    let large = |id: i32| {
        let bytes = vec![id as u8; 3 << 20];
        let subtype = BinarySubtype::Generic;
        rawdoc! { "_id": id, "noise": Binary { subtype, bytes } }
    };
    [
        SplitDocuments::new(7, 40).take(500).collect(),
        (0..2).map(large).collect(),
        servers.kept(bson_samples::samples()),
    ]
}

/// Exports and imports under faults; returns how many there were.
async fn under_faults(seed: u64) -> FaultCounts {
    let (servers, mut faults) = Servers::with_faults(seed, SHARE).await;
    let splits = splits(&servers);
    for (split, documents) in splits.iter().enumerate() {
        let name = format!("split_{split}_input");
        servers.insert(&name, documents).await;
    }
    faults.begin().await;
    for (tool, arguments) in [("lob-export", &EXPORT[..]), ("lob-import", &IMPORT)] {
        let ended = servers.run(tool, arguments).await;
        let (status, stderr) = (ended.status, ended.stderr);
        assert_eq!(status, Some(0), "{tool}, seed {seed}\n{stderr}");
    }
    let count = faults.end().await;
    for (split, documents) in splits.iter().enumerate() {
        let name = format!("back_{split}");
        let back = servers.documents(&servers.database, &name).await;
        assert!(&back == documents, "split {split}, seed {seed}");
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn every_export_and_import_under_faults_completes_with_the_right_documents() {
    let runs = env::var("LOB_SOAK_RUNS").map_or(ORDINARY_RUNS, |runs| runs.parse().unwrap());
    let faults: Vec<_> = futures::stream::iter(0..runs)
        .map(under_faults)
        .buffer_unordered(at_once())
        .collect()
        .await;
    assert_eq!(faults.len() as u64, runs);
    let s3: u64 = faults.iter().map(|counts| counts.s3).sum();
    let mongo: u64 = faults.iter().map(|counts| counts.mongo).sum();
    println!("{s3} requests of S3 and {mongo} of MongoDB went wrong in {runs} runs");
    assert!(s3 > 0 && mongo > 0);
}
