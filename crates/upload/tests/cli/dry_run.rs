//! `--dry-run`: says what an upload would do, and does nothing.

use lob_testkit::every_tool;
use lob_testkit::parquet_files::FeedSize;
use serde_json::Value;

use crate::bed::{BUCKET, Bed, assert_shown};

#[tokio::test]
async fn a_dry_run_sends_no_request_and_writes_nothing() {
    let bed = Bed::new().await;
    bed.feeds();
    assert_shown!(bed.run(&["--dry-run"]).await, @r#"
    exit status: 0
    ----- stdout -----
              bytes  parts  file
            6344461      2  2025/big.parquet
             100978      1  2025/small.parquet
               1454      1  none.parquet

    run       s3://lob-test/lob-data/YYYYMMDD_HHMMSS/
    files     3
    size      6.15 MiB
    parts     4
    requests  about 22, plus retries
    manifest  about 0.02 MiB
    nothing was sent: this was a dry run
    ----- stderr -----
    "#);
    assert_eq!(bed.operations(), []);
    let names: Vec<_> = std::fs::read_dir(bed.path("")).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[tokio::test]
async fn a_dry_run_predicts_the_requests_and_the_manifest_size() {
    for size in [FeedSize::Rows(10), FeedSize::Bytes(6 << 20)] {
        let bed = Bed::new().await;
        bed.feed("a.parquet", size);
        bed.feed("b.parquet", FeedSize::Rows(10));
        let planned = bed.run(&["--dry-run", "--json"]).await.expect(0);
        let planned: Value = serde_json::from_str(&planned.stdout).unwrap();
        bed.run(&[]).await.expect(0);
        let asked = bed.operations();
        assert_eq!(planned["requests"], asked.len(), "{asked:?}");
        let bytes: Vec<_> = ["a.parquet", "b.parquet"]
            .map(|name| std::fs::metadata(bed.source(name)).unwrap().len())
            .into();
        assert_eq!(planned["bytes"], bytes.iter().sum::<u64>());
        assert_eq!(planned["planned"][0]["size_bytes"], bytes[0]);
        assert_eq!(planned["files"], 2);
        let keys = bed.s3.keys(BUCKET);
        let key = keys.iter().find(|key| key.ends_with("manifest.json"));
        let manifest = bed.s3.object(BUCKET, key.unwrap()).unwrap().bytes.len() as u64;
        let predicted = planned["manifest_bytes"].as_u64().unwrap();
        assert!(
            (manifest..manifest + (17 << 10)).contains(&predicted),
            "{predicted} for {manifest}"
        );
    }
}

#[tokio::test]
async fn a_dry_run_fails_if_the_upload_would() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(1));
    every_tool::assert_bucket_demanded(&bed, &["--dry-run"]).await;
    std::fs::write(bed.source("b.parquet"), "PAR1").unwrap();
    let refused = bed.run(&["--dry-run"]).await.expect(1);
    assert!(
        refused.stderr.contains("`lob_data/b.parquet`"),
        "{}",
        refused.stderr
    );
}
