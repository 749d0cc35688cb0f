//! Runs of format version 1 stay readable: its last binaries wrote the samples, and the documents
//! that went in are stored next to them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use bson::{Document, doc};
use futures::TryStreamExt as _;
use lob_tests::servers::Servers;
use serde_json::Value;

const RUN: &str = "20261126_130000";
const SPLITS: [u32; 6] = [0, 1, 2, 3, 4, 10];
const PATTERN: [&str; 2] = ["--collection-pattern", "back_{N}"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

/// All files below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let below = entries.map(|entry| entry.unwrap().path()).map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    });
    below.flatten().collect()
}

/// Starts servers with a sample's runs in the bucket, each object with its run's write token.
async fn servers(sample: &str) -> Servers {
    let servers = Servers::start().await;
    let root = fixture(sample);
    let paths = files(&root);
    let plans = paths
        .iter()
        .filter(|path| path.ends_with("_progress/plan.json"));
    for plan in plans {
        let run = plan.ancestors().nth(2).unwrap();
        let plan: Value = serde_json::from_slice(&std::fs::read(plan).unwrap()).unwrap();
        let token = plan["write_token"].as_str().unwrap();
        for path in paths.iter().filter(|path| path.starts_with(run)) {
            let key = path.strip_prefix(&root).unwrap().to_str().unwrap();
            put(&servers, key, std::fs::read(path).unwrap(), token).await;
        }
    }
    servers
}

async fn put(servers: &Servers, key: &str, bytes: Vec<u8>, token: &str) {
    let put = servers.s3.put_object().bucket(&servers.bucket).key(key);
    let put = put.metadata("lob-token", token);
    let put = put.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme);
    put.body(ByteStream::from(bytes)).send().await.unwrap();
}

/// The documents of a split, sorted by their bytes.
fn expected(split: u32) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(fixture(&format!("v1-run/split_{split}.bson"))).unwrap();
    let mut rest = &bytes[..];
    let mut documents = Vec::new();
    while let Some(length) = rest.first_chunk() {
        let (document, after) = rest.split_at(u32::from_le_bytes(*length) as usize);
        documents.push(document.to_vec());
        rest = after;
    }
    documents.sort();
    documents
}

/// The documents of a target, sorted by their bytes.
async fn imported(servers: &Servers, split: u32) -> Vec<Vec<u8>> {
    let target = format!("back_{split}");
    let documents = servers.documents(&servers.database, &target).await;
    let mut documents: Vec<_> = documents.into_iter().map(|d| d.into_bytes()).collect();
    documents.sort();
    documents
}

