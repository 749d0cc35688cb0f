//! Networks that go away, slow down, damage bytes or close connections: the upload continues.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use lob_testkit::fault_fired;
use lob_testkit::parquet_files::FeedSize;
use lob_testkit::proxy::{Act, Place, Proxy, Rule};
use lob_testkit::s3::{Gate, Moment, Operation, Request, Verdict, perhaps};
use lob_testkit::wait::until;
use serde_json::Value;
use tokio::process::Child;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::sleep;

use crate::bed::{BUCKET, Bed, Finished, finish, writes};

/// How long the network is away in each way.
const OUTAGE: Duration = Duration::from_secs(3);
/// Makes a process give up an attempt quickly, so that a test need not wait.
const IMPATIENT: [&str; 4] = ["--attempt-timeout", "1s", "--connect-timeout", "1s"];

/// A bed and the network in front of its server.
struct Remote {
    bed: Bed,
    proxy: Arc<OnceLock<Proxy>>,
    files: Vec<(String, Vec<u8>)>,
}

impl Remote {
    /// `disturb` sees every request at both moments, along with the proxy.
    async fn new(disturb: impl Fn(Moment, &Request, &Proxy) + Send + Sync + 'static) -> Self {
        let proxy = Arc::new(OnceLock::<Proxy>::new());
        let disturbed = Arc::clone(&proxy);
        let bed = Bed::gated(perhaps(move |moment: Moment, request: &Request| {
            disturb(moment, request, disturbed.get().unwrap());
            Verdict::Pass
        }))
        .await;
        let started = Proxy::start(&bed.s3.endpoint()).unwrap();
        assert!(proxy.set(started).is_ok());
        let files = bed.feeds();
        Self { bed, proxy, files }
    }

    fn proxy(&self) -> &Proxy {
        self.proxy.get().unwrap()
    }

    fn start(&self, args: &[&str]) -> Child {
        let endpoint = self.proxy().endpoint();
        let common = ["--run-id", "run-1", "--json", "--endpoint-url", &endpoint];
        self.bed.command(&[&common, args].concat()).spawn().unwrap()
    }

    async fn upload(&self, args: &[&str]) -> Finished {
        finish(self.start(args)).await
    }

    /// Asserts that the run is whole; returns its result and its log.
    fn published(&self, finished: Finished) -> (Value, String) {
        let finished = finished.expect(0);
        for (name, bytes) in &self.files {
            assert!(self.bed.object(name).bytes == *bytes, "{name}");
        }
        assert!(self.bed.has_manifest());
        assert_eq!(self.bed.s3.open_uploads(BUCKET), []);
        let result = serde_json::from_str(&finished.stdout).unwrap();
        (result, finished.stderr)
    }
}

/// Acts on the network at the first `chosen` request, and reports it.
fn once(
    chosen: impl Fn(Moment, &Request) -> bool + Send + Sync + 'static,
    act: impl Fn(&Proxy) + Send + Sync + 'static,
) -> (
    impl Fn(Moment, &Request, &Proxy) + Send + Sync + 'static,
    UnboundedReceiver<()>,
) {
    let (done, dones) = unbounded_channel();
    let happened = Mutex::new(false);
    let disturb = move |moment: Moment, request: &Request, proxy: &Proxy| {
        let mut happened = happened.lock().unwrap();
        if !*happened && chosen(moment, request) {
            *happened = true;
            act(proxy);
            done.send(()).unwrap();
        }
    };
    (disturb, dones)
}

fn first_part(moment: Moment, request: &Request) -> bool {
    let part = request.operation == Operation::UploadPart && request.key.ends_with(".parquet");
    moment == Moment::Arrived && part
}

#[tokio::test]
async fn an_upload_survives_a_network_outage() {
    let (disturb, mut away) = once(first_part, Proxy::refuse);
    let remote = Remote::new(disturb).await;
    let child = remote.start(&IMPATIENT);
    away.recv().await.unwrap();
    sleep(OUTAGE).await;
    remote.proxy().drop_all();
    sleep(OUTAGE).await;
    remote.proxy().pass();
    let (result, log) = remote.published(finish(child).await);
    let parts = &result["metrics"]["operations"]["UploadPart"];
    assert!(parts["retries"].as_u64().unwrap() >= 4, "{parts}");
    for told in ["s3 request failed", "retrying s3 request", "waited="] {
        assert!(log.contains(told), "{log}");
    }
}

