//! Resumed exports: what is recorded is completed, what is lost is scanned again, and what is
//! committed is confirmed.

use std::sync::Arc;

use bson::rawdoc;
use lob_testkit::bson_samples::one_of_each_id_type;
use lob_testkit::mongo::{self, Command, MongoOptions};
use lob_testkit::s3::{Moment, Operation, Request, Verdict, first};
use lob_testkit::split_documents::SplitDocuments;

use crate::bed::{BUCKET, Bed, RUN, SMALL, arrives, assert_not_resumed_midway, assert_shown, is};
use crate::workers::undisturbed;

const FIRST: &str = "split_0.parquet/part-00000-00000.parquet";
const FIRST_RECORD: &str = "_progress/split_0/00000-00000.json";

#[tokio::test]
async fn a_record_without_its_object_has_its_upload_completed() {
    let whole = undisturbed().await;
    let bed = Bed::new().await;
    let completing = arrives(Operation::CompleteMultipartUpload, FIRST);
    let killed = bed.kill_at(&SMALL, completing).await.unwrap();
    let before = bed.s3.requests().len();
    bed.export(&SMALL).await.expect(0);
    bed.assert_whole(&whole);
    let completed = bed.asked(Operation::CompleteMultipartUpload, FIRST, before);
    assert_eq!(completed.len(), 1);
    assert_eq!(completed[0].upload_id, killed.upload_id);
    assert!(bed.asked(Operation::UploadPart, FIRST, before).is_empty());
}

#[tokio::test]
async fn documents_of_a_lost_upload_are_scanned_and_recorded_again() {
    let whole = undisturbed().await;
    // The server has forgotten the upload by the time it is completed.
    let (status, code) = (404, "NoSuchUpload");
    let gone = Verdict::Answer { status, code };
    let gate = first(1, Moment::Arrived, gone, |request| {
        is(request, Operation::CompleteMultipartUpload, FIRST)
    });
    let bed = Bed::gated(gate).await;
    bed.export(&SMALL).await.expect(0);
    bed.assert_whole(&whole);
    let puts = bed.asked(Operation::PutObject, FIRST_RECORD, 0);
    assert_eq!(puts.len(), 2);
    assert!(puts[1].header("if-match").is_some());
    let record = bed.object(FIRST_RECORD).bytes;
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let descriptions = record["descriptions"].as_array().unwrap();
    assert_eq!(descriptions.len(), 2);
    // The documents are the same, and so is the file.
    assert_eq!(descriptions[0]["sha256"], descriptions[1]["sha256"]);
    assert_ne!(descriptions[0]["upload_id"], descriptions[1]["upload_id"]);
}

#[tokio::test]
async fn a_record_that_is_damaged_or_foreign_is_named_and_left_as_it_is() {
    let bed = Bed::new().await;
    let completing = arrives(Operation::CompleteMultipartUpload, FIRST);
    bed.kill_at(&SMALL, completing).await.unwrap();
    let record = bed.object(FIRST_RECORD).bytes;
    let with = |field: &str, value: u32| {
        let mut record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        record[field] = value.into();
        record.to_string().into_bytes()
    };
    let key = format!("{RUN}/{FIRST_RECORD}");
    for damaged in [
        record[..record.len() / 2].to_vec(),
        b"null".to_vec(),
        with("format_version", 99),
        with("range", 1),
        with("split_id", 1),
        with("sequence", 1),
    ] {
        bed.s3.put_raw(BUCKET, &key, damaged.clone());
        let refused = bed.export(&SMALL).await.expect(3);
        assert!(refused.stderr.contains(FIRST_RECORD), "{}", refused.stderr);
        assert_eq!(bed.object(FIRST_RECORD).bytes, damaged);
        bed.assert_no_manifest();
    }
    bed.s3.put_raw(BUCKET, &key, record);
    bed.export(&SMALL).await.expect(0);
    bed.assert_whole(&undisturbed().await);
    lob_testkit::fault_fired("C10");
}

#[tokio::test]
async fn a_resumed_run_recreates_a_missing_object() {
    let whole = undisturbed().await;
    let bed = Bed::new().await;
    let committing = arrives(Operation::PutObject, "manifest.json");
    bed.kill_at(&SMALL, committing).await.unwrap();
    assert!(bed.s3.remove(BUCKET, &format!("{RUN}/{FIRST}")));
    bed.export(&SMALL).await.expect(0);
    bed.assert_whole(&whole);
}

