//! How many requests are in flight, in which order and at what pace, and what protects their bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lob_testkit::parquet_files::FeedSize;
use lob_testkit::s3::{Gate, Moment, Operation, Request, S3Options, Verdict, crc64nvme};
use sha2::Digest as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};

use crate::bed::{BUCKET, Bed, finish};

fn is_data(request: &Request) -> bool {
    let sends = matches!(
        request.operation,
        Operation::PutObject | Operation::UploadPart
    );
    sends && request.key.ends_with(".parquet")
}

#[tokio::test]
async fn the_largest_files_go_first() {
    let bed = Bed::new().await;
    for (name, rows) in [("a", 10), ("b", 3000), ("c", 100), ("d", 1000)] {
        bed.feed(&format!("{name}.parquet"), FeedSize::Rows(rows));
    }
    bed.feed("e.parquet", FeedSize::Bytes(6 << 20));
    bed.upload(&["--jobs", "1"]).await.expect(0);
    let mut order: Vec<_> = bed.s3.requests().into_iter().filter(is_data).collect();
    order.dedup_by(|a, b| a.key == b.key);
    let order: Vec<_> = order.iter().map(|r| r.key.rsplit('/').next()).collect();
    let names = ["e", "b", "d", "c", "a"].map(|name| format!("{name}.parquet"));
    assert_eq!(order, names.each_ref().map(|name| Some(name.as_str())));
}

/// Lets one data write through whenever the expected number is waiting, or all that will come have
/// arrived.
struct Crowd {
    expected: usize,
    total: usize,
    seen: watch::Sender<Seen>,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    arrived: usize,
    waiting: usize,
    most: usize,
}

#[async_trait]
impl Gate for Crowd {
    async fn decide(&self, moment: Moment, request: &Request) -> Verdict {
        if moment == Moment::Executed || !is_data(request) {
            return Verdict::Pass;
        }
        self.seen.send_modify(|seen| {
            seen.arrived += 1;
            seen.waiting += 1;
            seen.most = seen.most.max(seen.waiting);
        });
        let mut looking = self.seen.subscribe();
        let mut passed = false;
        while !passed {
            let full = |seen: &Seen| seen.waiting >= self.expected || seen.arrived == self.total;
            looking.wait_for(full).await.unwrap();
            self.seen.send_if_modified(|seen| {
                passed = full(seen);
                seen.waiting -= usize::from(passed);
                passed
            });
        }
        Verdict::Pass
    }

    /// The test looks at what was seen.
    fn must_strike(&self) -> bool {
        false
    }
}

/// The largest number of data writes in flight at once, with a server that waits for `expected`.
async fn crowd(files: &[FeedSize], total: usize, expected: usize, args: &[&str]) -> usize {
    let gate = Arc::new(Crowd {
        expected,
        total,
        seen: watch::Sender::default(),
    });
    let asked: Arc<dyn Gate> = Arc::clone(&gate) as _;
    let bed = Bed::on(S3Options {
        gate: Some(asked),
        ..S3Options::default()
    })
    .await;
    let mut bytes = Vec::new();
    for (number, size) in files.iter().enumerate() {
        let name = format!("{number:02}.parquet");
        bytes.push((name.clone(), bed.feed(&name, *size)));
    }
    bed.upload(args).await.expect(0);
    for (name, bytes) in bytes {
        assert!(bed.object(&name).bytes == bytes, "{name}");
    }
    let seen = *gate.seen.borrow();
    assert_eq!(seen.arrived, total);
    seen.most
}

#[tokio::test]
async fn the_limit_on_parts_in_flight_spans_all_files() {
    let files = [FeedSize::Bytes(11 << 20), FeedSize::Bytes(16 << 20)];
    let args = ["--parts-in-flight", "3", "--buffer-size", "64MiB"];
    assert_eq!(crowd(&files, 7, 3, &args).await, 3);
}

#[tokio::test]
async fn parts_in_flight_never_exceed_the_buffer() {
    let files = [FeedSize::Bytes(11 << 20), FeedSize::Bytes(16 << 20)];
    let args = ["--parts-in-flight", "8", "--buffer-size", "10MiB"];
    assert_eq!(crowd(&files, 7, 2, &args).await, 2);
}

#[tokio::test]
async fn files_sent_in_one_request_count_as_parts() {
    let files = [FeedSize::Rows(10); 20];
    let args = ["--parts-in-flight", "3", "--jobs", "8"];
    assert_eq!(crowd(&files, 20, 3, &args).await, 3);
    let args = ["--parts-in-flight", "8", "--jobs", "5"];
    assert_eq!(crowd(&files, 20, 5, &args).await, 5);
}

/// Lets the test decide the outcome of each data write.
struct Asking(Mutex<UnboundedSender<oneshot::Sender<Verdict>>>);

