//! `lob-upload verify`: whatever no longer matches the manifest is named, object by object.

use lob_testkit::every_tool;
use lob_testkit::parquet_files::FeedSize;
use lob_testkit::s3::Operation;

use crate::bed::{BUCKET, Bed, RUN, assert_shown};

/// A bed with a committed run of three files.
async fn uploaded() -> (Bed, Vec<(String, Vec<u8>)>) {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    bed.upload(&[]).await.expect(0);
    (bed, feeds)
}

fn key(name: &str) -> String {
    format!("{RUN}/{name}")
}

#[tokio::test]
async fn a_run_is_verified_without_downloading_data() {
    let (bed, _) = uploaded().await;
    let before = bed.operations().len();
    assert_shown!(bed.run(&["verify", "run-1"]).await, @r#"
    exit status: 0
    ----- stdout -----
    run       run-1
    files     3
    size      6.15 MiB
    verified  size, checksum and token of every object match
    ----- stderr -----
    [TIME]  INFO 3 of 3 files
    "#);
    use Operation::{GetObject, HeadBucket, HeadObject};
    let asked = &bed.s3.requests()[before..];
    let operations: Vec<_> = asked.iter().map(|request| request.operation).collect();
    let heads = [HeadObject; 3];
    assert_eq!(operations, [&[HeadBucket, GetObject][..], &heads].concat());
    assert_eq!(asked[1].key, key("manifest.json"));
}

#[tokio::test]
async fn a_full_verification_reads_every_byte() {
    let (bed, feeds) = uploaded().await;
    let before = bed.operations().len();
    let bytes: usize = feeds.iter().map(|(_, bytes)| bytes.len()).sum();
    let result = every_tool::assert_verified(&bed, feeds.len(), bytes).await;
    let received = &result["metrics"]["operations"]["GetObject"]["bytes_received"];
    let manifest = bed.object("manifest.json").bytes.len();
    assert_eq!(*received, bytes + manifest);
    let asked = &bed.s3.requests()[before..];
    for (name, _) in feeds {
        let is_read = |operation| {
            let mut asked = asked.iter();
            asked.any(|request| request.operation == operation && request.key == key(&name))
        };
        assert!(
            is_read(Operation::GetObject) && is_read(Operation::HeadObject),
            "{name}"
        );
    }
}

#[tokio::test]
async fn only_a_full_verification_finds_a_flipped_bit() {
    let (bed, _) = uploaded().await;
    every_tool::assert_flipped_bit_found(&bed, &key("2025/big.parquet"), 12_345_678).await;
}

#[tokio::test]
async fn every_replaced_or_missing_object_is_named() {
    let (bed, _) = uploaded().await;
    bed.s3
        .put_raw(BUCKET, &key("2025/small.parquet"), "another's");
    bed.s3.remove(BUCKET, &key("none.parquet"));
    assert_shown!(bed.run(&["verify", "run-1"]).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    [TIME]  INFO 3 of 3 files
    error: run `run-1` does not match its manifest:
        `s3://lob-test/lob-data/run-1/2025/small.parquet` is not what was sent: its size, CRC64NVME, ETag or write token on the server is different
        `s3://lob-test/lob-data/run-1/none.parquet` is not what was sent: it is missing
    "#);
}

#[tokio::test]
async fn an_object_with_the_right_bytes_but_another_writer_is_named() {
    let (bed, feeds) = uploaded().await;
    let (name, bytes) = feeds.into_iter().last().unwrap();
    bed.s3.remove(BUCKET, &key(&name));
    bed.s3.put_raw(BUCKET, &key(&name), bytes);
    let finished = bed.run(&["verify", "run-1"]).await.expect(3);
    assert!(finished.stderr.contains(&name), "{}", finished.stderr);
}

#[tokio::test]
async fn a_full_verification_names_everything_that_is_wrong_at_once() {
    let (bed, _) = uploaded().await;
    bed.s3.remove(BUCKET, &key("none.parquet"));
    assert!(bed.s3.corrupt(BUCKET, &key("2025/small.parquet"), 0));
    let finished = bed.run(&["verify", "run-1", "--full"]).await.expect(3);
    for name in ["none.parquet", "2025/small.parquet"] {
        assert!(finished.stderr.contains(name), "{}", finished.stderr);
    }
    assert!(!finished.stderr.contains("big"), "{}", finished.stderr);
}

#[tokio::test]
async fn verifying_a_missing_run_gives_a_hint() {
    let bed = Bed::new().await;
    assert_shown!(bed.run(&["verify", "run-1"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no run `run-1`: `s3://lob-test/lob-data/run-1/manifest.json` does not exist
    hint: check the run id and --prefix
    "#);
}

#[tokio::test]
async fn a_damaged_manifest_or_one_from_another_run_is_refused() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(10));
    bed.upload(&[]).await.expect(0);
    let manifest = bed.object("manifest.json").bytes;
    let elsewhere = "lob-data/run-2/manifest.json";
    bed.s3.put_raw(BUCKET, elsewhere, manifest.clone());
    assert_shown!(bed.run(&["verify", "run-2"]).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: manifest `s3://lob-test/lob-data/run-2/manifest.json` cannot be used
      Caused by: the manifest belongs to another run, `run-1`
    "#);
    let half = manifest.slice(..manifest.len() / 2);
    bed.s3.put_raw(BUCKET, &key("manifest.json"), half);
    let finished = bed.run(&["verify", "run-1"]).await.expect(3);
    let told = finished.stderr.contains("manifest.json` cannot be used");
    assert!(told, "{}", finished.stderr);
}

#[tokio::test]
async fn a_manifest_from_another_tool_or_version_is_not_damage() {
    let (bed, _) = uploaded().await;
    let manifest = String::from_utf8(bed.object("manifest.json").bytes.to_vec()).unwrap();
    let export = r#"{"format_version":2,"tool":"lob-export","run_id":"run-1"}"#;
    for (manifest, status, told) in [
        (
            export,
            1,
            "run `run-1` is not an upload: `lob-export` wrote it",
        ),
        (
            r#"{"run_id":"run-1","files":[1]}"#,
            1,
            "run `run-1` is not an upload: another tool wrote it",
        ),
        (
            r#"{"format_version":99,"tool":"lob-upload"}"#,
            1,
            "hint: use the version that wrote it",
        ),
        (&manifest[1..], 3, "manifest.json` cannot be used"),
        (
            r#"{"format_version":2,"tool":"lob-upload"}"#,
            3,
            "cannot be used",
        ),
    ] {
        let manifest = manifest.to_owned();
        bed.s3.put_raw(BUCKET, &key("manifest.json"), manifest);
        for args in [&["verify", "run-1"][..], &["restore", "run-1", "back"]] {
            let refused = bed.run(args).await.expect(status);
            assert!(refused.stderr.contains(told), "{}", refused.stderr);
        }
        assert!(!bed.path("back").exists());
    }
}
