//! Ctrl-C, SIGTERM and SIGHUP: nothing is published, and what can be resumed is kept.

use std::os::unix::process::ExitStatusExt as _;

use lob_testkit::hints::follow;
use lob_testkit::parquet_files::FeedSize;
use lob_testkit::s3::{Catch, Moment, Operation, Request};
use tokio::io::AsyncReadExt as _;
use tokio::process::Child;

use crate::bed::{BUCKET, Bed, Finished, assert_shown, finish};

/// An upload of one file, held at its first request of this operation.
async fn held_at(operation: Operation, size: FeedSize) -> (Bed, Child, Catch) {
    let bed = Bed::new().await;
    bed.feed("a.parquet", size);
    let mut catch = bed.trap.set(move |moment: Moment, request: &Request| {
        let data = request.key.ends_with(".parquet") && request.operation == operation;
        data && moment == Moment::Arrived
    });
    let child = start(&bed);
    catch.request().await;
    (bed, child, catch)
}

/// Starts an upload that says when it stops.
fn start(bed: &Bed) -> Child {
    let args = ["--run-id", "run-1", "--log-level", "warn"];
    bed.command(&args).spawn().unwrap()
}

/// Sends a signal and waits until the process says that it is stopping.
async fn interrupt(child: &mut Child, signal: &str) {
    send(child, signal).await;
    // Byte by byte: what follows is the process's last word, left for whoever reads on.
    let (stderr, mut said) = (child.stderr.as_mut().unwrap(), Vec::new());
    while !said.ends_with(b"a second signal stops at once\n") {
        let Ok(byte) = stderr.read_u8().await else {
            break;
        };
        said.push(byte);
    }
}

async fn send(child: &Child, signal: &str) {
    let pid = child.id().unwrap().to_string();
    let mut kill = tokio::process::Command::new("kill");
    assert!(kill.args([signal, &pid]).status().await.unwrap().success());
}

#[tokio::test]
async fn an_interrupt_keeps_the_parts_in_flight() {
    let (bed, mut child, catch) = held_at(Operation::UploadPart, FeedSize::Bytes(6 << 20)).await;
    interrupt(&mut child, "-INT").await;
    catch.release();
    assert_shown!(finish(child).await, @r"
    exit status: 130
    ----- stdout -----
    ----- stderr -----
    error: run `run-1` is not complete
      Caused by: interrupted
    hint: the same command with `--run-id run-1` resumes it; `lob-upload cleanup run-1 --yes` aborts the uploads that it left open
    ");
    assert!(!bed.has_manifest());
    assert_eq!(bed.s3.open_uploads(BUCKET).len(), 1);

    let before = bed.operations().len();
    bed.upload(&[]).await.expect(0);
    // The held part is stored; the other may not have started when the signal came.
    let again = bed.asked(Operation::UploadPart, "a.parquet", before);
    assert!(again.len() <= 1, "{again:?}");
    assert_eq!(bed.s3.open_uploads(BUCKET), []);
}

/// An upload stopped at this request for its plan, and its output.
async fn stopped_at_its_plan(operation: Operation) -> (Bed, Finished) {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(10));
    let mut catch = bed.trap.set(move |moment: Moment, request: &Request| {
        let is_plan = request.key.ends_with("plan.json");
        is_plan && moment == Moment::Arrived && request.operation == operation
    });
    let mut child = start(&bed);
    catch.request().await;
    interrupt(&mut child, "-INT").await;
    let finished = finish(child).await.expect(130);
    catch.release();
    (bed, finished)
}

#[tokio::test]
async fn an_interrupt_before_the_plan_says_that_nothing_was_written() {
    let (bed, stopped) = stopped_at_its_plan(Operation::GetObject).await;
    let told = "error: interrupted\nhint: nothing was written: the same command starts over\n";
    assert!(stopped.stderr.ends_with(told), "{}", stopped.stderr);
    assert_eq!(bed.keys(), [""; 0]);
    let args = ["--run-id", "run-1"];
    let again = follow(
        &args,
        &stopped.stderr,
        "",
        "nothing was written: the same command starts over",
    );
    bed.run(&texts(&again)).await.expect(0);
}

