//! What an undisturbed upload leaves behind, and what it asks of the server.

use lob_testkit::s3::{Operation, crc64nvme};
use serde_json::Value;
use sha2::Digest as _;

use crate::bed::{BUCKET, Bed, RUN, assert_shown};

#[tokio::test]
async fn the_summary_names_the_run_and_its_manifest() {
    let bed = Bed::new().await;
    bed.feeds();
    let finished = bed.run(&["--run-id", "run-1", "--jobs", "1"]).await;
    assert_shown!(finished, @r#"
    exit status: 0
    ----- stdout -----
    run       run-1
    files     3
    rows      66536
    uploaded  6.15 MiB in [SECONDS] s ([SPEED])
    manifest  s3://lob-test/lob-data/run-1/manifest.json
    copy      artifacts/lob_data_uploads/manifest_run-1.json
    ----- stderr -----
    [TIME]  INFO the run begins; if it stops, the same command with `--run-id run-1` resumes it run=run-1 files=3 bytes=6446893
    [TIME]  INFO S3 Upload: 6.05MB in [SECONDS]s ([SPEED]) file="2025/big.parquet" bytes=6344461 kept_bytes=0 seconds=[SECONDS]
    [TIME]  INFO S3 Upload: 0.10MB in [SECONDS]s ([SPEED]) file="2025/small.parquet" bytes=100978 kept_bytes=0 seconds=[SECONDS]
    [TIME]  INFO S3 Upload: 0.00MB in [SECONDS]s ([SPEED]) file="none.parquet" bytes=1454 kept_bytes=0 seconds=[SECONDS]
    [TIME]  INFO 6.1 MiB of 6.1 MiB, [SPEED], 3 of 3 files
    "#);
}

#[tokio::test]
async fn every_object_matches_its_file_and_its_manifest_entry() {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    bed.upload(&[]).await.expect(0);
    let names: Vec<_> = feeds.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        bed.keys(),
        [
            &names[..2],
            &["_progress/plan.json", "manifest.json", names[2]]
        ]
        .concat()
    );

    let manifest: Value = serde_json::from_slice(&bed.object("manifest.json").bytes).unwrap();
    assert_eq!(manifest["num_files"], 3);
    let token = manifest["write_token"].as_str().unwrap();
    for ((name, bytes), entry) in feeds.iter().zip(manifest["files"].as_array().unwrap()) {
        let object = bed.object(name);
        assert_eq!(object.bytes, *bytes);
        assert_eq!(object.metadata["lob-token"], token);
        let crc = crc64nvme(bytes);
        assert_eq!(object.crc64nvme.as_deref(), Some(crc.as_str()));
        let sha256 = hex::encode(sha2::Sha256::digest(bytes));
        for (field, value) in [
            ("key", name.as_str()),
            ("relative_path", name),
            ("filename", name.rsplit('/').next().unwrap()),
            ("s3_path", &format!("s3://lob-test/{RUN}/{name}")),
            ("sha256", &sha256),
            ("checksum", &format!("sha256:{sha256}")),
            ("crc64nvme", &crc),
            ("etag", &object.etag),
            ("verified", "full-object-crc64nvme"),
        ] {
            assert_eq!(entry[field], value, "{field}");
        }
        assert_eq!(entry["size_bytes"], bytes.len());
        // As text, because serde_json reads the last bit of a double differently than it writes it.
        let size_mb = (bytes.len() as f64 / f64::from(1 << 20)).to_string();
        assert_eq!(
            entry["size_mb"],
            serde_json::from_str::<Value>(&size_mb).unwrap()
        );
        assert_eq!(entry["schema_fields"].as_array().unwrap().len(), 14);
        assert_eq!(entry["schema_fields"][0], "timestamp");
        assert!(entry["upload_timestamp"].is_string());
    }
    assert_eq!(manifest["files"][1]["row_count"], 1000);
    assert_eq!(manifest["files"][2]["row_count"], 0);
}

