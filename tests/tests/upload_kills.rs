//! Uploads killed with `kill -9` at random moments, on a real server if the environment names one:
//! the same command finishes the run, and sends nothing that the server already has.
//!
//! `LOB_KILLS` and `LOB_KILL_FILE_SIZE` (bytes) make the test as long and as large as needed: 20
//! kills of ten files of 100 MB take some minutes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use lob_testkit::manifests::without;
use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
use lob_tests::kills::{assert_in_time, kill, moments, setting, undisturbed};
use lob_tests::servers::Servers;
use serde_json::Value;
use tempfile::TempDir;

const FILES: u64 = 10;
const PREFIX: &str = "lob-data";
/// Manifest fields, at any level, that differ between two runs over the same files.
const OF_THE_RUN: [&str; 8] = [
    "run_id",
    "upload_timestamp",
    "started",
    "finished",
    "write_token",
    "metrics",
    "s3_path",
    "version_id",
];

#[tokio::test]
async fn an_upload_killed_at_random_moments_sends_nothing_twice() {
    let servers = Servers::start().await;
    let folder = TempDir::new().unwrap();
    let source = folder.path().join("lob_data");
    std::fs::create_dir(&source).unwrap();
    let size = setting("LOB_KILL_FILE_SIZE").unwrap_or(12_000_000);
    let files: Vec<(String, u64)> = (0..FILES).map(|day| feed(&source, day, size)).collect();
    let total: u64 = files.iter().map(|(_, size)| size).sum();

    let time = undisturbed(&servers, "lob-upload", &arguments(&source, "whole")).await;
    let whole = manifest(&servers, "whole").await;

    let (mut resumed, mut complete, mut killed) = (0, 0, 0);
    for (number, moment) in moments(time).into_iter().enumerate() {
        let run = format!("killed-{number}");
        killed += kill(&servers, "lob-upload", &arguments(&source, &run), moment).await;
        let had = held(&servers, &run, &files).await;
        let result = upload(&servers, &source, &run).await;
        let operations = &result["metrics"]["operations"];
        let sent = operations["UploadPart"]["bytes_sent"].as_u64().unwrap_or(0);
        // The server probe sends the plan as a part.
        let plan = servers
            .object(&format!("{PREFIX}/{run}/_progress/plan.json"))
            .await;
        let plan = plan.len() as u64;
        // MinIO may refuse parts that it lists, if their Complete lost its client.
        let refused = operations["CompleteMultipartUpload"]["errors"].as_object();
        let refused = refused.into_iter().flat_map(serde_json::Map::values);
        let refused: u64 = refused.filter_map(Value::as_u64).sum();
        let spoiled = refused * files.iter().map(|(_, size)| *size).max().unwrap();
        assert!(
            sent <= total - had + plan + spoiled,
            "{sent} bytes of {total}, {had} were there: {operations}"
        );
        assert_eq!(manifest(&servers, &run).await, whole, "{run}");
        for (name, _) in &files {
            assert_eq!(
                open_parts(&servers, &format!("{PREFIX}/{run}/{name}")).await,
                None
            );
        }
        println!("{run}: of {total} bytes {had} were there, {sent} were sent");
        resumed += u64::from(had > 0 && had < total);
        complete += u64::from(had == total);
    }
    println!("{resumed} runs went on in the middle, {complete} had sent everything");
    assert_in_time(killed);
    lob_testkit::fault_fired("C1");
}

fn feed(source: &Path, day: u64, size: u64) -> (String, u64) {
    let name = format!("day_{day:02}.parquet");
    let feed = ParquetFeed {
        seed: day,
        size: FeedSize::Bytes(size),
        levels: 5,
    };
    feed.write(&source.join(&name)).unwrap();
    let size = source.join(&name).metadata().unwrap().len();
    (name, size)
}

fn arguments<'a>(source: &'a Path, run: &'a str) -> [&'a str; 10] {
    let source = source.to_str().unwrap();
    [
        "--run-id",
        run,
        "--source-dir",
        source,
        "--part-size",
        "5MiB",
        "--multipart-threshold",
        "5MiB",
        "--json",
        "--progress=none",
    ]
}

async fn upload(servers: &Servers, source: &Path, run: &str) -> Value {
    let ended = servers.run("lob-upload", &arguments(source, run)).await;
    serde_json::from_str(&ended.with_status(0).stdout).unwrap()
}

/// A run's manifest without the fields that are specific to the run.
async fn manifest(servers: &Servers, run: &str) -> Value {
    let bytes = servers
        .object(&format!("{PREFIX}/{run}/manifest.json"))
        .await;
    without(serde_json::from_slice(&bytes).unwrap(), &OF_THE_RUN)
}

/// How many bytes of the files the server has, in objects or in the fullest open upload of each.
async fn held(servers: &Servers, run: &str, files: &[(String, u64)]) -> u64 {
    let mut held = 0;
    for (name, size) in files {
        let key = format!("{PREFIX}/{run}/{name}");
        let object = servers.s3.head_object().bucket(&servers.bucket).key(&key);
        held += match object.send().await {
            Ok(_) => *size,
            Err(_) => open_parts(servers, &key).await.unwrap_or(0),
        };
    }
    held
}

/// Bytes in the parts of the key's fullest open upload; `None` if there is no open upload.
async fn open_parts(servers: &Servers, key: &str) -> Option<u64> {
    let (s3, bucket) = (&servers.s3, &servers.bucket);
    let open = s3.list_multipart_uploads().bucket(bucket).prefix(key);
    let open = open.send().await.unwrap();
    let mut most = None;
    for upload in open.uploads() {
        let id = upload.upload_id().unwrap();
        let parts = s3.list_parts().bucket(bucket).key(key).upload_id(id);
        let parts = parts.send().await.unwrap();
        let sizes: BTreeMap<_, _> = parts
            .parts()
            .iter()
            .map(|part| (part.part_number(), part.size().unwrap() as u64))
            .collect();
        most = most.max(Some(sizes.values().sum()));
    }
    most
}
