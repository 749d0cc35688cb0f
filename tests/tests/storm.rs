//! A storm in which S3 asks everyone to slow down, for longer than any burst of retries lasts: each
//! tool waits it out.
//!
//! `LOB_STORM_SECONDS=90` makes it as long.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a long run shows what it did")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
use lob_testkit::s3::{Moment, Request, Verdict};
use lob_testkit::split_documents::SplitDocuments;
use lob_tests::kills::setting;
use lob_tests::servers::{Gates, Servers};
use serde_json::Value;

/// Answers all requests about data files with 503 from the first one on.
struct Storm {
    length: Duration,
    begin: OnceLock<Instant>,
    answers: AtomicU64,
}

impl Storm {
    fn new() -> Arc<Self> {
        let seconds = setting("LOB_STORM_SECONDS").unwrap_or(3);
        Arc::new(Self {
            length: Duration::from_secs(seconds),
            begin: OnceLock::new(),
            answers: AtomicU64::new(0),
        })
    }

    fn gates(self: &Arc<Self>) -> Gates {
        let this = Arc::clone(self);
        let gate = move |moment: Moment, request: &Request| {
            let is_data = moment == Moment::Arrived && request.key.ends_with(".parquet");
            if !is_data || this.begin.get_or_init(Instant::now).elapsed() >= this.length {
                return Verdict::Pass;
            }
            this.answers.fetch_add(1, Ordering::Relaxed);
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

    /// Runs a tool, which must succeed after the storm, and count each answer.
    async fn is_waited_out(&self, servers: &Servers, tool: &str, arguments: &[&str]) {
        let arguments = [arguments, &["--json"]].concat();
        let ended = servers.run(tool, &arguments).await.with_status(0);
        assert!(self.begin.get().unwrap().elapsed() >= self.length);
        let result: Value = serde_json::from_str(&ended.stdout).unwrap();
        let operations = result["metrics"]["operations"].as_object().unwrap();
        let throttles = operations
            .values()
            .map(|counted| counted["throttles"].as_u64());
        let answers = self.answers.load(Ordering::Relaxed);
        assert_eq!(throttles.flatten().sum::<u64>(), answers);
        println!(
            "{tool}: {answers} requests to slow down in {:?}",
            self.length
        );
        assert!(answers > 1, "no storm");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_waits_out_a_storm_of_requests_to_slow_down() {
    let storm = Storm::new();
    let servers = Servers::doubles(storm.gates()).await;
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..20 {
        let (size, levels) = (FeedSize::Rows(100), 2);
        let feed = ParquetFeed { seed, size, levels };
        feed.write(&folder.path().join(format!("{seed}.parquet")))
            .unwrap();
    }
    let source = folder.path().to_str().unwrap();
    let upload = ["--run-id", "r1", "--source-dir", source];
    storm.is_waited_out(&servers, "lob-upload", &upload).await;
    let verify = ["verify", "r1", "--full"];
    servers.run("lob-upload", &verify).await.with_status(0);
    lob_testkit::fault_fired("A2");
}

const EXPORT: [&str; 8] = [
    "--run-id",
    "r1",
    "--ranges",
    "4",
    "--file-size",
    "60KiB",
    "--row-group-size",
    "20KiB",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_export_and_its_import_wait_out_a_storm_of_requests_to_slow_down() {
    let documents: Vec<_> = SplitDocuments::new(7, 40).take(500).collect();
    let storm = Storm::new();
    let servers = Servers::doubles(storm.gates()).await;
    servers.insert("split_0_input", &documents).await;
    storm.is_waited_out(&servers, "lob-export", &EXPORT).await;

    // The same objects on servers with a storm of their own.
    let storm = Storm::new();
    let others = Servers::doubles(storm.gates()).await;
    for key in servers.keys().await {
        let bytes = servers.object(&key).await;
        let s3 = &others.doubles.as_ref().unwrap().s3;
        s3.put_raw(&others.bucket, &key, bytes);
    }
    let import = ["--run-id", "r1", "--collection-pattern", "back_{N}"];
    storm.is_waited_out(&others, "lob-import", &import).await;
    let back = others.documents(&others.database, "back_0").await;
    assert!(back == documents, "other documents");
    lob_testkit::fault_fired("A2");
}
