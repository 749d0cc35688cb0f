//! A data file larger than one range is fetched in ranges, and comes back whole whatever happens to
//! one of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bson::{RawDocumentBuf, rawdoc};
use lob_testkit::s3::{Moment, Operation, Request, Verdict, first};
use lob_tests::servers::{Gates, Servers};

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

/// Exports and imports with doubles whose second range meets `verdict` first; returns how often it
/// was asked for.
async fn asked(moment: Moment, verdict: Verdict) -> usize {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let gate = first(1, moment, verdict, move |request| {
        let is_meant = is_range(request);
        if is_meant {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        is_meant
    });
    let servers = Servers::doubles(Gates {
        s3: Some(Arc::new(gate)),
        mongo: None,
    })
    .await;
    let documents = documents();
    servers.insert("split_0_input", &documents).await;
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
    servers.run("lob-import", &import).await.with_status(0);
    let restored = servers.documents("restored", "split_0_input").await;
    assert!(restored == documents);
    count.load(Ordering::Relaxed)
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