#[tokio::test]
async fn the_manifest_has_the_legacy_fields() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", lob_testkit::parquet_files::FeedSize::Rows(10));
    bed.upload(&[]).await.expect(0);
    let bytes = bed.object("manifest.json").bytes;
    let manifest: Value = serde_json::from_slice(&bytes).unwrap();
    for (field, value) in [
        ("run_id", "run-1"),
        ("source_directory", "lob_data"),
        ("format", "parquet"),
    ] {
        assert_eq!(manifest[field], value);
    }
    for (field, value) in [
        ("num_files", 1),
        ("num_successful", 1),
        ("num_failed", 0),
        ("total_rows", 10),
        ("format_version", 2),
    ] {
        assert_eq!(manifest[field], value, "{field}");
    }
    let expected = serde_json::json!({
        "bucket": "lob-test", "prefix": "lob-data", "region": "eu-central-1",
    });
    assert_eq!(manifest["s3_config"], expected);
    assert_eq!(manifest["total_size_mb"], manifest["files"][0]["size_mb"]);
    assert!(manifest["upload_timestamp"].is_string());
    let copy = std::fs::read(bed.path("artifacts/lob_data_uploads/manifest_run-1.json")).unwrap();
    assert_eq!(copy, bytes);
}

#[tokio::test]
async fn each_byte_is_sent_once_and_never_read_back() {
    use Operation::{
        AbortMultipartUpload, CompleteMultipartUpload, CreateMultipartUpload, GetObject,
        HeadBucket, HeadObject, ListMultipartUploads, ListObjectsV2, ListParts, PutObject,
        UploadPart,
    };
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    bed.upload(&["--jobs", "1"]).await.expect(0);
    assert_eq!(
        bed.operations(),
        [
            HeadBucket,
            // There is no plan, and no manifest without one, so a plan is put.
            GetObject,
            ListObjectsV2,
            HeadObject,
            PutObject,
            // Probes whether the server keeps its CRC, and honors conditions on puts and on
            // multipart uploads.
            HeadObject,
            PutObject,
            ListMultipartUploads,
            HeadObject,
            CreateMultipartUpload,
            UploadPart,
            CompleteMultipartUpload,
            AbortMultipartUpload,
            ListParts,
            // The files.
            CreateMultipartUpload,
            UploadPart,
            UploadPart,
            CompleteMultipartUpload,
            PutObject,
            PutObject,
            // Every data file is checked before the manifest is written.
            HeadObject,
            HeadObject,
            HeadObject,
            PutObject,
        ]
    );
    let requests = bed.s3.requests();
    assert_eq!(requests.last().unwrap().key, format!("{RUN}/manifest.json"));
    let sent = |name: &str| -> u64 {
        let data = requests.iter().filter(|r| r.key == format!("{RUN}/{name}"));
        data.filter(|r| r.operation != CompleteMultipartUpload)
            .map(|r| r.request_bytes)
            .sum()
    };
    for (name, bytes) in &feeds {
        assert_eq!(sent(name), bytes.len() as u64, "{name}");
    }
    for request in &requests {
        if matches!(request.operation, PutObject | CompleteMultipartUpload) {
            assert_eq!(
                request.header("if-none-match"),
                Some("*"),
                "{}",
                request.key
            );
        }
        if matches!(request.operation, PutObject | UploadPart) {
            assert!(
                request.header("x-amz-checksum-crc64nvme").is_some(),
                "{}",
                request.key
            );
            // A single put is signed by its hash; a part is not.
            let signed = match request.operation {
                PutObject => {
                    let object = bed.s3.object(BUCKET, &request.key).unwrap();
                    hex::encode(sha2::Sha256::digest(&object.bytes))
                }
                _ => "UNSIGNED-PAYLOAD".to_owned(),
            };
            assert_eq!(
                request.header("x-amz-content-sha256"),
                Some(signed.as_str())
            );
            assert_eq!(request.header("content-encoding"), None);
        }
    }
}

