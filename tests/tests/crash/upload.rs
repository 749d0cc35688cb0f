//! Uploads: killed at any request, a run is whole or does not exist.

use std::path::Path;

use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
use lob_tests::servers::Servers;

use crate::cut::{At, Fate, at_every_request, killed};
use crate::{doubles, has};

/// Two files of one request each, and one of two parts.
const FILES: [(&str, FeedSize); 3] = [
    ("2025/big.parquet", FeedSize::Bytes(6 << 20)),
    ("2025/small.parquet", FeedSize::Rows(100)),
    ("empty.parquet", FeedSize::Rows(0)),
];

pub(crate) fn write_files(folder: &Path) -> Vec<(&'static str, Vec<u8>)> {
    std::fs::create_dir(folder.join("2025")).unwrap();
    let write = |(name, size)| {
        let path = folder.join(name);
        let feed = ParquetFeed {
            seed: 1,
            size,
            levels: 2,
        };
        feed.write(&path).unwrap();
        (name, std::fs::read(path).unwrap())
    };
    FILES.into_iter().map(write).collect()
}

pub(crate) fn assert_whole(servers: &Servers, run: &str, files: &[(&str, Vec<u8>)]) {
    let prefix = format!("lob-data/{run}");
    assert!(has(servers, &format!("{prefix}/manifest.json")));
    for (name, bytes) in files {
        let object = doubles(servers)
            .s3
            .object(&servers.bucket, &format!("{prefix}/{name}"));
        assert_eq!(object.unwrap().bytes, bytes, "{name}");
    }
}

/// The arguments of an upload of this folder.
pub(crate) fn arguments<'a>(source: &'a str, run: &'a str) -> Vec<&'a str> {
    let sizes = ["--part-size", "5MiB", "--multipart-threshold", "5MiB"];
    [&["--source-dir", source, "--run-id", run][..], &sizes].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_killed_at_any_request_is_whole_or_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let files = &write_files(folder.path());
    let source = folder.path().to_str().unwrap();
    let upload = |run| arguments(source, run);
    let moments = [At::Arrived, At::Executed];
    at_every_request(&moments, Fate::Hold, async |cut, mut reaches, servers| {
        let manifest = "lob-data/r1/manifest.json";
        let child = servers.spawn("lob-upload", &upload("r1"));
        match killed(child, &cut, &mut reaches).await {
            Some(held) if !has(&servers, manifest) => {
                let published = cut.at() == At::Executed && held == format!("PutObject {manifest}");
                assert!(!published, "{held}");
            }
            // Finished, or killed while the manifest was being written: everything it names exists.
            _ => assert_whole(&servers, "r1", files),
        }
        servers
            .run("lob-upload", &upload("r2"))
            .await
            .with_status(0);
        assert_whole(&servers, "r2", files);
    })
    .await;
}
