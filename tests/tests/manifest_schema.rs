//! docs/manifest.schema.json accepts the manifests that the tools write and rejects broken ones.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use jsonschema::Validator;
use lob_testkit::bson_samples;
use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
use lob_testkit::split_documents::SplitDocuments;
use lob_tests::servers::Servers;
use serde_json::{Value, json};

fn schema() -> Validator {
    let schema: Value =
        serde_json::from_str(include_str!("../../docs/manifest.schema.json")).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[track_caller]
fn assert_valid(manifest: &Value) {
    let schema = schema();
    let errors: Vec<_> = schema
        .iter_errors(manifest)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// The manifest of an upload of one small and one larger file.
async fn uploaded(servers: &Servers) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let sizes = [
        ("small.parquet", FeedSize::Rows(100)),
        ("a/large.parquet", FeedSize::Bytes(7 << 20)),
    ];
    for (seed, (name, size)) in (1..).zip(sizes) {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let feed = ParquetFeed {
            seed,
            size,
            levels: 2,
        };
        feed.write(&path).unwrap();
    }
    let source = folder.path().to_str().unwrap();
    let arguments = [
        "--run-id",
        "r1",
        "--multipart-threshold",
        "5MiB",
        "--part-size",
        "5MiB",
        "--source-dir",
        source,
    ];
    servers.run("lob-upload", &arguments).await.with_status(0);
    let manifest = servers.object("lob-data/r1/manifest.json").await;
    serde_json::from_slice(&manifest).unwrap()
}

/// The manifest of an export of three splits: generated documents, every BSON type, and nothing.
async fn exported(servers: &Servers, arguments: &[&str]) -> Value {
    let documents: Vec<_> = SplitDocuments::new(1, 8).take(100).collect();
    servers.insert("split_0_input", &documents).await;
    let samples = bson_samples::samples().into_iter();
    let samples: Vec<_> = samples.map(|sample| sample.document).collect();
    servers.insert("split_1_input", &samples).await;
    let database = servers.mongo.database(&servers.database);
    database.create_collection("split_2_input").await.unwrap();
    let arguments = [&["--run-id", "r1"], arguments].concat();
    servers.run("lob-export", &arguments).await.with_status(0);
    servers.manifest("r1").await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_manifest_matches_the_schema() {
    assert_valid(&uploaded(&Servers::start().await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_manifest_matches_the_schema() {
    assert_valid(&exported(&Servers::start().await, &[]).await);
    let etags = ["--checksum", "etag", "--compression", "zstd:3"];
    assert_valid(&exported(&Servers::start().await, &etags).await);
}

/// Each of these changes turns the manifest into one that no tool writes.
#[track_caller]
fn assert_each_breaks(manifest: &Value, changes: &[(&str, Value)]) {
    let schema = schema();
    assert!(schema.is_valid(manifest));
    for (place, value) in changes {
        let mut broken = manifest.clone();
        *broken.pointer_mut(place).unwrap() = value.clone();
        assert!(!schema.is_valid(&broken), "{place}: {value}");
    }
    for name in manifest.as_object().unwrap().keys() {
        let mut broken = manifest.clone();
        broken.as_object_mut().unwrap().remove(name);
        assert!(!schema.is_valid(&broken), "without {name}");
    }
    let mut broken = manifest.clone();
    broken["unheard_of"] = json!(1);
    assert!(!schema.is_valid(&broken), "with an unknown field");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_upload_manifest_fails_the_schema() {
    let manifest = uploaded(&Servers::start().await).await;
    let changes = [
        ("/run_id", json!("a/b")),
        ("/format_version", json!(1)),
        ("/tool", json!("lob-export")),
        ("/num_failed", json!(-1)),
        ("/started", json!("yesterday")),
        ("/files", json!([])),
        ("/files/0/key", json!("../escaped.parquet")),
        ("/files/0/key", json!("/absolute.parquet")),
        ("/files/0/key", json!("a//b.parquet")),
        ("/files/0/key", json!("a/./b.parquet")),
        ("/files/0/key", json!("a\nb.parquet")),
        ("/files/0/size_bytes", json!(-1)),
        ("/files/0/sha256", json!("0")),
        ("/files/0/crc64nvme", json!("0123456789abcdef")),
        ("/files/0/checksum", json!("0".repeat(64))),
        ("/files/0/verified", json!("trust-me")),
        ("/endpoint/multipart", json!(true)),
        ("/settings/hash", json!("sha1")),
        ("/settings/part_size_bytes", json!(1)),
    ];
    assert_each_breaks(&manifest, &changes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_export_manifest_fails_the_schema() {
    let manifest = exported(&Servers::start().await, &[]).await;
    let changes = [
        ("/pipeline_stage", json!(13)),
        ("/compression", json!("gzip")),
        ("/splits", json!([])),
        ("/splits/0/split_id", json!(-1)),
        ("/splits/0/digest", json!("0".repeat(64))),
        ("/splits/0/checksum", json!("crc32:0")),
        ("/splits/0/consistency", json!("eventual")),
        ("/splits/0/feature_length", json!("8")),
        ("/splits/0/role_distribution/train", json!("many")),
        ("/splits/0/columns/0/type", json!("varchar")),
        ("/splits/0/files/0/rows", json!(0)),
        ("/splits/0/files/0/key", json!("split_0.parquet/../a")),
        ("/splits/0/files/0/etag", json!(null)),
        ("/metrics/operations", json!([])),
    ];
    assert_each_breaks(&manifest, &changes);
}
