//! Replies that get lost and servers that ask for patience: the run ends as if nothing had been.

use std::sync::atomic::{AtomicU32, Ordering};

use lob_testkit::s3::{
    Conditions, Gate, Moment, Operation, Request, S3Options, Verdict, Weaknesses,
};
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

#[tokio::test]
async fn a_commit_that_nobody_can_tell_of_ends_as_unknown_and_cleans_nothing_up() {
    let gate = move |moment: Moment, request: &Request| {
        let manifest = request.key.ends_with("/manifest.json");
        if !manifest || (moment == Moment::Arrived && request.operation == Operation::PutObject) {
            return Verdict::Pass;
        }
        // The manifest is written, and from then on nothing is heard of it.
        Verdict::Disconnect
    };
    let bed = Bed::gated(gate).await;
    bed.feeds();
    let finished = bed.upload(&["--max-attempts", "2"]).await.expect(4);
    assert!(
        finished.stderr.contains("manifest.json"),
        "{}",
        finished.stderr
    );
    assert!(
        finished.stderr.contains("nothing was cleaned up"),
        "{}",
        finished.stderr
    );
    assert!(bed.has_manifest());
    assert_eq!(bed.keys().len(), 5);
}

#[tokio::test]
async fn an_object_of_another_writer_is_a_conflict_and_stays_as_it_is() {
    let bed = Bed::new().await;
    bed.feeds();
    let key = format!("{}/none.parquet", crate::bed::RUN);
    bed.server
        .put_raw(crate::bed::BUCKET, &key, &b"another writer's"[..]);
    let finished = bed.upload(&[]).await.expect(1);
    assert!(
        finished.stderr.contains("none.parquet"),
        "{}",
        finished.stderr
    );
    assert!(finished.stderr.contains("--run-id"), "{}", finished.stderr);
    assert!(!bed.has_manifest());
    assert_eq!(bed.object("none.parquet").bytes, &b"another writer's"[..]);
}

#[tokio::test]
async fn a_server_that_ignores_conditions_is_told_of_and_recorded() {
    let options = S3Options {
        weaknesses: Weaknesses {
            conditions: Conditions::Ignored,
            ..Weaknesses::default()
        },
        ..S3Options::default()
    };
    let bed = Bed::on(options).await;
    bed.feeds();
    let finished = bed.run(&["--run-id", "run-1"]).await.expect(0);
    assert!(
        finished.stderr.contains("ignores conditions"),
        "{}",
        finished.stderr
    );
    let manifest: Value = serde_json::from_slice(&bed.object("manifest.json").bytes).unwrap();
    assert_eq!(manifest["endpoint"]["conditional_writes"], false);
}
