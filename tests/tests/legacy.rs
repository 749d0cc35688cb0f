//! Legacy runs import as they are: PySpark made the sample, and next to it is what PySpark reads
//! from it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bson::{DateTime, RawArrayBuf, RawDocumentBuf, oid::ObjectId, rawdoc};
use lob_testkit::mongo::{Command, Moment, Verdict};
use lob_tests::servers::{Gates, Servers};
use serde_json::Value;

const RUN: &str = "20251115_093000";
const IMPORT: [&str; 4] = ["--run-id", RUN, "--collection-pattern", "back_{N}"];
const TARGETS: [&str; 3] = ["back_0", "back_1", "back_2"];

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/legacy-run")
}

/// The keys of the sample, and its files.
fn objects() -> Vec<(String, PathBuf)> {
    let run = fixture().join("processed-splits").join(RUN);
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let files = entries(&run)
        .into_iter()
        .flat_map(|folder| entries(&folder));
    let key = |path: PathBuf| {
        let key = path.strip_prefix(fixture()).unwrap();
        (key.to_str().unwrap().to_owned(), path)
    };
    files.map(key).collect()
}

/// Starts servers with the sample in the bucket.
async fn servers() -> Servers {
    with_sample(Servers::start().await).await
}

async fn with_sample(servers: Servers) -> Servers {
    for (key, path) in objects() {
        servers.overwrite(&key, std::fs::read(path).unwrap()).await;
    }
    servers
}

/// A data file of split 1.
fn data_file() -> (String, Vec<u8>) {
    let mut objects = objects().into_iter();
    let (key, path) = objects
        .find(|(key, _)| key.contains("split_1.parquet/part-00001"))
        .unwrap();
    (key, std::fs::read(path).unwrap())
}