#[tokio::test]
async fn another_processs_record_counts_and_our_upload_is_aborted() {
    let whole = undisturbed().await;
    let bed = Bed::new().await;
    let mut recording = bed.trap.set(arrives(Operation::PutObject, FIRST_RECORD));
    let slow = bed.start(&SMALL);
    recording.request().await;
    bed.export(&SMALL).await.expect(0);
    bed.assert_whole(&whole);
    recording.release();
    crate::bed::finish(slow).await.expect(0);
    bed.assert_whole(&whole);
}

#[tokio::test]
async fn a_lost_reply_to_a_record_is_told_apart_from_another_processs_record() {
    let whole = undisturbed().await;
    let gate = first(1, Moment::Executed, Verdict::Disconnect, |request| {
        is(request, Operation::PutObject, FIRST_RECORD)
    });
    let bed = Bed::gated(gate).await;
    bed.export(&SMALL).await.expect(0);
    bed.assert_whole(&whole);
    assert_eq!(
        bed.asked(Operation::CreateMultipartUpload, FIRST, 0).len(),
        1
    );
}

#[tokio::test]
async fn nothing_is_aborted_while_it_is_unknown_whether_the_record_exists() {
    let bed = Bed::gated(|moment: Moment, request: &Request| {
        let records = request.key == format!("{RUN}/{FIRST_RECORD}");
        let writes = request.operation == Operation::PutObject;
        match moment {
            Moment::Executed if records && writes => Verdict::Disconnect,
            Moment::Arrived if records && request.operation == Operation::HeadObject => {
                Verdict::Answer {
                    status: 500,
                    code: "InternalError",
                }
            }
            _ => Verdict::Pass,
        }
    })
    .await;
    let output = bed.export(&["--retry-timeout", "1s"]).await;
    assert_eq!(output.status.code(), Some(4), "{}", output.shown());
    let open = bed.s3.open_uploads(BUCKET);
    assert_eq!(open.len(), 1, "{open:?}");
    assert!(
        bed.s3
            .keys(BUCKET)
            .contains(&format!("{RUN}/{FIRST_RECORD}"))
    );
}

#[tokio::test]
async fn a_run_is_resumed_as_it_was_planned() {
    let bed = Bed::new().await;
    bed.export(&[&SMALL[..], &["plan"]].concat())
        .await
        .expect(0);
    for (flag, value, planned) in [
        ("--ranges", "4", "3"),
        ("--file-size", "2KiB", "1KiB"),
        ("--compression", "snappy", "auto"),
        ("--split", "0", "all"),
        ("--part-size", "16MiB", "8MiB"),
        ("--checksum", "etag", "statistics"),
        ("--database", "other", "raw"),
    ] {
        let output = bed.export(&[flag, value]).await;
        let shown = output.shown();
        assert_eq!(output.status.code(), Some(1), "{shown}");
        let key = flag.trim_start_matches('-').replace('-', "_");
        let told = format!(
            "the run was planned with a different `{key}`: {planned}\n    `{key}`: flag `{flag}`\n"
        );
        assert!(shown.contains(&told), "{shown}");
    }
    // Settings that are not given follow the plan.
    bed.export(&[]).await.expect(0);
    assert_eq!(bed.manifest()["splits"][0]["ranges"], 3);
}

