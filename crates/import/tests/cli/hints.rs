//! Follows hints that name a command: the command has a different outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lob_testkit::fault_fired;
use lob_testkit::hints;
use lob_testkit::mongo::{self, MongoOptions};
use lob_testkit::s3;

use crate::bed::{BUCKET, Bed, Finished};

/// What someone types who follows the hint with this `fragment`.
pub(crate) fn follow(args: &[&str], failed: &Finished, fragment: &str) -> Vec<String> {
    assert!(!failed.status.success());
    hints::follow(args, &failed.stderr, "another", fragment)
}

pub(crate) async fn run(bed: &Bed, command: &[String]) -> Finished {
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    bed.run(&command).await
}

const IMPORT: [&str; 4] = ["--run-id", "run-1", "--mongodb-retry-timeout", "100ms"];

/// A bed whose MongoDB answers inserts with `code` until the switch is turned off.
async fn refusing_inserts(code: i32) -> (Bed, Arc<AtomicBool>) {
    let refuses = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&refuses);
    let gate = move |_: mongo::Moment, command: &mongo::Command| {
        let name = command.collection.as_deref().unwrap_or_default();
        let is_split = name.starts_with("split_") && command.documents > 0;
        if command.name == "insert" && is_split && refuses.load(Ordering::Relaxed) {
            mongo::Verdict::Answer { code }
        } else {
            mongo::Verdict::Pass
        }
    };
    let options = MongoOptions {
        gate: Some(Arc::new(gate)),
        ..MongoOptions::default()
    };
    let bed = Bed::published(options).await;
    (bed, switch)
}

/// Asserts that an import stops on a server that answers inserts with `code`, and finishes once the
/// hint is followed.
async fn assert_goes_on(code: i32, fragment: fn(&[&str], &Finished) -> Vec<String>) {
    let (bed, refuses) = refusing_inserts(code).await;
    let failed = bed.run(&IMPORT).await;
    let command = fragment(&IMPORT, &failed);
    refuses.store(false, Ordering::Relaxed);
    run(&bed, &command).await.expect(0);
    bed.assert_imported();
}

#[tokio::test]
async fn the_hinted_command_continues_an_import_into_a_full_server() {
    assert_goes_on(14031, |args, failed| follow(args, failed, "resumes it")).await;
    lob_testkit::fault_fired("E14");
}

#[tokio::test]
async fn the_hinted_command_continues_an_import_with_an_unknown_outcome() {
    assert_goes_on(11602, |args, failed| {
        assert_eq!(failed.status.code(), Some(4));
        follow(args, failed, "when the server answers again")
    })
    .await;
}

#[tokio::test]
async fn the_same_command_imports_an_archived_object_once_it_is_restored() {
    let archived = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&archived);
    let gate = move |moment: s3::Moment, request: &s3::Request| {
        let is_read = request.operation == s3::Operation::GetObject;
        let is_data = is_read && request.key.ends_with(".parquet");
        if moment == s3::Moment::Arrived && is_data && archived.load(Ordering::Relaxed) {
            return s3::Verdict::Answer {
                status: 403,
                code: "InvalidObjectState",
            };
        }
        s3::Verdict::Pass
    };
    let bed = Bed::with_gate(MongoOptions::default(), Some(Arc::new(gate))).await;
    bed.publish("run-1", "2025-11-15T09:30:00Z");
    let command = follow(&IMPORT, &bed.run(&IMPORT).await, "the object is archived");
    switch.store(false, Ordering::Relaxed);
    run(&bed, &command).await.expect(0);
    bed.assert_imported();
    fault_fired("A22");
}

#[tokio::test]
async fn the_hinted_command_imports_the_splits_next_to_a_damaged_one() {
    let bed = Bed::new().await;
    let last = "processed-splits/run-1/split_1.parquet/part-00000-00001.parquet";
    assert!(bed.s3.corrupt(BUCKET, last, 1000));
    let command = follow(&IMPORT, &bed.run(&IMPORT).await, "imports the other splits");
    run(&bed, &command).await.expect(0);
    assert_eq!(bed.collections(), ["split_0_input"]);
}

#[tokio::test]
async fn the_hinted_command_lists_the_runs_that_exist() {
    let bed = Bed::new().await;
    let (endpoint, uri) = (bed.s3.endpoint(), bed.mongo.uri());
    let wrong = ["--run-id", "run-0", "--split", "0", "--mongodb-uri", &uri];
    let wrong = [
        &wrong[..],
        &["--bucket", BUCKET, "--endpoint-url", &endpoint],
    ]
    .concat();
    let command = follow(&wrong, &bed.run_typed(&wrong).await, "lists the runs");
    let listed = bed.run_typed(&command).await.expect(0);
    assert!(listed.stdout.contains("run-1"));
}
