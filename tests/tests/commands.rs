//! Every command of every tool, on the real servers if the environment names any: what the
//! command-line suites of the tools show on the test servers in every detail, in its outline.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
use lob_testkit::split_documents::SplitDocuments;
use lob_tests::servers::Servers;

/// Runs a command, which must succeed; returns what it printed.
async fn told(servers: &Servers, tool: &str, arguments: &[&str]) -> String {
    servers.run(tool, arguments).await.with_status(0).stdout
}

/// Asserts that a command succeeds and prints this.
async fn tells(servers: &Servers, tool: &str, arguments: &[&str], expected: &str) {
    let told = told(servers, tool, arguments).await;
    assert!(told.contains(expected), "{arguments:?}: {told}");
}

fn write_feed(folder: &Path, name: &str, size: FeedSize) {
    let (seed, levels) = (name.len() as u64, 2);
    let feed = ParquetFeed { seed, size, levels };
    feed.write(&folder.join(name)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_an_upload_does_what_it_says() {
    let servers = Servers::start().await;
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("lob_data");
    std::fs::create_dir(&source).unwrap();
    write_feed(&source, "small.parquet", FeedSize::Rows(100));
    write_feed(&source, "large.parquet", FeedSize::Bytes(12 << 20));
    let upload = ["--run-id", "r1", "--source-dir", source.to_str().unwrap()];
    let dry = [&upload[..], &["--dry-run"]].concat();
    told(&servers, "lob-upload", &dry).await;
    assert_eq!(servers.keys().await, [""; 0]);

    let parts = ["--part-size", "5MiB", "--multipart-threshold", "5MiB"];
    let upload = [&upload[..], &parts].concat();
    // The second finds the run complete.
    for _ in 0..2 {
        tells(&servers, "lob-upload", &upload, "r1").await;
    }
    tells(&servers, "lob-upload", &["list"], "r1").await;
    tells(&servers, "lob-upload", &["latest"], "/lob-data/r1/").await;
    told(&servers, "lob-upload", &["verify", "r1"]).await;
    told(&servers, "lob-upload", &["verify", "r1", "--full"]).await;
    told(&servers, "lob-upload", &["cleanup", "r1", "--yes"]).await;
    let back = folder.path().join("back");
    let restore = ["restore", "r1", back.to_str().unwrap()];
    told(&servers, "lob-upload", &restore).await;
    for name in ["small.parquet", "large.parquet"] {
        let (sent, restored) = (
            std::fs::read(source.join(name)),
            std::fs::read(back.join(name)),
        );
        assert!(sent.unwrap() == restored.unwrap(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_an_export_and_its_import_does_what_it_says() {
    let servers = Servers::start().await;
    let documents: Vec<_> = SplitDocuments::new(3, 40).take(200).collect();
    servers.insert("split_0_input", &documents).await;
    let of_run = ["--run-id", "r1", "--ranges", "2"];
    let run = ["--run-id", "r1"];
    let plan = [&of_run[..], &["plan"]].concat();
    tells(&servers, "lob-export", &plan, "lob-export work").await;
    for worker in ["0/2", "1/2"] {
        let work = [&run[..], &["work", "--worker", worker]].concat();
        told(&servers, "lob-export", &work).await;
    }
    let commit = [&run[..], &["commit"]].concat();
    tells(&servers, "lob-export", &commit, "split_0_input").await;
    tells(&servers, "lob-export", &["list"], "r1").await;
    tells(&servers, "lob-export", &["latest"], "/processed-splits/r1/").await;
    told(&servers, "lob-export", &["verify", "r1"]).await;
    told(&servers, "lob-export", &["verify", "r1", "--full"]).await;
    told(&servers, "lob-export", &["cleanup", "r1", "--yes"]).await;

    tells(&servers, "lob-import", &["list"], "r1").await;
    let import = [&run[..], &["--collection-pattern", "back_{N}"]].concat();
    let dry = [&import[..], &["--dry-run"]].concat();
    tells(&servers, "lob-import", &dry, "back_0").await;
    assert_eq!(
        servers.collections(&servers.database).await,
        ["split_0_input"]
    );
    tells(&servers, "lob-import", &import, "back_0: 200 documents").await;
    let verify = ["verify", "r1", "--collection-pattern", "back_{N}"];
    told(&servers, "lob-import", &verify).await;
    let refused = [&import[..], &["--no-replace"]].concat();
    let refused = servers.run("lob-import", &refused).await.with_status(1);
    assert!(
        refused.stderr.contains("already exists"),
        "{}",
        refused.stderr
    );
    let back = servers.documents(&servers.database, "back_0").await;
    assert!(back == documents, "other documents");
}
