//! `lob-export verify`: names every data file and record that is not what the manifest says.

use lob_testkit::every_tool;
use lob_testkit::s3::Operation;
use serde_json::{Value, json};

use crate::bed::{BUCKET, Bed, RUN, SMALL, assert_shown};

/// A bed with a committed run of several data files.
async fn exported() -> Bed {
    let bed = Bed::new().await;
    bed.export(&SMALL).await.expect(0);
    bed
}

fn key(name: &str) -> String {
    format!("{RUN}/{name}")
}

/// The run's keys that end with `end`.
fn keys(bed: &Bed, end: &str) -> Vec<String> {
    let keys = bed.s3.keys(BUCKET).into_iter();
    keys.filter(|key| key.ends_with(end)).collect()
}

/// Replaces a record with one whose description has another value in `field`.
fn change_record(bed: &Bed, name: &str, field: &str, value: Value) {
    let mut record: Value = serde_json::from_slice(&bed.object(name).bytes).unwrap();
    let description = &mut record["descriptions"][0][field];
    assert!(!description.is_null() && *description != value, "{record}");
    *description = value;
    bed.s3.put_raw(BUCKET, &key(name), record.to_string());
}

#[tokio::test]
async fn an_export_is_verified_without_downloading_data_files() {
    let bed = exported().await;
    let (data_files, before) = (keys(&bed, ".parquet"), bed.s3.requests().len());
    assert_shown!(bed.run_without(&["verify", "run-1"], &["MONGODB_URI"]).await, @r"
    exit status: 0
    ----- stdout -----
    run       run-1
    files     11
    size      0.06 MiB
    verified  size, checksum and token of every object match
    records   every data file has one that matches
    ----- stderr -----
    [TIME]  INFO 11 of 11 files
    ");
    let asked = |operation, end| {
        let requests = bed.asked(operation, end, before).into_iter();
        let mut keys: Vec<_> = requests.map(|request| request.key).collect();
        keys.sort();
        keys
    };
    assert!(data_files.len() > 2, "{data_files:?}");
    assert_eq!(asked(Operation::HeadObject, ""), data_files);
    assert_eq!(asked(Operation::GetObject, ".parquet"), [""; 0]);
    let records = asked(Operation::GetObject, ".json").len() - 1;
    assert_eq!(records, data_files.len());
}

#[tokio::test]
async fn a_full_verification_of_an_export_reads_every_byte() {
    let bed = exported().await;
    let before = bed.s3.requests().len();
    let data_files = keys(&bed, ".parquet");
    let size = |key: &String| bed.s3.object(BUCKET, key).unwrap().bytes.len();
    let bytes: usize = data_files.iter().map(size).sum();
    every_tool::assert_verified(&bed, data_files.len(), bytes).await;
    for key in data_files {
        let asked = bed.asked(Operation::GetObject, &key, before);
        assert_eq!(asked.len(), 1, "{key}");
    }
}

#[tokio::test]
async fn every_data_file_and_record_that_differs_from_the_manifest_is_named() {
    let bed = exported().await;
    let replaced = "split_1.parquet/part-00000-00000.parquet";
    let equal = bed.object(replaced).bytes;
    bed.s3.remove(BUCKET, &key(replaced));
    bed.s3.put_raw(BUCKET, &key(replaced), equal);
    let damaged = "split_0.parquet/part-00000-00000.parquet";
    bed.s3.put_raw(BUCKET, &key(damaged), "damaged");
    let missing = "split_0.parquet/part-00001-00000.parquet";
    assert!(bed.s3.remove(BUCKET, &key(missing)));
    let record = "_progress/split_0/00000-00000.json";
    assert!(bed.s3.remove(BUCKET, &key(record)));
    for stray in ["split_0.parquet/copy.parquet", "split_0.parquet/_SUCCESS"] {
        bed.s3.put_raw(BUCKET, &key(stray), "");
    }
    change_record(
        &bed,
        "_progress/split_1/00001-00000.json",
        "residual_rows",
        json!(9),
    );
    bed.s3
        .put_raw(BUCKET, &key("_progress/split_1/00002-00000.json"), "{");
    assert_shown!(bed.run(&["verify", "run-1"]).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    [TIME]  INFO 11 of 11 files
    error: run `run-1` does not match its manifest:
        `s3://lob-test/processed-splits/run-1/split_0.parquet/part-00000-00000.parquet` is not what was sent: its size, CRC64NVME, ETag or write token on the server is different
        the record `s3://lob-test/processed-splits/run-1/_progress/split_0/00000-00000.json` is missing
        `s3://lob-test/processed-splits/run-1/split_0.parquet/part-00001-00000.parquet` is not what was sent: it is missing
        `s3://lob-test/processed-splits/run-1/split_1.parquet/part-00000-00000.parquet` is not what was sent: it has no write token
        the record `s3://lob-test/processed-splits/run-1/_progress/split_1/00001-00000.json` contradicts the manifest
        the record `s3://lob-test/processed-splits/run-1/_progress/split_1/00002-00000.json` cannot be read
        `s3://lob-test/processed-splits/run-1/split_0.parquet/copy.parquet` is not in the manifest, but readers of the folder would read it
    "#);
}

#[tokio::test]
async fn only_a_full_verification_finds_a_flipped_bit_in_a_data_file() {
    let bed = exported().await;
    let key = key("split_1.parquet/part-00001-00000.parquet");
    every_tool::assert_flipped_bit_found(&bed, &key, 1234).await;
}

#[tokio::test]
async fn verify_refuses_a_legacy_run_with_the_reason() {
    let bed = Bed::new().await;
    let legacy = r#"{"run_id":"run-1","export_timestamp":"2025-11-15T00:00:00","num_splits":0,
        "splits":[],"total_documents":0}"#;
    let by_spark = json!({ "manifest_json": legacy }).to_string();
    for (name, manifest) in [
        ("manifest.json/part-00000.json", by_spark),
        ("manifest.json", legacy.to_owned()),
    ] {
        bed.s3.put_raw(BUCKET, &key(name), manifest);
        let refused = bed.run(&["verify", "run-1"]).await.expect(1);
        assert_eq!(
            refused.stderr,
            "error: run `run-1` is a legacy export: it has no hashes to verify\n\
             hint: export again to get a run that can be verified\n"
        );
    }
}

#[tokio::test]
async fn verify_refuses_anything_but_a_committed_export_with_the_reason() {
    let bed = Bed::new().await;
    let upload = r#"{"format_version":2,"tool":"lob-upload","run_id":"run-1","files":[]}"#;
    let later = r#"{"format_version":99,"tool":"lob-export","run_id":"run-1"}"#;
    let ours = r#"{"format_version":2,"tool":"lob-export","run_id":"run-1"}"#;
    for (manifest, status, told) in [
        (None, 1, "there is no run `run-1`"),
        (
            Some(upload),
            1,
            "run `run-1` is not an export: `lob-upload` wrote it",
        ),
        (Some(later), 1, "hint: use the version that wrote it"),
        (Some(ours), 3, "manifest.json` cannot be used"),
    ] {
        if let Some(manifest) = manifest {
            bed.s3.put_raw(BUCKET, &key("manifest.json"), manifest);
        }
        let refused = bed.run(&["verify", "run-1"]).await.expect(status);
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
    }
    bed.run(&["plan", "--run-id", "run-2"]).await.expect(0);
    let refused = bed.run(&["verify", "run-2"]).await.expect(1);
    let told = "run `run-2` is not complete";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
}
