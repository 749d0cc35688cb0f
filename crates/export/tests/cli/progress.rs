//! What is shown while an export is running.

use lob_testkit::s3::{Moment, Operation, Request, Verdict};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::bed::{Bed, SMALL};

#[tokio::test]
async fn documents_count_as_done_once_their_parts_are_acknowledged() {
    let bed = Bed::gated(|_: Moment, request: &Request| {
        match request.operation == Operation::UploadPart && request.key.ends_with(".parquet") {
            true => Verdict::Hold,
            false => Verdict::Pass,
        }
    });
    let bed = bed.await;
    let mut child = bed.start(&["--progress", "json", "--jobs", "2"]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let status: Value = serde_json::from_str(&line).unwrap();
    // All documents have been read and encoded by now.
    assert_eq!((&status["items"], &status["bytes"]), (&0.into(), &0.into()));
    assert_eq!(status["total_items"], 50);
    assert_eq!(status["total_items_is_estimate"], true);
    assert_eq!(status["seconds_left"], Value::Null);
    child.kill().await.unwrap();
}

#[tokio::test]
async fn the_last_progress_line_is_complete_in_a_resumed_run_too() {
    let bed = Bed::new().await;
    let recorded = |moment: Moment, request: &Request| {
        moment == Moment::Arrived && request.key.ends_with("00001-00000.json")
    };
    bed.kill_at(&SMALL, recorded).await.unwrap();
    let args = [&SMALL[..], &["--progress", "json"]].concat();
    let output = bed.export(&args).await.expect(0);
    let last = output.stderr.lines().last().unwrap();
    let status: Value = serde_json::from_str(last).unwrap();
    assert_eq!(status["items"], 50, "{last}");
    assert_eq!(status["total_items"], 50, "{last}");
    assert_eq!(status["total_items_is_estimate"], false, "{last}");
    assert_eq!(status["step"], Value::Null, "{last}");
    let keys = bed.s3.keys(crate::bed::BUCKET).into_iter();
    let files = keys.filter(|key| key.ends_with(".parquet"));
    let object = |key: &str| bed.s3.object(crate::bed::BUCKET, key).unwrap();
    let bytes: usize = files.map(|key| object(&key).bytes.len()).sum();
    assert_eq!(status["bytes"], bytes, "{last}");
}
