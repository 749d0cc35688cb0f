//! Errors of the server, in reply to each operation in turn.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use lob_testkit::fault_fired;
use lob_testkit::parquet_files::FeedSize;
use lob_testkit::s3::{Moment, Operation, Request, Verdict};
use lob_tests::servers::Gates;
use serde_json::Value;

use crate::Bed;

/// An error with its status and code.
type Error = (u16, &'static str);

/// The operations of an export; an upload lists no objects.
const OF_WRITERS: [Operation; 11] = [
    Operation::ListObjectsV2,
    Operation::HeadBucket,
    Operation::ListMultipartUploads,
    Operation::PutObject,
    Operation::GetObject,
    Operation::HeadObject,
    Operation::CreateMultipartUpload,
    Operation::UploadPart,
    Operation::CompleteMultipartUpload,
    Operation::AbortMultipartUpload,
    Operation::ListParts,
];
const OF_READERS: [Operation; 2] = [Operation::GetObject, Operation::HeadObject];

/// The tools with their operations.
fn operations() -> impl Iterator<Item = (&'static str, Operation)> {
    let of = |tool, operations: &'static [Operation]| operations.iter().map(move |o| (tool, *o));
    of("lob-upload", &OF_WRITERS[1..])
        .chain(of("lob-export", &OF_WRITERS))
        .chain(of("lob-import", &OF_READERS))
}

/// Fails the first two requests of each operation.
fn failing_twice((status, code): Error) -> Gates {
    let asked = Mutex::new(BTreeMap::<Operation, u32>::new());
    let gate = move |moment: Moment, request: &Request| {
        let without_code = request.method == "HEAD" && status == 400;
        let operation = request.operation;
        if moment == Moment::Executed || operation == Operation::CreateBucket || without_code {
            return Verdict::Pass;
        }
        let mut asked = asked.lock().unwrap();
        let count = asked.entry(operation).or_default();
        *count += 1;
        match *count > 2 {
            true => Verdict::Pass,
            false => Verdict::Answer { status, code },
        }
    };
    Gates {
        s3: Some(Arc::new(gate)),
        mongo: None,
    }
}

/// Runs a writer whose every operation fails twice, and counts the operations that were retried.
async fn retried(tool: &str, error: Error) -> usize {
    let bed = Bed::new(failing_twice(error), 200, FeedSize::Bytes(6 << 20)).await;
    let ended = bed.run(tool, &["--json"], &[]).await.with_status(0);
    bed.assert_whole(tool).await;
    let result: Value = serde_json::from_str(&ended.stdout).unwrap();
    let operations = result["metrics"]["operations"].as_object().unwrap();
    let mut count = 0;
    for (name, metrics) in operations {
        let failed = !(error.0 == 400 && name.starts_with("Head"));
        let retries = if failed { 2 } else { 0 };
        assert_eq!(metrics["retries"], retries, "{tool}, {error:?}, {name}");
        count += usize::from(failed);
    }
    if tool == "lob-export" {
        // The gate is done with what an import asks for.
        bed.run("lob-import", &[], &[]).await.with_status(0);
        bed.assert_whole("lob-import").await;
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_the_server_are_retried_for_each_operation() {
    for (case, error) in [
        ("A4", (500, "InternalError")),
        ("A5", (400, "RequestTimeout")),
    ] {
        for tool in ["lob-upload", "lob-export"] {
            let count = retried(tool, error).await;
            assert!(count >= 8, "{tool}, {error:?}: {count}");
        }
        fault_fired(case);
    }
}

/// A bed whose server fails one operation for as long as the switch is on, and how often it did.
struct Failing {
    bed: Bed,
    switch: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
}

async fn failing(operation: Operation, (status, code): Error) -> Failing {
    let switch = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicUsize::new(0));
    let (is_on, failed) = (Arc::clone(&switch), Arc::clone(&count));
    let gate = move |moment: Moment, request: &Request| {
        let chosen = request.operation == operation && is_on.load(Ordering::Relaxed);
        if moment == Moment::Executed || !chosen {
            return Verdict::Pass;
        }
        failed.fetch_add(1, Ordering::Relaxed);
        Verdict::Answer { status, code }
    };
    let gates = Gates {
        s3: Some(Arc::new(gate)),
        mongo: None,
    };
    Failing {
        bed: Bed::new(gates, 200, FeedSize::Bytes(6 << 20)).await,
        switch,
        count,
    }
}

impl Failing {
    /// Runs a tool while its server fails, and again once it does not. Returns its log and how
    /// often the server failed.
    async fn fails_then_succeeds(&self, tool: &str) -> (String, usize) {
        if tool == "lob-import" {
            self.bed.run("lob-export", &[], &[]).await.with_status(0);
        }
        self.switch.store(true, Ordering::Relaxed);
        let failed = self.bed.run(tool, &["--retry-timeout", "300ms"], &[]).await;
        self.switch.store(false, Ordering::Relaxed);
        let count = self.count.load(Ordering::Relaxed);
        let log = failed.stderr;
        assert!(matches!(failed.status, Some(1 | 4)), "{tool}: {log}");
        assert!(!self.bed.has_result(tool), "{tool}: {log}");
        self.bed.run(tool, &[], &[]).await.with_status(0);
        self.bed.assert_whole(tool).await;
        (log, count)
    }
}

const RETRY: &str = "retrying s3 request";

/// Tries each pair of a tool and an operation with this error; `check` gets the pair, the log and how
/// often the server failed.
async fn each(
    pairs: impl Iterator<Item = (&'static str, Operation)>,
    error: Error,
    check: impl Fn(&str, &str, usize),
) {
    let check = &check;
    let cases = pairs.map(async |(tool, operation)| {
        let failing = failing(operation, error).await;
        let (log, count) = failing.fails_then_succeeds(tool).await;
        check(&format!("{tool}, {operation:?}"), &log, count);
    });
    let cases = futures::stream::iter(cases).buffer_unordered(3);
    cases.collect::<Vec<()>>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_overloaded_for_ever_is_given_up_in_time_by_each_operation() {
    each(operations(), (503, "SlowDown"), |name, log, count| {
        assert!(count >= 2 && log.contains(RETRY), "{name}: {log}");
        assert!(log.contains("--retry-timeout"), "{name}: {log}");
    })
    .await;
    fault_fired("A3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_operation_is_named_and_never_retried() {
    // A client that may not look at the bucket may still use it.
    let denied = operations().filter(|(_, operation)| *operation != Operation::HeadBucket);
    each(denied, (403, "AccessDenied"), |name, log, count| {
        assert!(count >= 1 && !log.contains(RETRY), "{name}: {log}");
        assert!(log.contains("s3:"), "{name}: {log}");
    })
    .await;
    fault_fired("A14");
}
