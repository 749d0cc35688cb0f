//! Memory is bounded by the settings, not by what is uploaded.

use lob_testkit::parquet_files::FeedSize;
use serde_json::Value;

use crate::bed::Bed;

#[tokio::test]
async fn an_upload_uses_less_memory_than_its_files_take_up() {
    let bed = Bed::new().await;
    for name in ["1.parquet", "2.parquet", "3.parquet"] {
        bed.feed(name, FeedSize::Bytes(40 << 20));
    }
    let finished = bed.upload(&["--buffer-size", "10MiB", "--json"]).await;
    let result: Value = serde_json::from_str(&finished.expect(0).stdout).unwrap();
    let peak = result["metrics"]["peak_memory_bytes"].as_u64().unwrap();
    let bytes = result["bytes"].as_u64().unwrap();
    assert!(
        peak < bytes,
        "{peak} bytes of memory for {bytes} bytes of files"
    );
}
