//! Replies that get lost and servers that ask for patience: the run ends as if nothing had been.

use std::sync::atomic::{AtomicU32, Ordering};

use lob_testkit::s3::{Gate, Moment, Operation, Request, Verdict};
use serde_json::Value;

use crate::bed::{Bed, writes};

/// Loses the first reply to a request that was executed and is `chosen`.
fn losing(chosen: impl Fn(&Request) -> bool + Send + Sync + 'static) -> impl Gate {
    let seen = AtomicU32::new(0);
    move |moment: Moment, request: &Request| {
        let lost = moment == Moment::Executed
            && chosen(request)
            && seen.fetch_add(1, Ordering::Relaxed) == 0;
        if lost {
            Verdict::Disconnect
        } else {
            Verdict::Pass
        }
    }
}

async fn assert_succeeds(bed: Bed) {
    let feeds = bed.feeds();
    bed.upload(&[]).await.expect(0);
    for (name, bytes) in feeds {
        assert_eq!(bed.object(&name).bytes, bytes, "{name}");
    }
    assert!(bed.has_manifest());
    assert_eq!(bed.server.open_uploads(crate::bed::BUCKET), []);
}

#[tokio::test]
async fn a_lost_reply_to_any_write_is_settled() {
    for name in [
        "_progress/plan.json",
        "2025/small.parquet",
        "2025/big.parquet",
        "manifest.json",
    ] {
        assert_succeeds(Bed::gated(losing(move |request| writes(request, name))).await).await;
    }
}

#[tokio::test]
async fn a_lost_reply_to_a_part_is_settled() {
    let part = |request: &Request| request.operation == Operation::UploadPart;
    assert_succeeds(Bed::gated(losing(part)).await).await;
}

#[tokio::test]
async fn requests_to_slow_down_are_obeyed_and_counted() {
    let asked = AtomicU32::new(0);
    let slow = move |moment: Moment, request: &Request| {
        let part = moment == Moment::Arrived && request.operation == Operation::UploadPart;
        if part && asked.fetch_add(1, Ordering::Relaxed) < 2 {
            Verdict::Answer {
                status: 503,
                code: "SlowDown",
            }
        } else {
            Verdict::Pass
        }
    };
    let bed = Bed::gated(slow).await;
    bed.feeds();
    let finished = bed.upload(&["--json"]).await.expect(0);
    let result: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(result["retries"], 2);
    let parts = &result["metrics"]["operations"]["UploadPart"];
    assert_eq!(parts["throttles"], 2);
    assert_eq!(parts["errors"]["SlowDown"], 2);
}

#[tokio::test]
async fn a_part_that_is_refused_for_good_aborts_every_upload() {
    let gate = |moment: Moment, request: &Request| {
        if moment == Moment::Executed || request.operation != Operation::UploadPart {
            return Verdict::Pass;
        }
        match request.part_number {
            Some(2) if request.key.ends_with("1.parquet") => Verdict::Answer {
                status: 403,
                code: "AccessDenied",
            },
            // In flight until it is told to stop.
            _ if request.key.ends_with("2.parquet") => Verdict::Hold,
            _ => Verdict::Pass,
        }
    };
    let bed = Bed::gated(gate).await;
    for name in ["1.parquet", "2.parquet"] {
        bed.feed(name, lob_testkit::parquet_files::FeedSize::Bytes(6 << 20));
    }
    let finished = bed.upload(&[]).await.expect(1);
    assert!(finished.stderr.contains("1.parquet"), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("s3:PutObject"),
        "{}",
        finished.stderr
    );
    bed.assert_nothing_published();
}
