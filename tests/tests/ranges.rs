//! A data file larger than one range is fetched in ranges, and comes back whole whatever happens to
//! one of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bson::{RawDocumentBuf, rawdoc};
use lob_testkit::fault_fired;
use lob_testkit::s3::{Gate, Moment, Operation, Request, Verdict, first, perhaps};
use lob_tests::servers::{Gates, Servers};
use lob_tests::tool::Ended;

const RANGE: &str = "bytes=4194304-8388607";

/// About 10 MB that do not shrink.
fn documents() -> Vec<RawDocumentBuf> {
    let noise = |seed: u64, number: u64| {
        let mixed = (seed << 20 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        f64::from_bits(mixed >> 12 | 0x3ff0_0000_0000_0000)
    };
    let document = |seed: u64| {
        let numbers = bson::RawArrayBuf::from_iter((0..1000).map(|number| noise(seed, number)));
        rawdoc! { "_id": i64::try_from(seed).unwrap(), "numbers": numbers }
    };
    (0..1300).map(document).collect()
}

fn is_range(request: &Request) -> bool {
    request.operation == Operation::GetObject && request.header("range") == Some(RANGE)
}

/// Exports and imports with doubles whose second range meets `verdict` the first `times`; returns
/// how often it was asked for, how the import ended, and what it restored.
async fn imported(
    times: usize,
    moment: Moment,
    verdict: Verdict,
) -> (usize, Ended, Vec<RawDocumentBuf>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let is_counted = move |request: &Request| {
        let is_meant = is_range(request);
        if is_meant {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        is_meant
    };
    let gate: Arc<dyn Gate> = match verdict {
        Verdict::Pass => Arc::new(perhaps(move |at, request| {
            let _ = at == moment && is_counted(request);
            Verdict::Pass
        })),
        verdict => Arc::new(first(times, moment, verdict, is_counted)),
    };
    let servers = Servers::doubles(Gates {
        s3: Some(gate),
        mongo: None,
    })
    .await;
    servers.insert("split_0_input", &documents()).await;
    let export = ["--run-id", "r1", "--compression", "none"];
    servers.run("lob-export", &export).await.with_status(0);
    let import = [
        "--run-id",
        "r1",
        "--check",
        "full",
        "--database",
        "restored",
    ];
    let ended = servers.run("lob-import", &import).await;
    let restored = servers.documents("restored", "split_0_input").await;
    (count.load(Ordering::Relaxed), ended, restored)
}

/// How often an import asks for a range that meets `verdict` first, and then comes back whole.
async fn asked(moment: Moment, verdict: Verdict) -> usize {
    let (count, ended, restored) = imported(1, moment, verdict).await;
    ended.with_status(0);
    assert!(restored == documents());
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_file_in_ranges_comes_back_whole() {
    assert_eq!(asked(Moment::Arrived, Verdict::Pass).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_fails_once_is_asked_for_again() {
    let slow_down = Verdict::Answer {
        status: 503,
        code: "SlowDown",
    };
    for (moment, verdict) in [
        (Moment::Arrived, slow_down),
        (Moment::Arrived, Verdict::Disconnect),
        (Moment::Executed, Verdict::Reset),
    ] {
        assert!(asked(moment, verdict).await >= 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_file_that_was_replaced_by_the_same_bytes_is_fetched_again() {
    let replaced = Verdict::With("etag", "\"another\"".to_owned());
    assert!(asked(Moment::Executed, replaced).await >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_is_refused_or_not_the_one_asked_for_is_an_error() {
    let refused = Verdict::Answer {
        status: 416,
        code: "InvalidRange",
    };
    let of_another_size = Verdict::With("content-range", "bytes 4194304-8388607/9".to_owned());
    for (moment, verdict, words) in [
        (Moment::Arrived, refused, "InvalidRange"),
        (
            Moment::Executed,
            of_another_size,
            "it has 9 bytes instead of",
        ),
        (
            Moment::Executed,
            Verdict::Without("content-range"),
            "the server did not send the requested range",
        ),
    ] {
        let (count, ended, restored) = imported(usize::MAX, moment, verdict).await;
        assert!(count >= 1 && restored.is_empty());
        assert!(matches!(ended.status, Some(1 | 3)), "{}", ended.stderr);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
        let mut hints = ended
            .stderr
            .lines()
            .filter(|line| line.starts_with("hint: "));
        let may_resume = hints.any(|hint| hint.contains("resumes it"));
        assert_eq!(may_resume, words == "InvalidRange", "{}", ended.stderr);
    }
    fault_fired("A21");
}