#[tokio::test]
async fn the_result_is_one_json_object_and_metrics_go_to_a_file() {
    let bed = Bed::new().await;
    let bytes = bed.feed("a.parquet", lob_testkit::parquet_files::FeedSize::Rows(10));
    let finished = bed
        .upload(&["--json", "--metrics-file", "metrics.prom"])
        .await
        .expect(0);
    let result: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(result["run_id"], "run-1");
    assert_eq!(result["files"], 1);
    assert_eq!(result["rows"], 10);
    assert_eq!(result["bytes"], bytes.len());
    assert_eq!(result["retries"], 0);
    assert_eq!(
        result["manifest"],
        format!("s3://lob-test/{RUN}/manifest.json")
    );
    assert_eq!(result["metrics"]["operations"]["PutObject"]["requests"], 4);
    let metrics = std::fs::read_to_string(bed.path("metrics.prom")).unwrap();
    let line = "lob_s3_requests_total{tool=\"lob-upload\",operation=\"PutObject\"} 4.0\n";
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn a_clean_run_counts_expected_failures_separately() {
    let bed = Bed::new().await;
    bed.feeds();
    let finished = bed.upload(&["--json"]).await.expect(0);
    let result: Value = serde_json::from_str(&finished.stdout).unwrap();
    let operations = result["metrics"]["operations"].as_object().unwrap();
    for (operation, metrics) in operations {
        assert_eq!(metrics.get("errors"), None, "{operation}: {metrics}");
    }
    // The plan is put a second time, both in one request and in parts.
    assert_eq!(operations["PutObject"]["expected"], 1);
    assert_eq!(operations["CompleteMultipartUpload"]["expected"], 1);
}

/// The metric of this name in a metrics file of either format.
fn number(text: &str, name: &str) -> Option<f64> {
    let of_command = text.lines().next().unwrap();
    if let Ok(document) = serde_json::from_str::<Value>(of_command) {
        return document[name].as_f64();
    }
    let labelled = format!("{name}{{tool=\"lob-upload\"}} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&labelled));
    value?.parse().ok()
}

#[tokio::test]
async fn a_failed_run_records_its_status_and_keeps_the_last_success() {
    for (format, status, success) in [
        (
            "prometheus",
            "lob_exit_status",
            "lob_last_success_timestamp_seconds",
        ),
        ("emf", "ExitStatus", "LastSuccessTimestamp"),
    ] {
        let bed = Bed::new().await;
        bed.feed("a.parquet", lob_testkit::parquet_files::FeedSize::Rows(10));
        let args = ["--metrics-file", "metrics", "--metrics-format", format];
        let read = || std::fs::read_to_string(bed.path("metrics")).unwrap();
        bed.upload(&args).await.expect(0);
        let succeeded = read();
        assert_eq!(number(&succeeded, status), Some(0.0), "{succeeded}");
        bed.upload(&[&args[..], &["--bucket", "another"]].concat())
            .await
            .expect(1);
        let failed = read();
        assert_eq!(number(&failed, status), Some(1.0), "{failed}");
        assert_eq!(number(&failed, success), number(&succeeded, success));
        assert!(number(&failed, success).is_some(), "{failed}");
    }
}

#[tokio::test]
async fn an_unwritable_local_copy_does_not_fail_the_run() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", lob_testkit::parquet_files::FeedSize::Rows(10));
    std::fs::write(bed.path("artifacts"), "a file").unwrap();
    bed.upload(&[]).await.expect(0);
    assert!(bed.has_manifest());
}

#[tokio::test]
async fn a_file_size_limit_is_an_error_rather_than_a_crash() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", lob_testkit::parquet_files::FeedSize::Rows(10));
    for (args, status, told) in [
        (
            &["--run-id", "run-1"][..],
            0,
            "the local copy of the manifest cannot be written",
        ),
        (&["restore", "run-1", "back"], 1, "File too large"),
    ] {
        let mut limited = bed.through_shell("ulimit -f 0; exec \"$0\" \"$@\"", args);
        let finished = crate::bed::finish(limited.spawn().unwrap()).await;
        let finished = finished.expect(status);
        assert!(finished.stderr.contains(told), "{}", finished.stderr);
    }
    assert!(bed.has_manifest());
}

#[tokio::test]
async fn two_runs_without_an_id_never_share_one() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", lob_testkit::parquet_files::FeedSize::Rows(10));
    let (one, other) = tokio::join!(bed.run(&[]), bed.run(&[]));
    one.expect(0);
    other.expect(0);
    let keys = bed.s3.keys("lob-test");
    let manifests = keys.iter().filter(|key| key.ends_with("/manifest.json"));
    assert_eq!(manifests.count(), 2, "{keys:?}");
}
