//! Hints that name a command are followed: the command ends otherwise. Those about columns and lost
//! documents are followed where these are tested.

use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lob_testkit::hints;
use lob_testkit::s3::{Moment, Operation, Request, Verdict};

use crate::bed::{Bed, SMALL, succeeded, text};

/// What a person types who follows the hint that says `fragment`.
pub(crate) fn follow(args: &[&str], failed: &Output, fragment: &str) -> Vec<String> {
    assert_eq!(failed.status.code(), Some(1));
    hints::follow(args, text(&failed.stderr), "another", fragment)
}

pub(crate) async fn run(bed: &Bed, command: &[String]) -> Output {
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
async fn a_run_that_stopped_is_resumed_by_the_command_of_the_hint() {
    let (bed, fails) = failing().await;
    let args = [
        &SMALL[..],
        &["--run-id", "run-1", "--retry-timeout", "200ms"],
    ]
    .concat();
    let failed = bed.run(&args).await;
    let command = follow(&args, &failed, "resumes it");
    fails.store(false, Ordering::Relaxed);
    succeeded(run(&bed, &command).await);
    assert!(!bed.totals().is_empty());
}

#[tokio::test]
async fn workers_and_commits_that_come_too_early_are_helped_by_the_commands_of_their_hints() {
    let bed = Bed::new().await;
    let work = ["work", "--run-id", "run-1"];
    let planned = follow(&work, &bed.run(&work).await, "or plan it");
    succeeded(run(&bed, &planned).await);
    let commit = ["commit", "--run-id", "run-1"];
    let worked = follow(&commit, &bed.run(&commit).await, "exports them");
    succeeded(run(&bed, &worked).await);
    succeeded(bed.run(&commit).await);
    assert!(!bed.totals().is_empty());
}
