//! A server that answers everything with 503 for a while, and networks that go away for a while.
//!
//! `LOB_STORM_SECONDS` makes both last as long as needed; 90 s is what an overloaded S3 may take.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use lob_testkit::fault_fired;
use lob_testkit::parquet_files::FeedSize;
use lob_testkit::proxy::Proxy;
use lob_testkit::s3::{Moment, Operation, Request, Verdict, perhaps};
use lob_tests::kills::setting;
use lob_tests::servers::Gates;

use crate::Bed;

const TOOLS: [&str; 3] = ["lob-upload", "lob-export", "lob-import"];

fn duration() -> Duration {
    Duration::from_secs(setting("LOB_STORM_SECONDS").unwrap_or(4))
}

/// Whether a tool moves its first data with this request.
fn is_data(tool: &str, request: &Request) -> bool {
    let operation = match tool {
        "lob-import" => Operation::GetObject,
        _ => Operation::UploadPart,
    };
    request.operation == operation && request.key.ends_with(".parquet")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_requests_to_slow_down_is_sat_out() {
    for tool in TOOLS {
        let (begin, count) = (OnceLock::<Instant>::new(), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&count);
        let storm = move |moment: Moment, request: &Request| {
            if moment == Moment::Arrived && is_data(tool, request) {
                begin.get_or_init(Instant::now);
            }
            let storms = begin
                .get()
                .is_some_and(|begin| begin.elapsed() < duration());
            if moment == Moment::Executed || !storms {
                return Verdict::Pass;
            }
            counter.fetch_add(1, Ordering::Relaxed);
            Verdict::Answer {
                status: 503,
                code: "SlowDown",
            }
        };
        let gates = Gates {
            s3: Some(Arc::new(storm)),
            mongo: None,
        };
        let bed = Bed::new(gates, 200, FeedSize::Bytes(6 << 20)).await;
        if tool == "lob-import" {
            bed.run("lob-export", &[], &[]).await.with_status(0);
        }
        let started = Instant::now();
        bed.run(tool, &[], &[]).await.with_status(0);
        assert!(started.elapsed() >= duration(), "{tool}");
        assert!(count.load(Ordering::Relaxed) >= 4, "{tool}: {count:?}");
        bed.assert_whole(tool).await;
    }
    fault_fired("A2");
}

/// Networks in front of both servers that go away at a tool's first data.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_from_both_servers_that_heals_is_survived() {
    for tool in TOOLS {
        let networks = Arc::new(OnceLock::<[Proxy; 2]>::new());
        let away = Arc::new(tokio::sync::Notify::new());
        let (disturbed, notify) = (Arc::clone(&networks), Arc::clone(&away));
        let happened = OnceLock::new();
        let partition = move |moment: Moment, request: &Request| {
            let is_due = moment == Moment::Arrived && is_data(tool, request);
            if let Some(networks) = disturbed.get().filter(|_| is_due)
                && happened.set(()).is_ok()
            {
                networks.iter().for_each(Proxy::refuse);
                notify.notify_one();
            }
            Verdict::Pass
        };
        let gates = Gates {
            // It is the networks that fail.
            s3: Some(Arc::new(perhaps(partition))),
            mongo: None,
        };
        let bed = Bed::new(gates, 200, FeedSize::Bytes(6 << 20)).await;
        if tool == "lob-import" {
            bed.run("lob-export", &[], &[]).await.with_status(0);
        }
        let proxies = bed.proxies();
        let variables = Bed::through(&proxies);
        assert!(networks.set(proxies).is_ok());
        let impatient = ["--attempt-timeout", "1s", "--connect-timeout", "1s"];
        let healing = async {
            away.notified().await;
            let networks = networks.get().unwrap();
            tokio::time::sleep(duration() / 2).await;
            networks.iter().for_each(Proxy::drop_all);
            tokio::time::sleep(duration() / 2).await;
            networks.iter().for_each(Proxy::pass);
        };
        let (ended, ()) = tokio::join!(bed.run(tool, &impatient, &variables), healing);
        let log = ended.with_status(0).stderr;
        assert!(log.contains("s3 request failed"), "{tool}: {log}");
        bed.assert_whole(tool).await;
        let [s3, mongodb] = networks.get().unwrap().each_ref().map(Proxy::hindered);
        assert!(s3 > 0, "{tool}: no connection to S3 was cut");
        assert!(
            mongodb > 0 || tool == "lob-upload",
            "{tool}: none to MongoDB was"
        );
    }
    fault_fired("B20");
}
