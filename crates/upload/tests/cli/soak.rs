//! Many runs in which a twentieth of all requests fails, and many in which the file changes: every
//! run is whole and correct, or does not exist.
//!
//! `LOB_SOAK_RUNS=100` makes that many runs under faults, and half as many for each kind of change.
//! Parts then stall for as long as it takes: their attempts last minutes, because the timeout
//! allows for a body at the slowest rate. In the ordinary test, a part that stalls is reset
//! instead.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::StreamExt as _;
use lob_testkit::parquet_files::FeedSize;
use lob_testkit::s3::{
    FaultCounts, Gate, Moment, Operation, RandomFaults, Request, S3Options, Verdict,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::bed::{BUCKET, Bed};

/// How many runs are in flight at once.
const AT_ONCE: usize = 8;
const ORDINARY_RUNS: u64 = 25;

/// The number of runs requested, if any.
fn asked_for() -> Option<u64> {
    let asked = std::env::var("LOB_SOAK_RUNS").ok()?;
    Some(asked.parse().unwrap())
}

/// Random faults, optionally cutting stalled parts short.
struct Faults {
    random: RandomFaults,
    parts_stall: bool,
}

#[async_trait]
impl Gate for Faults {
    async fn decide(&self, moment: Moment, request: &Request) -> Verdict {
        match self.random.decide(moment, request).await {
            Verdict::Hold if request.operation == Operation::UploadPart && !self.parts_stall => {
                Verdict::Reset
            }
            verdict => verdict,
        }
    }

    /// The test counts the faults of all runs.
    fn must_strike(&self) -> bool {
        false
    }
}

/// One run of twenty files, two of them in parts.
async fn under_faults(seed: u64, parts_stall: bool) -> FaultCounts {
    let faults = Arc::new(Faults {
        random: RandomFaults::new(seed, 0.05),
        parts_stall,
    });
    let gate: Arc<dyn Gate> = Arc::clone(&faults) as _;
    let bed = Bed::on(S3Options {
        gate: Some(gate),
        ..S3Options::default()
    })
    .await;
    let feeds: Vec<_> = (0..20)
        .map(|number| {
            let size = if number < 2 { 6 << 20 } else { 20_000 };
            // Feeds whose names differ in length hold different values.
            let name = format!("{}.parquet", "x".repeat(number + 1));
            let bytes = bed.feed(&name, FeedSize::Bytes(size));
            (name, bytes)
        })
        .collect();
    let finished = bed.upload(&["--attempt-timeout", "1s"]).await;
    let code = finished.status.code();
    assert_eq!(code, Some(0), "seed {seed}: {}", finished.shown());
    bed.assert_whole(&feeds);
    faults.random.counts()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_run_under_faults_completes_with_the_right_bytes() {
    let asked = asked_for();
    let runs = asked.unwrap_or(ORDINARY_RUNS);
    let counts: Vec<_> = futures::stream::iter(0..runs)
        .map(|seed| under_faults(seed, asked.is_some()))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    assert_eq!(counts.len() as u64, runs);
    let faults: u64 = counts.iter().map(FaultCounts::faults).sum();
    let requests: u64 = counts.iter().map(|counts| counts.requests).sum();
    assert!(faults * 100 > requests * 3, "{faults} of {requests}");
}

/// Changes the file with these bytes, and returns its new bytes.
type Change = fn(&Path, Vec<u8>) -> Vec<u8>;

fn append(path: &Path, mut bytes: Vec<u8>) -> Vec<u8> {
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(b"more", bytes.len() as u64).unwrap();
    bytes.extend(b"more");
    bytes
}

fn truncate(path: &Path, mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 1_000_000);
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    bytes
}

fn replace(path: &Path, bytes: Vec<u8>) -> Vec<u8> {
    let bytes = with_other_values(bytes);
    let other = path.with_extension("other");
    fs::write(&other, &bytes).unwrap();
    fs::rename(other, path).unwrap();
    bytes
}

/// Like a program that covers its tracks: same size, old modification time.
fn rewrite_in_place(path: &Path, bytes: Vec<u8>) -> Vec<u8> {
    let bytes = with_other_values(bytes);
    let file = File::options().write(true).open(path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    file.set_modified(modified).unwrap();
    bytes
}

/// Changes a value here and there in each part; the file is still Parquet.
fn with_other_values(mut bytes: Vec<u8>) -> Vec<u8> {
    let values = 1000..bytes.len() - 500_000;
    for byte in bytes[values].iter_mut().step_by(1_000_000) {
        *byte ^= 1;
    }
    bytes
}

/// Uploads a file of three parts that changes after `pause`; returns whether it was published.
async fn while_changing(change: Change, pause: Duration) -> bool {
    let bed = Bed::new().await;
    let before = bed.feed("a.parquet", FeedSize::Bytes(11 << 20));
    let path: PathBuf = bed.source("a.parquet");
    let child = bed.start(&["--buffer-size", "10MiB"]);
    tokio::time::sleep(pause).await;
    let after = change(&path, before.clone());
    let finished = crate::bed::finish(child).await;
    if finished.status.success() {
        let published = bed.object("a.parquet").bytes;
        assert!(published == before || published == after, "after {pause:?}");
        bed.run(&["verify", "run-1", "--full"]).await.expect(0);
        return true;
    }
    finished.expect(1);
    bed.assert_nothing_published();
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_at_any_moment_is_never_published_with_wrong_bytes() {
    let tries = asked_for().map_or(10, |runs| runs / 2);
    let undisturbed = Bed::new().await;
    undisturbed.feed("a.parquet", FeedSize::Bytes(11 << 20));
    let begin = Instant::now();
    undisturbed
        .upload(&["--buffer-size", "10MiB"])
        .await
        .expect(0);
    let duration = begin.elapsed();

    let mut moments = StdRng::seed_from_u64(1);
    let changes: [Change; 4] = [append, truncate, replace, rewrite_in_place];
    let tries = changes
        .into_iter()
        .flat_map(|change| (0..tries).map(move |_| change));
    let tries = tries.map(|change| (change, duration.mul_f64(moments.random_range(0.0..1.5))));
    let tries: Vec<_> = tries.collect();
    let count = tries.len();
    let published: Vec<bool> = futures::stream::iter(tries)
        .map(|(change, pause)| while_changing(change, pause))
        .buffer_unordered(2)
        .collect()
        .await;
    assert_eq!(published.len(), count);
    // The moments range from before the plan to after the commit.
    assert!(published.contains(&true) && published.contains(&false));
    assert_eq!(undisturbed.s3.open_uploads(BUCKET), []);
}
