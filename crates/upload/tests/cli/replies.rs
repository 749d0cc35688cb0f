//! Lost replies and servers that ask for patience: the run ends as if nothing had happened.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lob_testkit::fault_fired;
use lob_testkit::s3::{Gate, Moment, Operation, Request, Verdict, first};
use serde_json::Value;

use crate::bed::{BUCKET, Bed, RUN, finish, writes};

/// Loses the reply to the first `chosen` request that was executed.
fn losing(chosen: impl Fn(&Request) -> bool + Send + Sync + 'static) -> impl Gate {
    first(1, Moment::Executed, Verdict::Disconnect, chosen)
}

async fn assert_succeeds(bed: Bed) -> Bed {
    let feeds = bed.feeds();
    bed.upload(&[]).await.expect(0);
    bed.assert_whole(&feeds);
    bed
}

/// Gives this verdict to the first `times` `chosen` requests, on arrival.
fn answering(
    verdict: Verdict,
    times: usize,
    chosen: impl Fn(&Request) -> bool + Send + Sync + 'static,
) -> impl Gate {
    first(times, Moment::Arrived, verdict, chosen)
}

/// Matches this operation on the file that is sent in parts.
fn of_big(operation: Operation) -> impl Fn(&Request) -> bool + Send + Sync + 'static {
    move |request| request.operation == operation && request.key == format!("{RUN}/{BIG}")
}

const BIG: &str = "2025/big.parquet";
const CONFLICT: Verdict = Verdict::Answer {
    status: 409,
    code: "ConditionalRequestConflict",
};
const GONE: Verdict = Verdict::Answer {
    status: 404,
    code: "NoSuchUpload",
};
const FORBIDDEN: Verdict = Verdict::Answer {
    status: 403,
    code: "AccessDenied",
};
const NOT_FOUND: Verdict = Verdict::Answer {
    status: 404,
    code: "NoSuchKey",
};

#[tokio::test]
async fn a_lost_reply_to_any_write_is_recovered() {
    for name in [
        "_progress/plan.json",
        "2025/small.parquet",
        "2025/big.parquet",
        "manifest.json",
    ] {
        let bed = Bed::gated(losing(move |request| writes(request, name))).await;
        let bed = assert_succeeds(bed).await;
        // The retry is refused, because the first attempt succeeded.
        let operation = match name {
            BIG => Operation::CompleteMultipartUpload,
            _ => Operation::PutObject,
        };
        let asked = bed.asked(operation, name, 0);
        let statuses: Vec<_> = asked.iter().map(|request| request.status).collect();
        assert_eq!(statuses[..2], [None, Some(412)], "{name}");
    }
    fault_fired("A10");
    fault_fired("B5");
}

#[tokio::test]
async fn an_upload_whose_create_got_no_reply_is_found_and_aborted() {
    for name in [BIG, "_progress/plan.json"] {
        let key = format!("{RUN}/{name}");
        let lost = losing(move |request: &Request| {
            request.operation == Operation::CreateMultipartUpload && request.key == key
        });
        let bed = assert_succeeds(Bed::gated(lost).await).await;
        assert_eq!(
            bed.asked(Operation::CreateMultipartUpload, name, 0).len(),
            2
        );
        let aborted = bed.asked(Operation::AbortMultipartUpload, name, 0);
        let manifest = bed.asked(Operation::PutObject, "manifest.json", 0);
        let last = aborted.last().unwrap();
        assert!(last.number < manifest[0].number, "{name}");
    }
}

#[tokio::test]
async fn a_lost_reply_to_a_part_is_recovered() {
    let part = |request: &Request| request.operation == Operation::UploadPart;
    assert_succeeds(Bed::gated(losing(part)).await).await;
}