#[tokio::test]
async fn a_slow_link_that_makes_progress_is_left_alone() {
    let remote = Remote::new(|_, _, _| ()).await;
    remote.proxy().limit_uplink(Some(3 << 20));
    let (result, log) = remote.published(remote.upload(&[]).await);
    assert_eq!(result["retries"], 0, "{log}");
}

#[tokio::test]
async fn the_attempt_timeout_grows_with_the_body() {
    let remote = Remote::new(|_, _, _| ()).await;
    remote.proxy().limit_uplink(Some(3 << 19));
    let begin = Instant::now();
    let (result, log) = remote.published(remote.upload(&["--attempt-timeout", "1s"]).await);
    let parts = &result["metrics"]["operations"]["UploadPart"];
    assert_eq!(parts["retries"], 0, "{log}");
    // Each of the two parts was in flight for longer than an attempt without a body may take.
    assert!(begin.elapsed() > Duration::from_secs(4));
}

#[tokio::test]
async fn bytes_damaged_in_transit_are_refused_and_sent_again() {
    for (name, size, operation, [of_double, of_minio]) in [
        (
            "big.parquet",
            FeedSize::Bytes(6 << 20),
            "UploadPart",
            ["BadDigest", "XAmzContentChecksumMismatch"],
        ),
        (
            "small.parquet",
            FeedSize::Rows(1000),
            "PutObject",
            ["XAmzContentSHA256Mismatch"; 2],
        ),
    ] {
        let begins = move |moment: Moment, request: &Request| match request.operation {
            // The next request is the first part.
            Operation::CreateMultipartUpload => {
                moment == Moment::Executed && request.key.ends_with(name)
            }
            // The second put of the plan is the last request before the file's.
            _ => {
                operation == "PutObject"
                    && moment == Moment::Executed
                    && request.status == Some(412)
            }
        };
        let (disturb, _damaged) = once(begins, |proxy| {
            proxy.apply(Rule::up("", Place::Start(50_000), Act::Flip));
        });
        let mut remote = Remote::new(disturb).await;
        std::fs::remove_dir_all(remote.bed.path("lob_data")).unwrap();
        remote.files = vec![(name.to_owned(), remote.bed.feed(name, size))];
        let (result, log) = remote.published(remote.upload(&[]).await);
        let metrics = &result["metrics"]["operations"][operation];
        let code = remote.bed.s3.either(of_double, of_minio);
        assert_eq!(metrics["errors"][code], 1, "{metrics} {log}");
        assert_eq!(metrics["retries"], 1);
    }
}

#[tokio::test]
async fn a_lasting_outage_ends_the_run_in_time_and_says_what_to_do() {
    let (disturb, mut away) = once(first_part, Proxy::refuse);
    let remote = Remote::new(disturb).await;
    let begin = Instant::now();
    let args = [&IMPATIENT[..], &["--retry-timeout", "2s"]].concat();
    let finished = remote.upload(&args).await.expect(1);
    let elapsed = begin.elapsed();
    away.try_recv().unwrap();
    assert!((2..60).contains(&elapsed.as_secs()), "{elapsed:?}");
    for told in ["--endpoint-url", "--run-id run-1"] {
        assert!(finished.stderr.contains(told), "{}", finished.stderr);
    }
    assert!(!remote.bed.has_manifest());

    // What was sent is kept for the next process.
    remote.proxy().pass();
    remote.published(remote.upload(&[]).await);
}

#[tokio::test]
async fn an_outage_at_the_commit_leaves_an_unknown_outcome() {
    let commits = |moment: Moment, request: &Request| {
        moment == Moment::Executed && writes(request, "manifest.json")
    };
    let (disturb, mut away) = once(commits, Proxy::refuse);
    let remote = Remote::new(disturb).await;
    let begin = Instant::now();
    let args = [&IMPATIENT[..], &["--retry-timeout", "1s"]].concat();
    let finished = remote.upload(&args).await.expect(4);
    away.try_recv().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(60));
    let told = finished.stderr.contains("nothing was cleaned up");
    assert!(told, "{}", finished.stderr);

    remote.proxy().pass();
    let (result, _) = remote.published(remote.upload(&[]).await);
    assert_eq!(result["was_committed"], true);
}