/// The documents of a split as PySpark reads them, in id order.
fn expected(split: usize) -> Vec<RawDocumentBuf> {
    let read = std::fs::read(fixture().join("expected.json")).unwrap();
    let read: Value = serde_json::from_slice(&read).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let document = |(id, row): (&String, &Value)| {
        let mut features = RawArrayBuf::new();
        for double in text(&row["features"]).as_bytes().chunks(16) {
            let bits = u64::from_str_radix(std::str::from_utf8(double).unwrap(), 16).unwrap();
            features.push(f64::from_bits(bits.swap_bytes()));
        }
        rawdoc! {
            "_id": ObjectId::parse_str(id).unwrap(),
            "features": features,
            "fold_id": i32::try_from(row["fold_id"].as_i64().unwrap()).unwrap(),
            "fold_type": text(&row["fold_type"]),
            "role": text(&row["role"]),
            "timestamp": DateTime::from_millis(row["timestamp"].as_i64().unwrap()),
            "timestamp_str": text(&row["timestamp_str"]),
        }
    };
    let rows = read[split.to_string()]["rows"].as_object().unwrap();
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by_key(|(id, _)| *id);
    rows.into_iter().map(document).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_run_imports_as_pyspark_reads_it() {
    let servers = servers().await;
    let imported = servers.run("lob-import", &IMPORT).await.with_status(0);
    let aloud = "is a legacy run: only its counts";
    assert!(imported.stderr.contains(aloud), "{}", imported.stderr);
    for (split, target) in TARGETS.into_iter().enumerate() {
        let found = servers.documents(&servers.database, target).await;
        assert_eq!(found.len(), 60);
        assert_eq!(found, expected(split));
    }
    assert_eq!(servers.collections(&servers.database).await, TARGETS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_file_without_rows_adds_nothing() {
    let servers = servers().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/legacy-files");
    for name in ["pyarrow-empty", "duckdb-empty"] {
        let key = format!("processed-splits/{RUN}/split_1.parquet/part-00009-{name}.parquet");
        let part = std::fs::read(folder.join(format!("{name}.parquet"))).unwrap();
        servers.overwrite(&key, part).await;
    }
    let split = [&IMPORT[..], &["--split", "1"]].concat();
    servers.run("lob-import", &split).await.with_status(0);
    let found = servers.documents(&servers.database, "back_1").await;
    assert_eq!(found, expected(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn legacy_runs_are_listed_and_may_be_the_latest() {
    let servers = servers().await;
    let listed = servers.run("lob-import", &["list"]).await.with_status(0);
    let line =
        format!("{RUN}  2025-11-15T00:00:00Z  3 splits  180 documents  by the legacy scripts\n");
    assert_eq!(listed.stdout, line);
    let latest = [
        "--latest",
        "--split",
        "2",
        "--collection-pattern",
        "back_{N}",
    ];
    servers.run("lob-import", &latest).await.with_status(0);
    assert_eq!(servers.collections(&servers.database).await, ["back_2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn legacy_ids_stay_text_on_request() {
    let servers = servers().await;
    let strings = [&IMPORT[..], &["--legacy-ids", "string", "--split", "0"]].concat();
    servers.run("lob-import", &strings).await.with_status(0);
    let found = servers.documents(&servers.database, "back_0").await;
    for (found, expected) in found.iter().zip(expected(0)) {
        let id = expected.get_object_id("_id").unwrap().to_hex();
        assert_eq!(found.get_str("_id").unwrap(), id);
    }
    assert_eq!(found.len(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_with_other_legacy_ids_does_not_resume_staging() {
    let refused = AtomicBool::new(false);
    let gate = move |at: Moment, command: &Command| match (at, command.name.as_str()) {
        // Not authorised.
        (Moment::Arrived, "renameCollection") if !refused.swap(true, Ordering::Relaxed) => {
            Verdict::Answer { code: 13 }
        }
        _ => Verdict::Pass,
    };
    let gates = Gates {
        mongo: Some(Arc::new(gate)),
        ..Gates::default()
    };
    let servers = with_sample(Servers::doubles(gates).await).await;
    let first = [&IMPORT[..], &["--split", "0"]].concat();
    servers.run("lob-import", &first).await.with_status(1);
    let names = servers.collections(&servers.database).await;
    assert_eq!(names.len(), 1, "{names:?}");
    let second = [&first[..], &["--legacy-ids", "string"]].concat();
    servers.run("lob-import", &second).await.with_status(0);
    let found = servers.documents(&servers.database, "back_0").await;
    assert_eq!(found.len(), 60);
    assert!(found.iter().all(|found| found.get_str("_id").is_ok()));
    assert_eq!(servers.collections(&servers.database).await, ["back_0"]);
}

/// Runs an import that must leave its targets unchanged; returns what it printed.
async fn refused(servers: &Servers, status: i32) -> String {
    let old = [bson::rawdoc! { "_id": 1, "old": true }];
    for target in TARGETS {
        servers.insert(target, &old).await;
    }
    let refused = servers.run("lob-import", &IMPORT).await.with_status(status);
    for target in TARGETS {
        assert_eq!(servers.documents(&servers.database, target).await, old);
    }
    // Splits that are intact may remain in staging.
    let mut names = servers.collections(&servers.database).await;
    names.retain(|name| !name.contains("__lob_"));
    assert_eq!(names, TARGETS);
    refused.stderr
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_foreign_file_in_a_legacy_run_is_refused() {
    let (key, whole) = data_file();
    let mut flipped = whole.clone();
    flipped[1000] ^= 4;
    let cut = whole[..whole.len() - 1].to_vec();
    let foreign = b"not Parquet at all".to_vec();
    for (damaged, problem) in [
        (flipped, "a page's CRC does not match"),
        (cut, "does not end with PAR1"),
        (foreign, "does not begin with PAR1"),
    ] {
        let servers = servers().await;
        servers.overwrite(&key, damaged).await;
        let error = refused(&servers, 3).await;
        assert!(error.contains(problem), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn legacy_counts_must_match_exactly_unless_a_tolerance_is_given() {
    let servers = servers().await;
    let (key, _) = data_file();
    let delete = servers.s3.delete_object().bucket(&servers.bucket).key(&key);
    delete.send().await.unwrap();
    let error = refused(&servers, 3).await;
    assert!(error.contains("30, the manifest says 60"), "{error}");

    let tolerant = [&IMPORT[..], &["--count-tolerance", "50"]].concat();
    let imported = servers.run("lob-import", &tolerant).await.with_status(0);
    let aloud = "split 1 has 30 documents, the manifest says 60";
    assert!(imported.stderr.contains(aloud), "{}", imported.stderr);
    let found = servers.documents(&servers.database, "back_1").await;
    assert_eq!(found.len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn legacy_statistics_that_do_not_match_their_checksum_are_refused() {
    let servers = servers().await;
    let mut objects = objects().into_iter();
    let is_manifest = |key: &str| key.contains("manifest.json/part-");
    let (key, path) = objects.find(|(key, _)| is_manifest(key)).unwrap();
    let manifest = std::fs::read_to_string(path).unwrap();
    let lie = manifest.replace(r#"\"train\": 17"#, r#"\"train\": 18"#);
    assert_ne!(lie, manifest);
    servers.overwrite(&key, lie.into_bytes()).await;
    let error = refused(&servers, 3).await;
    assert!(
        error.contains("for split 0, but its statistics have"),
        "{error}"
    );
}