#[tokio::test]
async fn requests_to_slow_down_are_obeyed_and_counted() {
    let (status, code) = (503, "SlowDown");
    let slow = answering(Verdict::Answer { status, code }, 2, |request| {
        request.operation == Operation::UploadPart
    });
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
async fn a_part_refused_for_good_aborts_only_its_own_upload() {
    let gate = |moment: Moment, request: &Request| {
        if moment == Moment::Executed || request.operation != Operation::UploadPart {
            return Verdict::Pass;
        }
        match request.part_number {
            Some(2) if request.key.ends_with("1.parquet") => Verdict::Answer {
                status: 400,
                code: "EntityTooLarge",
            },
            // In flight until told to stop.
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
    // The other file can be resumed.
    assert!(!bed.has_manifest());
    let open = bed.s3.open_uploads(BUCKET);
    assert_eq!(open.len(), 1);
    assert!(open[0].0.ends_with("2.parquet"), "{open:?}");
}

#[tokio::test]
async fn a_commit_with_an_unknown_outcome_cleans_nothing_up() {
    let gate = move |moment: Moment, request: &Request| {
        let manifest = request.key.ends_with("/manifest.json");
        if !manifest || (moment == Moment::Arrived && request.operation == Operation::PutObject) {
            return Verdict::Pass;
        }
        // The manifest is written, but every later reply about it is lost.
        Verdict::Disconnect
    };
    let bed = Bed::gated(gate).await;
    bed.feeds();
    let finished = bed.upload(&["--retry-timeout", "200ms"]).await.expect(4);
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
async fn another_writers_object_is_a_conflict_and_stays_as_it_is() {
    let bed = Bed::new().await;
    bed.feeds();
    let key = format!("{}/none.parquet", RUN);
    bed.s3.put_raw(BUCKET, &key, &b"another writer's"[..]);
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
async fn a_conflicting_put_is_retried() {
    let small = |request: &Request| writes(request, "2025/small.parquet");
    let bed = assert_succeeds(Bed::gated(answering(CONFLICT, 2, small)).await).await;
    let puts = bed.asked(Operation::PutObject, "2025/small.parquet", 0);
    let statuses: Vec<_> = puts.iter().map(|put| put.status).collect();
    assert_eq!(statuses, [Some(409), Some(409), Some(200)]);
    fault_fired("A11");
}

#[tokio::test]
async fn a_conflicting_complete_is_not_retried_but_its_upload_starts_over() {
    let complete = of_big(Operation::CompleteMultipartUpload);
    let bed = assert_succeeds(Bed::gated(answering(CONFLICT, 1, complete)).await).await;
    let completes = bed.asked(Operation::CompleteMultipartUpload, BIG, 0);
    let ids: Vec<_> = completes.iter().map(|r| r.upload_id.clone()).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    let aborted = bed.asked(Operation::AbortMultipartUpload, BIG, 0);
    assert_eq!(aborted[0].upload_id, ids[0]);
}

#[tokio::test]
async fn an_error_in_a_200_body_is_an_error() {
    let complete = || of_big(Operation::CompleteMultipartUpload);
    let failed = Verdict::AnswerOk {
        code: "InternalError",
    };
    let gate = answering(failed.clone(), 2, complete());
    let bed = assert_succeeds(Bed::gated(gate).await).await;
    let completes = bed.asked(Operation::CompleteMultipartUpload, BIG, 0);
    assert_eq!(completes.len(), 3);

    // The server reports a failure but has created the object anyway.
    let lying = first(1, Moment::Executed, failed, complete());
    assert_succeeds(Bed::gated(lying).await).await;

    let refused = Verdict::AnswerOk {
        code: "EntityTooLarge",
    };
    let bed = Bed::gated(answering(refused, 1, complete())).await;
    bed.feeds();
    let finished = bed.upload(&[]).await.expect(1);
    assert!(
        finished.stderr.contains("EntityTooLarge"),
        "{}",
        finished.stderr
    );
    bed.assert_nothing_published();
    let completes = bed.asked(Operation::CompleteMultipartUpload, BIG, 0);
    assert_eq!(completes.len(), 1);
    fault_fired("A6");
    fault_fired("A7");
}

#[tokio::test]
async fn a_permission_revoked_midway_loses_nothing_that_was_sent() {
    let denied = Verdict::Answer {
        status: 403,
        code: "AccessDenied",
    };
    let second_part = |request: &Request| {
        of_big(Operation::UploadPart)(request) && request.part_number == Some(2)
    };
    let bed = Bed::gated(answering(denied, 1, second_part)).await;
    let feeds = bed.feeds();
    let finished = bed.upload(&[]).await.expect(1);
    assert!(
        finished.stderr.contains("s3:PutObject"),
        "{}",
        finished.stderr
    );
    assert_eq!(bed.s3.open_uploads(BUCKET).len(), 1);
    bed.upload(&[]).await.expect(0);
    bed.assert_whole(&feeds);
    let sent = bed.asked(Operation::UploadPart, BIG, 0);
    let first = sent.iter().filter(|part| part.part_number == Some(1));
    assert_eq!(first.count(), 1);
}

#[tokio::test]
async fn bytes_that_always_arrive_damaged_fail_the_run_as_damage() {
    for code in ["BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"] {
        assert_damage(code).await;
    }
    fault_fired("A23");
}

async fn assert_damage(code: &'static str) {
    let damaged = Verdict::Answer { status: 400, code };
    let first_part = |request: &Request| {
        of_big(Operation::UploadPart)(request) && request.part_number == Some(1)
    };
    let gate = answering(damaged.clone(), usize::MAX, first_part);
    let bed = Bed::gated(gate).await;
    bed.feeds();
    let finished = bed.upload(&[]).await.expect(3);
    assert!(finished.stderr.contains(code), "{}", finished.stderr);
    let sent = bed.asked(Operation::UploadPart, BIG, 0);
    let sent = sent.iter().filter(|part| part.part_number == Some(1));
    assert_eq!(sent.count(), 5);
    bed.assert_nothing_published();

    // Occasional damage in transit is survived.
    assert_succeeds(Bed::gated(answering(damaged, 4, first_part)).await).await;
}

#[tokio::test]
async fn requests_to_slow_down_are_not_counted_as_damage() {
    let seen = AtomicU32::new(0);
    let bed = Bed::gated(move |moment: Moment, request: &Request| {
        let first_part = of_big(Operation::UploadPart)(request) && request.part_number == Some(1);
        if moment == Moment::Executed || !first_part {
            return Verdict::Pass;
        }
        match seen.fetch_add(1, Ordering::Relaxed) {
            0..4 => Verdict::Answer {
                status: 503,
                code: "SlowDown",
            },
            4 => Verdict::Answer {
                status: 400,
                code: "BadDigest",
            },
            _ => Verdict::Pass,
        }
    })
    .await;
    assert_succeeds(bed).await;
}

#[tokio::test]
async fn an_upload_that_the_server_forgets_starts_over() {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    let sent = of_big(Operation::UploadPart);
    let mut sending = bed
        .trap
        .set(move |moment: Moment, request: &Request| moment == Moment::Arrived && sent(request));
    let upload = bed.start(&[]);
    sending.request().await;
    bed.run(&["cleanup", "run-1", "--yes"]).await.expect(0);
    assert_eq!(bed.s3.open_uploads(BUCKET), []);
    sending.release();
    finish(upload).await.expect(0);
    bed.assert_whole(&feeds);
    let parts = bed.asked(Operation::UploadPart, BIG, 0);
    assert!(parts.iter().any(|part| part.status == Some(404)));
    let created = bed.asked(Operation::CreateMultipartUpload, BIG, 0);
    assert_eq!(created.len(), 2);
    fault_fired("A12");
}

#[tokio::test]
async fn a_completed_upload_that_the_server_has_forgotten_is_recovered() {
    let complete = of_big(Operation::CompleteMultipartUpload);
    let seen = AtomicU32::new(0);
    let gate = move |moment: Moment, request: &Request| {
        let of_complete = complete(request);
        match (of_complete, moment, seen.load(Ordering::Relaxed)) {
            (true, Moment::Executed, 0) => {
                seen.store(1, Ordering::Relaxed);
                Verdict::Disconnect
            }
            (true, Moment::Arrived, 1) => Verdict::Answer {
                status: 404,
                code: "NoSuchUpload",
            },
            _ => Verdict::Pass,
        }
    };
    let bed = assert_succeeds(Bed::gated(gate).await).await;
    let completes = bed.asked(Operation::CompleteMultipartUpload, BIG, 0);
    let statuses: Vec<_> = completes.iter().map(|r| r.status).collect();
    assert_eq!(statuses, [None, Some(404)]);
    assert_eq!(bed.asked(Operation::UploadPart, BIG, 0).len(), 2);
    fault_fired("A13");
}

/// A server that keeps working on a Complete whose connection is gone. Meanwhile it shows neither
/// the object nor, to another Complete, the upload. It is done after `looks` looks at the object.
fn finishing(lost: Verdict, meanwhile: Verdict, looks: Arc<AtomicU32>) -> impl Gate {
    let completes = AtomicU32::new(0);
    let looked = AtomicU32::new(0);
    move |moment: Moment, request: &Request| {
        if !request.key.ends_with(BIG) {
            return Verdict::Pass;
        }
        let is_at_work = completes.load(Ordering::Relaxed) > 0
            && looked.load(Ordering::Relaxed) < looks.load(Ordering::Relaxed);
        match (request.operation, moment) {
            (Operation::CompleteMultipartUpload, Moment::Executed)
                if completes.fetch_add(1, Ordering::Relaxed) == 0 =>
            {
                lost.clone()
            }
            (Operation::HeadObject, Moment::Arrived) if is_at_work => {
                looked.fetch_add(1, Ordering::Relaxed);
                NOT_FOUND
            }
            (Operation::CompleteMultipartUpload, Moment::Arrived) if is_at_work => {
                meanwhile.clone()
            }
            (Operation::ListParts, Moment::Arrived) if is_at_work => GONE,
            _ => Verdict::Pass,
        }
    }
}

#[tokio::test]
async fn an_upload_the_server_is_still_completing_is_awaited_and_never_aborted() {
    for (lost, meanwhile) in [
        (Verdict::Hold, GONE),
        (Verdict::Disconnect, GONE),
        (Verdict::Disconnect, CONFLICT),
        (Verdict::Disconnect, NOT_FOUND),
    ] {
        let bed = Bed::gated(finishing(lost, meanwhile, Arc::new(3.into()))).await;
        let feeds = bed.feeds();
        bed.upload(&["--attempt-timeout", "400ms"]).await.expect(0);
        bed.assert_whole(&feeds);
        let opened = bed.asked(Operation::CreateMultipartUpload, BIG, 0);
        assert_eq!(opened.len(), 1);
        let looks = bed.asked(Operation::HeadObject, BIG, 0);
        let aborted = bed.asked(Operation::AbortMultipartUpload, BIG, 0);
        // Only what the server no longer knows by then.
        assert!(aborted.iter().all(|abort| abort.number > looks[3].number));
    }
}

#[tokio::test]
async fn a_complete_that_died_on_the_server_is_retried_for_the_same_upload() {
    // Whoever may not list the parts cannot tell whether the upload is still open.
    for listed in [Verdict::Pass, FORBIDDEN] {
        let completes = AtomicU32::new(0);
        let completing = of_big(Operation::CompleteMultipartUpload);
        let listing = of_big(Operation::ListParts);
        let bed = Bed::gated(move |moment: Moment, request: &Request| {
            if moment == Moment::Executed {
                return Verdict::Pass;
            }
            if listing(request) {
                return listed.clone();
            }
            if !completing(request) {
                return Verdict::Pass;
            }
            match completes.fetch_add(1, Ordering::Relaxed) {
                0 => Verdict::Disconnect,
                1 | 2 => CONFLICT,
                _ => Verdict::Pass,
            }
        })
        .await;
        let bed = assert_succeeds(bed).await;
        let completes = bed.asked(Operation::CompleteMultipartUpload, BIG, 0);
        let ids: BTreeSet<_> = completes.iter().map(|r| r.upload_id.clone()).collect();
        assert_eq!((completes.len(), ids.len()), (4, 1));
        assert_eq!(bed.asked(Operation::AbortMultipartUpload, BIG, 0).len(), 0);
        assert_eq!(bed.asked(Operation::UploadPart, BIG, 0).len(), 2);
    }
}

#[tokio::test]
async fn a_complete_with_an_unknown_outcome_aborts_nothing_and_is_resumed() {
    for meanwhile in [GONE, CONFLICT] {
        let looks = Arc::new(AtomicU32::new(u32::MAX));
        let bed = Bed::gated(finishing(
            Verdict::Disconnect,
            meanwhile,
            Arc::clone(&looks),
        ))
        .await;
        let feeds = bed.feeds();
        let finished = bed.upload(&["--retry-timeout", "800ms"]).await.expect(4);
        looks.store(0, Ordering::Relaxed);
        let says = &finished.stderr;
        assert!(says.contains("nothing was cleaned up"), "{says}");
        assert!(!bed.has_manifest());
        assert_eq!(bed.asked(Operation::AbortMultipartUpload, BIG, 0).len(), 0);

        // The next process finds what the server has made of it by then.
        bed.upload(&[]).await.expect(0);
        bed.assert_whole(&feeds);
        assert_eq!(bed.asked(Operation::UploadPart, BIG, 0).len(), 2);
    }
}

#[tokio::test]
async fn a_complete_may_take_longer_than_other_requests() {
    let bed = Bed::gated(SlowComplete(Duration::from_secs(2))).await;
    let feeds = bed.feeds();
    let begin = Instant::now();
    let finished = bed.upload(&["--attempt-timeout", "1s"]).await.expect(0);
    assert!(begin.elapsed() > Duration::from_secs(2));
    bed.assert_whole(&feeds);
    let completes = bed.asked(Operation::CompleteMultipartUpload, BIG, 0);
    assert_eq!(completes.len(), 1, "{}", finished.stderr);
}

/// A server that takes this long to put parts together.
struct SlowComplete(Duration);

#[async_trait]
impl Gate for SlowComplete {
    async fn decide(&self, moment: Moment, request: &Request) -> Verdict {
        let completes = request.operation == Operation::CompleteMultipartUpload;
        if completes && moment == Moment::Arrived {
            tokio::time::sleep(self.0).await;
        }
        Verdict::Pass
    }

    /// The test measures the time.
    fn must_strike(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_server_that_fails_for_too_long_keeps_what_was_sent() {
    let failing = Verdict::Answer {
        status: 500,
        code: "InternalError",
    };
    for operation in [Operation::UploadPart, Operation::CompleteMultipartUpload] {
        let last = move |request: &Request| {
            let second = request.part_number.is_none_or(|number| number == 2);
            second && of_big(operation)(request)
        };
        let bed = Bed::gated(answering(failing.clone(), usize::MAX, last)).await;
        bed.feeds();
        let finished = bed.upload(&["--retry-timeout", "300ms"]).await.expect(1);
        let says = &finished.stderr;
        assert!(says.contains("InternalError"), "{says}");
        assert!(says.contains("`--run-id run-1` resumes it"), "{says}");
        assert_eq!(bed.asked(Operation::AbortMultipartUpload, BIG, 0).len(), 0);
        assert_eq!(bed.s3.open_uploads(BUCKET).len(), 1);
    }
}