/// A run of one file. Replies come at half the minimum rate from the first request for the file
/// until request number `lifted`.
async fn trickling(lifted: usize) -> Remote {
    let asked = AtomicUsize::new(0);
    let mut remote = Remote::new(move |moment: Moment, request: &Request, proxy: &Proxy| {
        let big = request.key.ends_with("big.parquet");
        if big && request.operation == Operation::GetObject && moment == Moment::Arrived {
            let is_slow = asked.fetch_add(1, Ordering::Relaxed) + 1 < lifted;
            proxy.limit_downlink(is_slow.then_some(16 << 10));
        }
    })
    .await;
    std::fs::remove_dir_all(remote.bed.path("lob_data")).unwrap();
    let bytes = remote.bed.feed("big.parquet", FeedSize::Bytes(6 << 20));
    remote.files = vec![("big.parquet".to_owned(), bytes)];
    remote.published(remote.upload(&[]).await);
    remote
}

impl Remote {
    async fn verify(&self) -> Finished {
        let endpoint = self.proxy().endpoint();
        let args = ["verify", "run-1", "--full", "--endpoint-url", &endpoint];
        let times = ["--attempt-timeout", "1s", "--retry-timeout", "3s"];
        self.bed.run(&[&args[..], &times].concat()).await
    }
}

#[tokio::test]
async fn a_download_that_trickles_times_out_and_says_so() {
    let remote = trickling(usize::MAX).await;
    let begin = Instant::now();
    let finished = remote.verify().await.expect(1);
    let elapsed = begin.elapsed();
    assert!((3..60).contains(&elapsed.as_secs()), "{elapsed:?}");
    for told in ["big.parquet", "too slow", "--retry-timeout"] {
        assert!(finished.stderr.contains(told), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn a_download_leaves_a_trickling_connection_and_resumes_where_it_was() {
    let remote = trickling(2).await;
    let finished = remote.verify().await.expect(0);
    let got = remote.bed.asked(Operation::GetObject, "big.parquet", 0);
    assert_eq!(got.len(), 2, "{}", finished.stderr);
    assert!(got[1].headers.contains_key("range"), "{:?}", got[1]);
    assert!(got[1].response_bytes < got[0].response_bytes);
    fault_fired("B11");
}

/// Breaks the connection once per operation, as it is reused.
fn breaking(verdict: Verdict) -> impl Gate {
    let broken = Mutex::new(BTreeSet::new());
    move |moment: Moment, request: &Request| {
        if moment == Moment::Arrived && broken.lock().unwrap().insert(request.operation) {
            verdict.clone()
        } else {
            Verdict::Pass
        }
    }
}

#[tokio::test]
async fn a_connection_closed_on_reuse_is_reopened() {
    for verdict in [Verdict::Disconnect, Verdict::Reset] {
        let bed = Bed::gated(breaking(verdict)).await;
        let feeds = bed.feeds();
        let finished = bed.upload(&["--json"]).await.expect(0);
        for (name, bytes) in feeds {
            assert!(bed.object(&name).bytes == bytes, "{name}");
        }
        assert_eq!(bed.s3.open_uploads(BUCKET), []);
        let result: Value = serde_json::from_str(&finished.stdout).unwrap();
        let operations = result["metrics"]["operations"].as_object().unwrap();
        for (operation, metrics) in operations {
            assert_eq!(metrics["errors"]["transport"], 1, "{operation}");
        }
        bed.run(&["verify", "run-1", "--full"]).await.expect(0);
    }
    fault_fired("B3");
    fault_fired("B19");
}

/// Whether a client's connection to this port is idle and the kernel will send a keep-alive probe
/// on it; see `tcp` in proc(5).
fn is_kept_alive(port: u16) -> bool {
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let to_server = format!(":{port:04X}");
    let mut sockets = sockets.lines().map(|line| line.split_whitespace());
    sockets.any(|mut fields| {
        let remote = fields.nth(2).unwrap();
        let (state, timer) = (fields.next().unwrap(), fields.nth(1).unwrap_or_default());
        remote.ends_with(&to_server) && state == "01" && timer.starts_with("02:")
    })
}

#[tokio::test]
async fn a_connection_waiting_for_a_reply_is_kept_alive() {
    let bed = Bed::new().await;
    bed.feeds();
    let complete = |moment: Moment, request: &Request| {
        moment == Moment::Arrived && writes(request, "2025/big.parquet")
    };
    let mut catch = bed.trap.set(complete);
    let child = bed.start(&[]);
    catch.request().await;
    let endpoint = bed.s3.endpoint();
    let port = endpoint.rsplit(':').next().unwrap().parse().unwrap();
    // The kernel may not know yet that the request has arrived.
    until("the connection is kept alive", async || is_kept_alive(port)).await;
    catch.release();
    finish(child).await.expect(0);
}