#[tokio::test]
async fn a_committed_export_is_checked_and_its_local_copy_rewritten() {
    let bed = Bed::new().await;
    bed.export(&[]).await.expect(0);
    let before = bed.s3.requests().len();
    for command in [&[][..], &["commit"], &["work"]] {
        bed.export(command).await.expect(0);
    }
    for request in &bed.s3.requests()[before..] {
        assert!(
            matches!(request.method.as_str(), "HEAD" | "GET"),
            "{request:?}"
        );
    }
    assert!(bed.s3.remove(BUCKET, &format!("{RUN}/{FIRST}")));
    assert_shown!(bed.export(&[]).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: `s3://lob-test/processed-splits/run-1/split_0.parquet/part-00000-00000.parquet` is not what was sent: it is missing
    "#);
}

#[tokio::test]
async fn a_collection_replaced_before_the_run_resumes_is_an_error() {
    let bed = Bed::new().await;
    bed.export(&["plan"]).await.expect(0);
    bed.mongo
        .run(&rawdoc! { "drop": "split_1_input", "$db": "raw" });
    let documents = SplitDocuments::new(7, 4).take(3);
    bed.mongo.load("raw", "split_1_input", documents).unwrap();
    assert_shown!(bed.export(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-1` is not complete
      Caused by: the run cannot be resumed
      Caused by: `raw.split_1_input` was dropped or replaced by another collection in the meantime
        `mongodb_uri`: environment variable `MONGODB_URI`
    hint: use another --run-id
    hint: if MONGODB_URI or --mongodb-uri leads to another server than before, correct it; otherwise run it again while nothing else changes the collection
    "#);
    bed.assert_nothing_published();
}

#[tokio::test]
async fn every_type_of_id_is_exported_once_over_many_ranges() {
    let bed = Bed::with(MongoOptions::default()).await;
    let samples = one_of_each_id_type();
    let count = samples.len();
    let documents = samples.into_iter().map(|sample| sample.document);
    bed.mongo.load("raw", "split_0_input", documents).unwrap();
    bed.export(&["--ranges", "1"]).await.expect(0);
    let whole = bed.manifest();
    let args = [
        "--run-id",
        "run-2",
        "--range-size",
        "1B",
        "--log-level",
        "error",
    ];
    bed.run(&args).await.expect(0);
    let key = "processed-splits/run-2/manifest.json";
    let cut = bed.s3.object(BUCKET, key).unwrap().bytes;
    let cut: serde_json::Value = serde_json::from_slice(&cut).unwrap();
    assert!(cut["splits"][0]["ranges"].as_u64().unwrap() > 10, "{cut:#}");
    assert_eq!(cut["total_documents"], count);
    assert_eq!(cut["splits"][0]["digest"], whole["splits"][0]["digest"]);
}

#[tokio::test]
async fn a_data_file_whose_upload_was_aborted_midway_starts_over() {
    let whole = undisturbed().await;
    let bed = Bed::new().await;
    let mut sending = bed.trap.set(arrives(Operation::UploadPart, FIRST));
    let export = bed.start(&SMALL);
    sending.request().await;
    bed.run(&["cleanup", "run-1", "--yes"]).await.expect(0);
    let mut open = bed.s3.open_uploads(BUCKET).into_iter();
    assert!(open.all(|(key, _)| !key.ends_with(FIRST)));
    sending.release();
    crate::bed::finish(export).await.expect(0);
    bed.assert_whole(&whole);
}

#[tokio::test]
async fn a_collection_readable_only_in_one_piece_is_not_resumed_midway() {
    let bed = Bed::in_one_piece().await;
    let second = "split_0.parquet/part-00000-00001.parquet";
    let chosen = arrives(Operation::UploadPart, second);
    bed.kill_at(&SMALL[2..], chosen).await.unwrap();
    assert_not_resumed_midway(bed.export(&[]).await);
    bed.assert_no_manifest();
}

#[tokio::test]
async fn a_collection_readable_only_in_one_piece_promises_no_resume_once_it_has_a_record() {
    let bed = Bed::in_one_piece().await;
    for (file, way_on) in [
        ("00000", "the same command with `--run-id run-1` resumes it"),
        ("00001", "use another --run-id"),
    ] {
        let part = format!("split_0.parquet/part-00000-{file}.parquet");
        let mut refused = bed.trap.set(arrives(Operation::UploadPart, &part));
        let export = bed.start(&SMALL[2..]);
        refused.request().await;
        refused.answer(403, "AccessDenied");
        let told = crate::bed::finish(export).await.expect(1).stderr;
        assert!(told.contains(way_on), "{told}");
        assert!(!told.contains("if it stops"), "{told}");
    }
}

#[tokio::test]
async fn an_export_whose_snapshot_is_gone_says_that_it_cannot_be_resumed() {
    // Matches the scan of a range, but not the plan's queries.
    let is_scan = |command: &Command| {
        let asks = |field| {
            command
                .arguments
                .get(field)
                .is_ok_and(|value| value.is_some())
        };
        command.name == "find" && asks("hint") && !asks("projection")
    };
    let bed = Bed::with(MongoOptions {
        gate: Some(Arc::new(move |moment, command: &Command| {
            if moment == mongo::Moment::Arrived && is_scan(command) {
                return mongo::Verdict::Answer { code: 239 };
            }
            mongo::Verdict::Pass
        })),
        ..MongoOptions::default()
    })
    .await;
    let documents = SplitDocuments::new(0, 4).take(30);
    bed.mongo.load("raw", "split_0_input", documents).unwrap();
    assert_shown!(bed.export(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-1` is not complete
      Caused by: failed to export `raw.split_0_input`
      Caused by: the run cannot be resumed
      Caused by: the snapshot of `raw.split_0_input` is gone, so the rest cannot be read
      Caused by: answered by the gate of the test server (code 239, Location239)
    hint: use another --run-id
    hint: this run cannot be resumed: raise `minSnapshotHistoryWindowInSeconds` on the server above the duration of an export, then start a new run
    "#);
    bed.assert_nothing_published();
}
