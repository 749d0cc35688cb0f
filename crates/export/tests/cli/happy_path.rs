//! A successful export: what it prints and what it leaves behind.

use lob_testkit::every_tool;
use lob_testkit::mongo::MongoOptions;
use serde_json::Value;

use crate::bed::{BUCKET, Bed, SMALL, assert_shown};

#[tokio::test]
async fn a_summary_names_every_split_and_the_manifest() {
    let bed = Bed::new().await;
    assert_shown!(bed.run(&["--run-id", "run-1"]).await, @r#"
    exit status: 0
    ----- stdout -----
    run       run-1
    splits    2
      split_0_input: 30 documents in 1 file, digest [DIGEST]
      split_1_input: 20 documents in 1 file, digest [DIGEST]
    files     2
    documents 50
    exported  0.01 MiB in [SECONDS] s ([SPEED])
    manifest  s3://lob-test/processed-splits/run-1/manifest.json
    copy      artifacts/s3_exports/manifest_run-1.json
    ----- stderr -----
    [TIME]  INFO the run begins; if it stops, the same command with `--run-id run-1` resumes it run=run-1 splits=2
    [TIME]  INFO [SIZE], [SPEED], 50 of 50 documents
    "#);
    let keys = bed.s3.keys(BUCKET);
    assert_eq!(
        keys,
        [
            "processed-splits/run-1/_progress/plan.json",
            "processed-splits/run-1/_progress/split_0/00000-00000.json",
            "processed-splits/run-1/_progress/split_1/00000-00000.json",
            "processed-splits/run-1/manifest.json",
            "processed-splits/run-1/split_0.parquet/part-00000-00000.parquet",
            "processed-splits/run-1/split_1.parquet/part-00000-00000.parquet",
        ]
    );
}

#[tokio::test]
async fn a_run_without_a_name_is_named_by_the_time() {
    let bed = Bed::new().await;
    assert_shown!(bed.run(&["--split", "1", "--log-level", "error"]).await, @r#"
    exit status: 0
    ----- stdout -----
    run       [RUN]
    splits    1
      split_1_input: 20 documents in 1 file, digest [DIGEST]
    files     1
    documents 20
    exported  0.00 MiB in [SECONDS] s ([SPEED])
    manifest  s3://lob-test/processed-splits/[RUN]/manifest.json
    copy      artifacts/s3_exports/manifest_[RUN].json
    ----- stderr -----
    "#);
}

#[tokio::test]
async fn the_json_of_an_export_has_the_same_facts_as_its_text() {
    let bed = Bed::new().await;
    let output = bed.export(&["--json"]).await;
    let result: Value = serde_json::from_str(&output.stdout).unwrap();
    every_tool::assert_members(&result, &["documents", "splits", "was_committed"]);
    assert_eq!(
        every_tool::members(&result["splits"][0]),
        [
            "checksum",
            "collection",
            "column_counts",
            "digest",
            "documents",
            "files",
            "ranges",
            "residual_rows",
            "split_id",
        ]
    );
    assert_eq!(
        every_tool::members(&result["metrics"]),
        ["commands", "operations", "peak_memory_bytes", "seconds"]
    );
    assert_eq!(result["documents"], 50);
    assert_eq!(
        result["manifest"],
        "s3://lob-test/processed-splits/run-1/manifest.json"
    );
    assert_eq!(output.stderr, "");
}

#[tokio::test]
async fn an_empty_collection_is_a_split_without_data_files() {
    let bed = Bed::with(MongoOptions::default()).await;
    bed.mongo.load("raw", "split_0_input", []).unwrap();
    let summary = bed.export(&[]).await.expect(0).stdout;
    for line in [
        "  split_0_input: 0 documents in 0 files, digest ",
        "files     0\ndocuments 0\nexported  0.00 MiB ",
    ] {
        assert!(summary.contains(line), "{summary}");
    }
}

#[tokio::test]
async fn a_clean_export_and_its_rerun_report_no_errors() {
    let bed = Bed::new().await;
    for _ in 0..2 {
        let output = bed
            .export(&[&SMALL[..], &["--json"]].concat())
            .await
            .expect(0);
        let result: Value = serde_json::from_str(&output.stdout).unwrap();
        for (operation, metrics) in result["metrics"]["operations"].as_object().unwrap() {
            assert_eq!(metrics.get("errors"), None, "{operation}: {metrics}");
        }
    }
}

#[tokio::test]
async fn reads_from_mongodb_are_counted_per_command() {
    let bed = Bed::new().await;
    let output = bed.export(&["--json"]).await.expect(0);
    let result: Value = serde_json::from_str(&output.stdout).unwrap();
    let find = &result["metrics"]["commands"]["find"];
    let of_find = |name: &str| find[name].as_u64().unwrap();
    // This includes samples.
    assert!(of_find("documents") >= 50, "{find}");
    assert!(of_find("bytes_received") > 50 * 20, "{find}");
    assert!(of_find("requests") >= 2, "{find}");
    assert_eq!(find.get("errors"), None);
}

#[tokio::test]
async fn an_export_stays_within_the_bandwidth_limit() {
    let bed = Bed::new().await;
    let begin = std::time::Instant::now();
    let args = ["--json", "--max-bandwidth", "8KiB"];
    let output = bed.export(&args).await.expect(0);
    let seconds = begin.elapsed().as_secs_f64();
    let result: Value = serde_json::from_str(&output.stdout).unwrap();
    let find = &result["metrics"]["commands"]["find"];
    let read = find["bytes_received"].as_f64().unwrap();
    assert!(read > 4000.0, "{find}");
    // Except for the first slice, a twentieth of a second's worth.
    assert!(
        seconds >= read / 8192.0 - 0.06,
        "{seconds} s for {read} bytes"
    );
}

#[tokio::test]
async fn every_planning_step_is_logged() {
    let bed = Bed::new().await;
    let output = bed.run(&["-v", "--run-id", "run-1"]).await.expect(0);
    let told = output.stderr.as_str();
    let mut rest = told;
    for step in [
        "connecting to S3",
        "looking for the plan of run `run-1`",
        "connecting to MongoDB",
        "looking for the splits of `raw`",
        "reading the manifests of earlier runs",
        "planning 2 splits",
        "writing the plan and probing S3",
        "verifying the records of 2 splits",
    ] {
        let place = rest.find(&format!(" INFO {step}\n"));
        rest = &rest[place.unwrap_or_else(|| panic!("{step}: {told}"))..];
    }
}

#[tokio::test]
async fn mongodb_takes_the_same_aws_credentials_as_s3() {
    let bed = Bed::with_mongodb_aws().await;
    bed.export(&SMALL).await.expect(0);
    assert_eq!(bed.manifest()["total_documents"], 50);
}