#[async_trait]
impl Gate for Asking {
    async fn decide(&self, moment: Moment, request: &Request) -> Verdict {
        if moment == Moment::Executed || !is_data(request) {
            return Verdict::Pass;
        }
        let (answer, answered) = oneshot::channel();
        // Once the test has seen enough, everything passes.
        let _ = self.0.lock().unwrap().send(answer);
        answered.await.unwrap_or(Verdict::Pass)
    }
}

/// The data writes waiting for an answer, in order of arrival.
struct Waiting {
    arrivals: UnboundedReceiver<oneshot::Sender<Verdict>>,
    held: VecDeque<oneshot::Sender<Verdict>>,
}

impl Waiting {
    /// Waits until `count` writes are waiting, and checks that there are no more.
    async fn are(&mut self, count: usize) {
        while self.held.len() < count {
            self.held.push_back(self.arrivals.recv().await.unwrap());
        }
        while let Ok(more) = self.arrivals.try_recv() {
            self.held.push_back(more);
        }
        assert_eq!(self.held.len(), count);
    }

    fn answer(&mut self, verdict: Verdict) {
        self.held.pop_front().unwrap().send(verdict).unwrap();
    }
}

/// The server asks once to slow down while eight files are in flight.
async fn slowed_down_by(status: u16, code: &'static str) {
    let (sender, arrivals) = unbounded_channel();
    let bed = Bed::gated(Asking(Mutex::new(sender))).await;
    for number in 0..40 {
        bed.feed(&format!("{number:02}.parquet"), FeedSize::Rows(10));
    }
    let child = bed.start(&["--parts-in-flight", "8", "--jobs", "16"]);
    let mut waiting = Waiting {
        arrivals,
        held: VecDeque::new(),
    };
    waiting.are(8).await;
    waiting.answer(Verdict::Answer { status, code });
    // It is retried; what was already in flight continues.
    waiting.are(8).await;
    // Four of them finish without being replaced; four successes make room for a fifth, five for a
    // sixth, and so on.
    let steps = [
        &[7, 6, 5, 5][..],
        &[5, 5, 5, 5, 6],
        &[6, 6, 6, 6, 6, 7],
        &[7, 7, 7, 7, 7, 7, 8],
        &[8, 8, 8],
    ];
    for count in steps.concat() {
        waiting.answer(Verdict::Pass);
        waiting.are(count).await;
    }
    drop(waiting);
    finish(child).await.expect(0);
    let files = bed.manifest()["num_successful"].clone();
    assert_eq!(files, 40);
}

#[tokio::test]
async fn a_request_to_slow_down_halves_the_limit_which_then_grows_one_by_one() {
    slowed_down_by(503, "SlowDown").await;
    slowed_down_by(429, "TooManyRequests").await;
}

#[tokio::test]
async fn a_single_put_is_signed_with_its_sha_256_and_parts_carry_their_crc() {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    bed.upload(&[]).await.expect(0);
    let requests = bed.s3.requests();
    for (name, bytes) in feeds {
        let mut sent = 0;
        let of_file = |r: &&Request| is_data(r) && r.key.ends_with(&name);
        let mut parts: Vec<_> = requests.iter().filter(of_file).collect();
        // They may arrive in any order.
        parts.sort_by_key(|request| request.part_number);
        for request in parts {
            let begin = sent;
            sent += usize::try_from(request.request_bytes).unwrap();
            let signed = request.header("x-amz-content-sha256");
            let (expected, body) = match request.operation {
                Operation::PutObject => (hex::encode(sha2::Sha256::digest(&bytes)), &bytes[..]),
                _ => ("UNSIGNED-PAYLOAD".to_owned(), &bytes[begin..sent]),
            };
            assert_eq!(signed, Some(expected.as_str()), "{name}");
            let crc = request.header("x-amz-checksum-crc64nvme");
            assert_eq!(crc, Some(crc64nvme(body).as_str()), "{name}");
        }
        assert_eq!(sent, bytes.len(), "{name}");
    }
}

#[tokio::test]
async fn uploads_stay_within_the_bandwidth_limit() {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    let begin = Instant::now();
    bed.upload(&["--max-bandwidth", "4MiB"]).await.expect(0);
    // 6.1 MiB, of which the first slice goes out at once.
    assert!(begin.elapsed() >= Duration::from_millis(1400));
    for (name, bytes) in feeds {
        assert!(bed.object(&name).bytes == bytes, "{name}");
    }
    assert_eq!(bed.s3.open_uploads(BUCKET), []);
}

#[tokio::test]
async fn downloads_stay_within_the_bandwidth_limit() {
    let bed = Bed::new().await;
    bed.feeds();
    bed.upload(&[]).await.expect(0);
    let begin = Instant::now();
    let verify = ["--max-bandwidth", "4MiB", "verify", "run-1", "--full"];
    bed.run(&verify).await.expect(0);
    // 6.1 MiB, of which the first slice arrives at once.
    assert!(begin.elapsed() >= Duration::from_millis(1400));
}