#[tokio::test]
async fn an_interrupt_while_the_plan_is_written_names_the_possible_run() {
    let (bed, stopped) = stopped_at_its_plan(Operation::PutObject).await;
    let args: [&str; 0] = [];
    let again = follow(&args, &stopped.stderr, "", "resumes the run");
    assert_eq!(again, ["--run-id", "run-1"]);
    bed.run(&texts(&again)).await.expect(0);
    assert!(bed.has_manifest());
}

#[tokio::test]
async fn an_interrupted_restore_resumes_with_the_same_command() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(10));
    bed.upload(&[]).await.expect(0);
    let folder = bed.path("restored");
    let args = ["restore", "run-1", folder.to_str().unwrap()];
    let mut catch = bed.trap.set(|moment: Moment, request: &Request| {
        let data = request.key.ends_with(".parquet");
        data && moment == Moment::Arrived && request.operation == Operation::GetObject
    });
    let mut child = bed.command(&args).spawn().unwrap();
    catch.request().await;
    interrupt(&mut child, "-INT").await;
    let stopped = finish(child).await.expect(130);
    catch.release();
    let again = follow(
        &args,
        &stopped.stderr,
        "",
        "the same command resumes where it stopped",
    );
    bed.run(&texts(&again)).await.expect(0);
}

fn texts(command: &[String]) -> Vec<&str> {
    command.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn sigterm_has_its_own_exit_status() {
    let size = FeedSize::Bytes(6 << 20);
    let (bed, mut child, catch) = held_at(Operation::UploadPart, size).await;
    interrupt(&mut child, "-TERM").await;
    catch.release();
    finish(child).await.expect(143);
    assert!(!bed.has_manifest());
    lob_testkit::fault_fired("C3");
}

#[tokio::test]
async fn an_upload_that_is_hung_up_on_can_be_resumed() {
    let size = FeedSize::Bytes(6 << 20);
    let (bed, child, _held) = held_at(Operation::UploadPart, size).await;
    send(&child, "-HUP").await;
    let ended = finish(child).await;
    assert_eq!(ended.status.signal(), Some(1), "{}", ended.shown());
    assert!(!bed.has_manifest());
    bed.upload(&[]).await.expect(0);
    assert!(bed.has_manifest());
    lob_testkit::fault_fired("C4");
}

#[tokio::test]
async fn a_second_interrupt_stops_at_once() {
    let size = FeedSize::Bytes(6 << 20);
    let (bed, mut child, _held) = held_at(Operation::UploadPart, size).await;
    interrupt(&mut child, "-INT").await;
    send(&child, "-INT").await;
    finish(child).await.expect(130);
    assert!(!bed.has_manifest());
    lob_testkit::fault_fired("C3");
}

#[tokio::test]
async fn an_interrupt_does_not_wait_for_a_single_put() {
    let (bed, mut child, _held) = held_at(Operation::PutObject, FeedSize::Rows(10)).await;
    interrupt(&mut child, "-INT").await;
    finish(child).await.expect(130);
    bed.assert_nothing_published();
}

#[tokio::test]
async fn an_interrupt_does_not_wait_for_complete() {
    let complete = Operation::CompleteMultipartUpload;
    let (bed, mut child, held) = held_at(complete, FeedSize::Bytes(6 << 20)).await;
    interrupt(&mut child, "-INT").await;
    finish(child).await.expect(130);
    // Whether or not the server still completes it, the same run succeeds.
    drop(held);
    bed.upload(&[]).await.expect(0);
    assert!(bed.has_manifest());
    assert_eq!(bed.s3.open_uploads(BUCKET), []);
}

#[tokio::test]
async fn an_interrupt_during_the_probe_leaves_nothing_open() {
    let bed = Bed::new().await;
    bed.feeds();
    let mut catch = bed.trap.set(|moment: Moment, request: &Request| {
        moment == Moment::Arrived && request.operation == Operation::UploadPart
    });
    let mut child = start(&bed);
    assert!(catch.request().await.key.ends_with("plan.json"));
    interrupt(&mut child, "-INT").await;
    finish(child).await.expect(130);
    bed.assert_nothing_published();
}
