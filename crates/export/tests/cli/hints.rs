//! Follows hints that name a command: the command has a different outcome. Hints about columns and
//! lost documents are followed in the tests of those.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lob_testkit::hints;
use lob_testkit::s3::{Moment, Operation, Request, Verdict};

use crate::bed::{BUCKET, Bed, Finished, SMALL};

/// What someone types who follows the hint with this `fragment`.
pub(crate) fn follow(args: &[&str], failed: &Finished, fragment: &str) -> Vec<String> {
    assert_eq!(failed.status.code(), Some(1));
    hints::follow(args, &failed.stderr, "another", fragment)
}

pub(crate) async fn run(bed: &Bed, command: &[String]) -> Finished {
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    bed.run(&command).await
}

/// A server that fails at every data file until the switch is turned off.
async fn failing() -> (Bed, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&fails);
    let gate = move |moment: Moment, request: &Request| {
        let is_data = request.operation == Operation::CreateMultipartUpload
            && request.key.ends_with(".parquet");
        if moment == Moment::Arrived && is_data && fails.load(Ordering::Relaxed) {
            return Verdict::Answer {
                status: 500,
                code: "InternalError",
            };
        }
        Verdict::Pass
    };
    (Bed::gated(gate).await, switch)
}

#[tokio::test]
async fn the_hinted_command_resumes_a_stopped_export() {
    let (bed, fails) = failing().await;
    let args = [
        &SMALL[..],
        &["--run-id", "run-1", "--retry-timeout", "200ms"],
    ]
    .concat();
    let failed = bed.run(&args).await;
    let command = follow(&args, &failed, "resumes it");
    fails.store(false, Ordering::Relaxed);
    run(&bed, &command).await.expect(0);
    assert!(!bed.totals().is_empty());
}

#[tokio::test]
async fn the_hinted_commands_help_workers_and_commits_that_start_too_early() {
    // A hint never repeats a password.
    let bed = Bed::on_double_of_mongodb("a MongoDB without users").await;
    let (endpoint, uri) = (bed.s3.endpoint(), bed.mongo.uri());
    let place = [
        "--bucket",
        BUCKET,
        "--endpoint-url",
        &endpoint,
        "--mongodb-uri",
        &uri,
    ];
    let place = [&place[..], &["--prefix", "tonight's"]].concat();
    let work = [&["work", "--run-id", "run-1"], &place[..]].concat();
    let planned = follow(&work, &bed.run_typed(&work).await, "or plan it");
    let planned = bed.run_typed(&planned).await.expect(0);
    let commit = [&["commit", "--run-id", "run-1"], &place[..]].concat();
    let worked = follow(&commit, &bed.run_typed(&commit).await, "exports them");
    bed.run_typed(&worked).await.expect(0);
    let told = planned.stdout.lines();
    let mut told = told.filter_map(|line| line.strip_prefix("commit    "));
    let told = hints::words(told.next().unwrap());
    bed.run_typed(&told[1..]).await.expect(0);
    let manifest = "tonight's/run-1/manifest.json";
    assert!(bed.s3.object(BUCKET, manifest).is_some());
}
