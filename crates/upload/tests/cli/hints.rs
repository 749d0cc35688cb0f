//! Follows every hint that names a command: the command has a different outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lob_testkit::hints::follow;
use lob_testkit::s3::{Moment, Operation, Request, Verdict};

use crate::bed::{BUCKET, Bed, Finished, RUN, finish};

const OTHER: &str = "run-2";

/// A server that fails every part until the switch is turned off.
async fn failing() -> (Bed, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&fails);
    let gate = move |moment: Moment, request: &Request| {
        let is_part = moment == Moment::Arrived && request.operation == Operation::UploadPart;
        let is_first = request.part_number == Some(1) && !request.key.ends_with("plan.json");
        if is_part && is_first && fails.load(Ordering::Relaxed) {
            return Verdict::Answer {
                status: 500,
                code: "InternalError",
            };
        }
        Verdict::Pass
    };
    (Bed::gated(gate).await, switch)
}

async fn followed(bed: &Bed, args: &[&str], failed: &Finished, fragment: &str) -> Finished {
    let command = follow(args, &failed.stderr, OTHER, fragment);
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    bed.run(&command).await.expect(0)
}

const UPLOAD: [&str; 4] = ["--run-id", "run-1", "--retry-timeout", "200ms"];

#[tokio::test]
async fn the_hinted_command_resumes_a_stopped_upload() {
    let (bed, fails) = failing().await;
    let feeds = bed.feeds();
    let failed = bed.run(&UPLOAD).await.expect(1);
    fails.store(false, Ordering::Relaxed);
    followed(&bed, &UPLOAD, &failed, "resumes it").await;
    bed.assert_whole(&feeds);
}

#[tokio::test]
async fn the_hinted_command_aborts_what_a_run_left_open_as_typed() {
    let (bed, _) = failing().await;
    bed.feeds();
    let endpoint = bed.s3.endpoint();
    let place = [
        "--bucket",
        BUCKET,
        "--endpoint-url",
        &endpoint,
        "--prefix",
        "feeds of tonight",
    ];
    let upload = [&UPLOAD[..], &["--include", "*"], &place].concat();
    let failed = bed.run_typed(&upload).await.expect(1);
    assert_eq!(bed.s3.open_uploads(BUCKET).len(), 1);
    let cleanup = follow(&upload, &failed.stderr, OTHER, "aborts the uploads");
    let cleanup: Vec<_> = cleanup.iter().map(String::as_str).collect();
    bed.run_typed(&cleanup).await.expect(0);
    assert_eq!(bed.s3.open_uploads(BUCKET), []);
}

#[tokio::test]
async fn the_hinted_command_completes_a_run_that_was_read_too_early() {
    let (bed, fails) = failing().await;
    let feeds = bed.feeds();
    bed.run(&UPLOAD).await.expect(1);
    for looking in [&["verify", "run-1"][..], &["restore", "run-1", "back"]] {
        let early = bed.run(looking).await.expect(1);
        let command = follow(&UPLOAD, &early.stderr, OTHER, "the command that started it");
        assert_eq!(command, UPLOAD);
    }
    fails.store(false, Ordering::Relaxed);
    bed.run(&UPLOAD).await.expect(0);
    bed.assert_whole(&feeds);
    bed.run(&["verify", "run-1"]).await.expect(0);
}

#[tokio::test]
async fn a_restore_that_ran_out_of_room_resumes_with_the_same_command() {
    let bed = Bed::new().await;
    bed.feeds();
    bed.upload(&[]).await.expect(0);
    let restore = ["restore", "run-1", "back"];
    // Files may not be larger than 1 MiB.
    let limited = "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\"";
    let limited = bed.through_shell(limited, &restore).spawn().unwrap();
    let failed = finish(limited).await.expect(1);
    followed(&bed, &restore, &failed, "run the same command").await;
}

#[tokio::test]
async fn a_restore_folder_is_free_once_its_process_ends() {
    let bed = Bed::new().await;
    bed.feeds();
    bed.upload(&[]).await.expect(0);
    let restore = ["restore", "run-1", "back"];
    let mut catch = bed
        .trap
        .set(|moment, request| moment == Moment::Arrived && request.key.ends_with("small.parquet"));
    let mut first = bed.command(&restore).spawn().unwrap();
    catch.request().await;
    let second = bed.run(&restore).await.expect(1);
    first.kill().await.unwrap();
    followed(&bed, &restore, &second, "when that one has ended").await;
    let restored = std::fs::read(bed.path("back/2025/small.parquet")).unwrap();
    let key = format!("{RUN}/2025/small.parquet");
    assert_eq!(restored, bed.s3.object(BUCKET, &key).unwrap().bytes);
}
