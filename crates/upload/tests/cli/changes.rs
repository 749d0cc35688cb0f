//! Files that change while they are read: the run fails, and what was sent of them is discarded.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use async_trait::async_trait;
use lob_testkit::parquet_files::FeedSize;
use lob_testkit::s3::{Gate, Moment, Operation, Request, Verdict};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::bed::{Bed, assert_not_uploaded, finish, writes};

/// Reports each request of one operation, for a data file or to put the plan, and lets it pass when
/// the test says so.
struct Door {
    operation: Operation,
    arrived: UnboundedSender<()>,
    opened: std::sync::Arc<Semaphore>,
}

#[async_trait]
impl Gate for Door {
    async fn decide(&self, moment: Moment, request: &Request) -> Verdict {
        let own = self.operation == Operation::PutObject || request.key.ends_with(".parquet");
        if moment == Moment::Arrived && request.operation == self.operation && own {
            self.arrived.send(()).unwrap();
            let _ = self.opened.acquire().await.unwrap();
        }
        Verdict::Pass
    }

    /// The test waits for the arrival.
    fn must_strike(&self) -> bool {
        false
    }
}

fn door(operation: Operation) -> (Door, UnboundedReceiver<()>, std::sync::Arc<Semaphore>) {
    let (arrived, arrivals) = unbounded_channel();
    let opened = std::sync::Arc::new(Semaphore::new(0));
    let door = Door {
        operation,
        arrived,
        opened: std::sync::Arc::clone(&opened),
    };
    (door, arrivals, opened)
}

/// Changes the file after it is opened and before its first part is read, and expects this reason.
async fn change_after_opening(change: fn(&Path), reason: &str) {
    let (door, mut arrivals, opened) = door(Operation::CreateMultipartUpload);
    let bed = Bed::gated(door).await;
    bed.feed("a.parquet", FeedSize::Bytes(6 << 20));
    let child = bed.start(&[]);
    arrivals.recv().await.unwrap();
    change(&bed.source("a.parquet"));
    opened.add_permits(1);
    assert_not_uploaded(finish(child).await, reason);
    bed.assert_nothing_published();
    assert_eq!(bed.keys(), ["_progress/plan.json"]);
}

#[tokio::test]
async fn a_file_that_grows_is_not_uploaded() {
    let grown = |path: &Path| {
        File::options()
            .append(true)
            .open(path)
            .unwrap()
            .write_all(b"more")
            .unwrap();
    };
    change_after_opening(grown, "it changed while being read: its size differs").await;
    lob_testkit::fault_fired("D1");
}

#[tokio::test]
async fn a_file_that_shrinks_is_not_uploaded() {
    let shrunk = |path: &Path| {
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(1000)
            .unwrap();
    };
    change_after_opening(shrunk, "it changed while being read: it ended early").await;
}

#[tokio::test]
async fn a_file_rewritten_in_place_with_its_old_time_is_not_uploaded() {
    let rewritten = |path: &Path| {
        let file = File::options().write(true).open(path).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.write_all_at(b"other", 1000).unwrap();
        file.set_modified(modified).unwrap();
    };
    change_after_opening(
        rewritten,
        "it changed while being read: its change time differs",
    )
    .await;
    lob_testkit::fault_fired("D2");
}

#[tokio::test]
async fn a_file_that_is_replaced_is_not_uploaded() {
    let replaced = |path: &Path| {
        let other = path.with_extension("other");
        std::fs::copy(path, &other).unwrap();
        std::fs::rename(other, path).unwrap();
    };
    change_after_opening(
        replaced,
        "it changed while being read: its change time differs",
    )
    .await;
    lob_testkit::fault_fired("D3");
}

#[tokio::test]
async fn a_file_that_changes_between_two_parts_is_not_uploaded() {
    let (door, mut arrivals, opened) = door(Operation::UploadPart);
    let bed = Bed::gated(door).await;
    bed.feed("a.parquet", FeedSize::Bytes(11 << 20));
    let child = bed.start(&["--buffer-size", "10MiB"]);
    // Two parts fill the buffer, so the third cannot have been read.
    arrivals.recv().await.unwrap();
    arrivals.recv().await.unwrap();
    let file = File::options()
        .write(true)
        .open(bed.source("a.parquet"))
        .unwrap();
    file.write_all_at(b"other", 1000).unwrap();
    opened.add_permits(1);
    let finished = finish(child).await.expect(1);
    assert!(
        finished.stderr.contains("it changed while being read"),
        "{}",
        finished.stderr
    );
    bed.assert_nothing_published();
}

#[tokio::test]
async fn a_file_that_changes_before_it_is_read_is_not_uploaded() {
    let (door, mut arrivals, opened) = door(Operation::PutObject);
    let bed = Bed::gated(door).await;
    bed.feed("a.parquet", FeedSize::Rows(10));
    let child = bed.start(&[]);
    arrivals.recv().await.unwrap();
    bed.feed("a.parquet", FeedSize::Rows(11));
    opened.add_permits(1);
    let reason = "it changed after the plan was made: its size differs";
    assert_not_uploaded(finish(child).await, reason);
    bed.assert_nothing_published();
}

#[tokio::test]
async fn a_file_that_appears_while_others_are_sent_is_reported_but_not_uploaded() {
    let bed = Bed::new().await;
    let feeds = vec![(
        "a.parquet".to_owned(),
        bed.feed("a.parquet", FeedSize::Rows(10)),
    )];
    let mut sending = bed
        .trap
        .set(|moment, request| moment == Moment::Arrived && writes(request, "a.parquet"));
    let upload = ["--run-id", "run-1", "--json", "--log-level", "warn"];
    let child = bed.command(&upload).spawn().unwrap();
    sending.request().await;
    bed.feed("new/b.parquet", FeedSize::Rows(10));
    std::fs::write(bed.source("new/notes.txt"), "not selected").unwrap();
    sending.release();
    let finished = finish(child).await.expect(0);
    let told = "not uploaded: it is not in the run's plan";
    assert!(finished.stderr.contains(told), "{}", finished.stderr);
    let result: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(result["appeared"], serde_json::json!(["new/b.parquet"]));
    bed.assert_whole(&feeds);
    lob_testkit::fault_fired("D6");
}
