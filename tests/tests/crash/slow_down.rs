//! Requests to slow down are obeyed, and every one is counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use lob_testkit::fault_fired;
use lob_testkit::s3::{Moment, Operation, Request, Verdict};
use lob_tests::servers::{Gates, Servers};
use serde_json::Value;

use crate::export::{arguments, load_splits};

/// Answers the first two requests of each operation with 503. Reads of data files count separately
/// from other reads.
fn slow_down_twice() -> Gates {
    let asked = Mutex::new(BTreeMap::<(Operation, bool), u32>::new());
    let gate = move |moment: Moment, request: &Request| {
        if moment == Moment::Executed || request.operation == Operation::CreateBucket {
            return Verdict::Pass;
        }
        let mut asked = asked.lock().unwrap();
        let is_read =
            request.operation == Operation::GetObject && request.key.ends_with(".parquet");
        let count = asked.entry((request.operation, is_read)).or_default();
        *count += 1;
        if *count > 2 {
            return Verdict::Pass;
        }
        Verdict::Answer {
            status: 503,
            code: "SlowDown",
        }
    };
    Gates {
        s3: Some(Arc::new(gate)),
        mongo: None,
    }
}

/// Asserts two throttled requests and two retries for each of these operations, and none for
/// others.
fn assert_counted(stdout: &str, operations: &[&str]) {
    let result: Value = serde_json::from_str(stdout).unwrap();
    let metrics = result["metrics"]["operations"].as_object().unwrap();
    let names: Vec<_> = metrics.keys().map(String::as_str).collect();
    assert_eq!(names, operations);
    for (name, counted) in metrics {
        assert_eq!(
            (&counted["throttles"], &counted["retries"]),
            (&2.into(), &2.into()),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_to_slow_down_are_obeyed_and_counted_for_each_operation() {
    let servers = Servers::doubles(slow_down_twice()).await;
    load_splits(&servers);
    let export = [&arguments("r1")[..], &["--json"]].concat();
    let exported = servers.run("lob-export", &export).await.with_status(0);
    let operations = [
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CreateMultipartUpload",
        "GetObject",
        "HeadBucket",
        "HeadObject",
        "ListMultipartUploads",
        "ListObjectsV2",
        "ListParts",
        "PutObject",
        "UploadPart",
    ];
    assert_counted(&exported.stdout, &operations);

    // The gate is done with these operations; only reading data files is new to it.
    let import = ["--latest", "--collection-pattern", "back_{N}", "--json"];
    let imported = servers.run("lob-import", &import).await.with_status(0);
    let result: Value = serde_json::from_str(&imported.stdout).unwrap();
    let read = &result["metrics"]["operations"]["GetObject"];
    assert_eq!(
        (&read["throttles"], &read["retries"]),
        (&2.into(), &2.into())
    );
    fault_fired("A1");
}