async fn import(servers: &Servers, run: &str) {
    let import = [&["--run-id", run], &PATTERN[..]].concat();
    servers.run("lob-import", &import).await.with_status(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_1_run_imports_byte_for_byte() {
    let servers = servers("v1-run").await;
    import(&servers, RUN).await;
    for split in SPLITS {
        let same = imported(&servers, split).await == expected(split);
        assert!(same, "split {split} is not what was exported");
    }
    let targets = ["back_0", "back_1", "back_10", "back_2", "back_3", "back_4"];
    assert_eq!(servers.collections(&servers.database).await, targets);
}

#[tokio::test(flavor = "multi_thread")]
async fn version_1_exports_can_be_verified() {
    let servers = servers("v1-run").await;
    for run in [RUN, "files", "lz4"] {
        let verify = ["verify", run, "--full"];
        servers.run("lob-export", &verify).await.with_status(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn version_1_runs_with_many_data_files_and_row_groups_import() {
    let servers = servers("v1-run").await;
    import(&servers, "files").await;
    let same = imported(&servers, 2).await == expected(2);
    assert!(same, "not what was exported");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_1_compression_can_be_read() {
    let servers = servers("v1-run").await;
    for run in ["lz4", "none", "snappy", "zstd"] {
        import(&servers, run).await;
        let same = imported(&servers, 3).await == expected(3);
        assert!(same, "{run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_and_options_of_a_version_1_run_are_restored() {
    let servers = servers("v1-run").await;
    import(&servers, RUN).await;
    let database = servers.mongo.database(&servers.database);
    let listed = doc! { "listIndexes": "back_2" };
    let listed = database.run_cursor_command(listed).await.unwrap();
    let mut indexes: Vec<Document> = listed.try_collect().await.unwrap();
    indexes.sort_by_key(|index| index.get_str("name").unwrap().to_owned());
    let expected = [
        doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" },
        doc! { "v": 2, "key": { "timestamp": 1 }, "name": "old", "expireAfterSeconds": 2_000_000_000 },
        doc! { "v": 2, "key": { "fold_id": 1.0 }, "name": "sparse", "sparse": true, "hidden": true },
        doc! { "v": 2, "key": { "timestamp": 1, "role": -1, "a": 1_i64 }, "name": "three" },
        doc! { "v": 2, "key": { "timestamp_str": 1 }, "name": "unique", "unique": true },
    ];
    assert_eq!(indexes, expected);

    let options = async |target: &str| -> Document {
        let named = doc! { "listCollections": 1, "filter": { "name": target } };
        let listed = database.run_cursor_command(named).await.unwrap();
        let listed: Vec<Document> = listed.try_collect().await.unwrap();
        listed[0].get_document("options").unwrap().clone()
    };
    let expected = doc! {
        "validator": { "role": { "$exists": true }, "a": { "$exists": false } },
        "validationLevel": "moderate",
        "validationAction": "warn",
    };
    assert_eq!(options("back_2").await, expected);
    let of_empty = options("back_10").await;
    // A real server adds what the locale implies.
    let collation = of_empty.get_document("collation").unwrap();
    assert_eq!(collation.get_str("locale").unwrap(), "de");
    assert_eq!(collation.get_i32("strength").unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_version_1_run_is_not_imported() {
    let servers = servers("v1-unfinished").await;
    let listed = servers.run("lob-import", &["list"]).await.with_status(0);
    let lines: Vec<_> = listed.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.ends_with("Z  not committed")),
        "{lines:?}"
    );
    for run in ["begun", "planned", "worked"] {
        let import = [&["--run-id", run], &PATTERN[..]].concat();
        let refused = servers.run("lob-import", &import).await.with_status(1);
        let message = format!("run `{run}` is not complete");
        assert!(refused.stderr.contains(&message), "{}", refused.stderr);
    }
    assert!(servers.collections(&servers.database).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn version_1_uploads_can_be_verified() {
    let servers = servers("v1-upload").await;
    for run in ["partial", "whole"] {
        for full in [&[][..], &["--full"]] {
            let verify = [&["verify", run], full].concat();
            let verified = servers.run("lob-upload", &verify).await.with_status(0);
            assert!(
                verified.stdout.contains("files     3\n"),
                "{}",
                verified.stdout
            );
        }
    }
}

/// All objects in the bucket.
async fn bucket(servers: &Servers) -> Vec<(String, Vec<u8>)> {
    let mut objects = Vec::new();
    for key in servers.keys().await {
        let bytes = servers.object(&key).await;
        objects.push((key, bytes));
    }
    objects
}

/// Asserts that a tool refuses a run of version 1 and says to begin a new one.
async fn refused(servers: &Servers, tool: &str, arguments: &[&str]) {
    let refused = servers.run(tool, arguments).await.with_status(1);
    let stderr = &refused.stderr;
    for part in [
        "_progress/plan.json`",
        "format version 1",
        "hint: start a new run",
    ] {
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_version_1_export_is_not_resumed() {
    let servers = servers("v1-unfinished").await;
    let before = bucket(&servers).await;
    for run in ["begun", "planned", "worked"] {
        for command in [
            &[][..],
            &["plan"],
            &["work"],
            &["work", "--worker", "1/2"],
            &["commit"],
        ] {
            let arguments = [command, &["--run-id", run]].concat();
            refused(&servers, "lob-export", &arguments).await;
        }
    }
    assert!(
        bucket(&servers).await == before,
        "a run of version 1 was changed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_version_1_upload_is_not_resumed() {
    let servers = servers("v1-unfinished").await;
    let before = bucket(&servers).await;
    let folder = tempfile::tempdir().unwrap();
    // What the run has sent.
    let sent = fixture("v1-unfinished/lob-data/begun/2024-01-01/btc_usd.parquet");
    std::fs::create_dir(folder.path().join("2024-01-01")).unwrap();
    std::fs::copy(sent, folder.path().join("2024-01-01/btc_usd.parquet")).unwrap();
    let source = folder.path().to_str().unwrap();
    let arguments = ["--source-dir", source, "--run-id", "begun"];
    refused(&servers, "lob-upload", &arguments).await;
    assert!(
        bucket(&servers).await == before,
        "a run of version 1 was changed"
    );
}
