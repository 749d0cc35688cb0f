//! `lob-export cleanup`: lists uploads that no record names, and aborts them only with `--yes`.

use std::time::Duration;

use lob_testkit::s3::Operation;
use serde_json::Value;
use tokio::time::timeout;

use crate::bed::{BUCKET, Bed, SMALL, arrives, assert_shown, finish};
use crate::workers::{planned, undisturbed};

const FIRST_RECORD: &str = "_progress/split_0/00000-00000.json";
/// The last data file of the first range.
const LAST: &str = "split_0.parquet/part-00000-00001.parquet";

/// Kills the worker of the first range, and of no other, when `operation` for its last data file
/// arrives.
async fn killed_at(operation: Operation) -> Bed {
    let bed = planned().await;
    let work = ["work", "--worker", "0/6"];
    bed.kill_at(&work, arrives(operation, LAST)).await.unwrap();
    bed
}

/// Waits until the open uploads, as keys and upload ids, are as expected.
async fn until_open(bed: &Bed, are_open: impl Fn(&[(String, String)]) -> bool) {
    let opening = async {
        while !are_open(&bed.s3.open_uploads(BUCKET)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(60), opening).await.unwrap();
}

#[tokio::test]
async fn open_uploads_that_no_record_names_are_aborted_only_on_request() {
    let whole = undisturbed().await;
    let bed = killed_at(Operation::UploadPart).await;
    assert_eq!(bed.s3.open_uploads(BUCKET).len(), 1);
    assert_shown!(bed.run(&["cleanup", "run-1"]).await, @r#"
    exit status: 0
    ----- stdout -----
    s3://lob-test/processed-splits/run-1/split_0.parquet/part-00000-00001.parquet  open since [TIME]
    run `run-1` has 1 upload open that no record names, perhaps from a process that is still running; abort with --yes
    the run is not complete: `--run-id run-1` resumes it
    ----- stderr -----
    "#);
    assert_eq!(bed.s3.open_uploads(BUCKET).len(), 1);
    assert_shown!(bed.run(&["cleanup", "run-1", "--yes"]).await, @r#"
    exit status: 0
    ----- stdout -----
    s3://lob-test/processed-splits/run-1/split_0.parquet/part-00000-00001.parquet  open since [TIME]
    aborted 1 upload of run `run-1`
    the run is not complete: `--run-id run-1` resumes it
    ----- stderr -----
    "#);
    assert_eq!(bed.s3.open_uploads(BUCKET), []);
    bed.export(&SMALL).await.expect(0);
    bed.assert_whole(&whole);
}

#[tokio::test]
async fn the_uploads_of_a_settling_and_of_a_filling_file_are_both_aborted() {
    let bed = Bed::new().await;
    let mut recording = bed.trap.set(arrives(Operation::PutObject, FIRST_RECORD));
    let mut export = bed.start(&[&SMALL[..], &["--jobs", "1"]].concat());
    recording.request().await;
    until_open(&bed, |uploads| uploads.len() >= 2).await;
    export.start_kill().unwrap();
    finish(export).await;
    let args = ["cleanup", "run-1", "--yes", "--json"];
    let output = bed.run(&args).await.expect(0);
    let cleaned: Value = serde_json::from_str(&output.stdout).unwrap();
    let uploads = cleaned["uploads"].as_array().unwrap().len();
    assert_eq!((uploads, bed.s3.open_uploads(BUCKET)), (2, vec![]));
}

#[tokio::test]
async fn the_next_range_begins_while_the_last_file_of_one_is_completed() {
    let whole = undisturbed().await;
    let bed = Bed::new().await;
    let completes = arrives(Operation::CompleteMultipartUpload, LAST);
    let mut completing = bed.trap.set(completes);
    let mut export = bed.start(&[&SMALL[..], &["--jobs", "1"]].concat());
    completing.request().await;
    let next = "part-00001-00000.parquet";
    let is_next = |uploads: &[(String, String)]| uploads.iter().any(|(key, _)| key.ends_with(next));
    until_open(&bed, is_next).await;
    export.start_kill().unwrap();
    finish(export).await;
    bed.export(&SMALL).await.expect(0);
    bed.assert_whole(&whole);
}

#[tokio::test]
async fn an_upload_that_a_record_names_is_kept() {
    let whole = undisturbed().await;
    let bed = killed_at(Operation::CompleteMultipartUpload).await;
    assert_shown!(bed.run(&["cleanup", "run-1", "--yes"]).await, @r#"
    exit status: 0
    ----- stdout -----
    run `run-1` has no open uploads except those in its records
    the run is not complete: `--run-id run-1` resumes it
    ----- stderr -----
    "#);
    assert_eq!(bed.s3.open_uploads(BUCKET).len(), 1);
    bed.export(&SMALL).await.expect(0);
    bed.assert_whole(&whole);
}

#[tokio::test]
async fn cleanup_of_an_export_without_a_plan_gives_a_hint() {
    let bed = Bed::new().await;
    assert_shown!(bed.run(&["cleanup", "run-1"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-1` has no plan: `s3://lob-test/processed-splits/run-1/_progress/plan.json` does not exist
    hint: check --prefix
    "#);
}
