//! What is shown while an upload is running.

use lob_testkit::s3::{Moment, Operation, Request, Verdict, first};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::bed::Bed;

#[tokio::test]
async fn a_stall_is_reported_every_ten_seconds() {
    let bed = Bed::gated(|_: Moment, request: &Request| {
        match request.operation == Operation::UploadPart && request.key.ends_with(".parquet") {
            true => Verdict::Hold,
            false => Verdict::Pass,
        }
    });
    let bed = bed.await;
    bed.feeds();
    let mut child = bed.start(&["--progress", "json"]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut before = 0.0;
    for _ in 0..2 {
        let line = lines.next_line().await.unwrap().unwrap();
        let status: Value = serde_json::from_str(&line).unwrap();
        let seconds = status["seconds"].as_f64().unwrap();
        assert!(seconds - before > 5.0, "{line}");
        before = seconds;
        assert_eq!(status["total_bytes"], 6_446_893, "{line}");
        // Only the two small files.
        assert_eq!(status["items"], 2, "{line}");
        assert!(status["bytes"].as_u64() < Some(200_000), "{line}");
    }
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_stall_before_the_upload_names_the_current_step() {
    let bed = Bed::new().await;
    bed.feeds();
    let mut catch = bed.trap.set(|moment: Moment, request: &Request| {
        moment == Moment::Arrived && request.key.ends_with("plan.json")
    });
    let mut child = bed.start(&["--progress", "json"]);
    catch.request().await;
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let status: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(status["step"], "looking for the plan of run `run-1`");
    assert!(status["step_seconds"].as_f64() > Some(5.0), "{line}");
    child.kill().await.unwrap();
}

#[tokio::test]
async fn progress_shows_retries_and_throttles() {
    let (status, code) = (503, "SlowDown");
    let slow_down = Verdict::Answer { status, code };
    let slow = first(1, Moment::Arrived, slow_down, |request| {
        request.operation == Operation::UploadPart
    });
    let bed = Bed::gated(slow).await;
    bed.feeds();
    let args = ["--run-id", "run-1", "--progress", "log"];
    let shown = bed.run(&args).await.expect(0).stderr;
    let progress = |line: &&str| line.ends_with(", 3 of 3 files, 1 retry, 1 throttle");
    assert!(shown.lines().any(|line| progress(&line)), "{shown}");
    assert!(shown.contains("INFO 6.1 MiB of 6.1 MiB, "), "{shown}");
}

#[tokio::test]
async fn next_to_bars_the_log_shows_only_warnings_by_default() {
    let bed = Bed::new().await;
    bed.feeds();
    let mut run = 0;
    let mut log = async |args: &[&str]| {
        run += 1;
        let id = format!("run-{run}");
        let args = [&["--run-id", &id], args].concat();
        bed.run(&args).await.expect(0).stderr
    };
    let here = "--endpoint-url=http://unused.invalid";
    let bars = ["--progress", "bars"];
    // Anyone stopped right away needs the run id to resume.
    let beside = log(&bars).await;
    assert!(beside.contains("`--run-id run-1` resumes it"), "{beside}");
    assert_eq!(beside.lines().count(), 1, "{beside}");
    assert_eq!(log(&["--quiet"]).await, "");
    assert!(log(&[]).await.contains("INFO S3 Upload: 6.05MB in "));
    let verbose = log(&[&bars[..], &["-v"]].concat()).await;
    for step in [
        "connecting to S3",
        "looking for files in `lob_data`",
        "checking 3 files",
        "verifying and publishing the run",
    ] {
        assert!(verbose.contains(&format!("  INFO {step}\n")), "{verbose}");
    }
    let begin = verbose.lines().find(|line| line.contains("begins"));
    let begin = begin.unwrap();
    let (time, text) = begin.split_at(8);
    assert!(time.parse::<jiff::civil::Time>().is_ok(), "{begin}");
    assert_eq!(
        text,
        "  INFO the run begins; if it stops, the same command with `--run-id run-4` resumes it \
         files=3 bytes=6446893"
    );
    // An error is shown whatever the options.
    let refused = bed.run(&["-q", here]).await.expect(1).stderr;
    assert!(refused.starts_with("error: "), "{refused}");
    bed.run(&["-q", "-v"]).await.expect(2);
}
