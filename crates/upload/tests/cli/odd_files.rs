//! Files that are not, or no longer, what they seem: named, and never published.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use lob_testkit::fault_fired;
use lob_testkit::hostile_parquet::HostileParquet;
use lob_testkit::parquet_files::FeedSize;
use lob_testkit::s3::{Moment, Operation, Request, Verdict, perhaps};

use crate::bed::{Bed, Finished, assert_not_uploaded, assert_shown};

/// Uploads a file that changes after it is planned and before it is opened for reading.
async fn changed_after_the_plan(change: fn(PathBuf)) -> (Bed, Finished) {
    let path = Arc::new(OnceLock::<PathBuf>::new());
    let changed = OnceLock::new();
    let file = Arc::clone(&path);
    let bed = Bed::gated(perhaps(move |moment, request: &Request| {
        let is_put = request.operation == Operation::PutObject;
        if moment == Moment::Arrived && is_put && request.key.ends_with("plan.json") {
            changed.get_or_init(|| change(file.get().unwrap().clone()));
        }
        Verdict::Pass
    }))
    .await;
    bed.feed("a.parquet", FeedSize::Rows(10));
    path.set(bed.source("a.parquet")).unwrap();
    let finished = bed.upload(&[]).await;
    bed.assert_nothing_published();
    (bed, finished)
}

#[tokio::test]
async fn a_pipe_that_replaced_a_planned_file_does_not_block() {
    let (_bed, finished) = changed_after_the_plan(|path| {
        fs::remove_file(&path).unwrap();
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    })
    .await;
    assert_not_uploaded(finished, "it is no longer a regular file");
}

#[tokio::test]
async fn a_file_deleted_after_the_plan_is_named() {
    let (_bed, finished) = changed_after_the_plan(|path| fs::remove_file(path).unwrap()).await;
    let reason = "it is gone
  Caused by: No such file or directory (os error 2)";
    assert_not_uploaded(finished, reason);
    lob_testkit::fault_fired("D4");
}

#[tokio::test]
async fn footers_that_claim_more_rows_than_a_manifest_can_count_are_refused_at_once() {
    let bed = Bed::new().await;
    for name in ["a.parquet", "b.parquet"] {
        bed.feed(name, FeedSize::Rows(10));
    }
    let path = bed.source("b.parquet");
    let file = HostileParquet::of(&fs::read(&path).unwrap());
    fs::write(&path, file.lying(|footer| footer.num_rows = i64::MAX)).unwrap();
    assert_shown!(bed.run(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the files have more rows than a manifest can count
    hint: check `b.parquet`, which claims the most
    "#);
    bed.assert_nothing_published();
}

#[tokio::test]
async fn an_empty_file_is_named() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(10));
    File::create(bed.source("b.parquet")).unwrap();
    assert_shown!(bed.run(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `lob_data/b.parquet` is not a whole Parquet file
      Caused by: it has 0 bytes, fewer than any Parquet file
    "#);
    assert_eq!(bed.operations(), []);
}

#[tokio::test]
async fn a_dangling_link_is_named() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(10));
    symlink("missing", bed.source("b.parquet")).unwrap();
    assert_shown!(bed.run(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: link `lob_data/b.parquet` cannot be followed
      Caused by: No such file or directory (os error 2)
    "#);
    assert_eq!(bed.operations(), []);
}

#[tokio::test]
async fn a_file_with_a_hole_is_uploaded_as_it_reads() {
    let bed = Bed::new().await;
    let feed = bed.feed("a.parquet", FeedSize::Rows(10));
    let mut bytes = feed[..4].to_vec();
    bytes.resize(1 << 20, 0);
    bytes.extend(&feed[4..]);
    let mut file = File::create(bed.source("a.parquet")).unwrap();
    file.write_all(&feed[..4]).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &feed[4..], 1 << 20).unwrap();
    drop(file);
    bed.upload(&[]).await.expect(0);
    assert!(bed.object("a.parquet").bytes == bytes);
    lob_testkit::fault_fired("D5");
}

#[tokio::test]
async fn two_names_of_one_file_are_two_objects() {
    let bed = Bed::new().await;
    let bytes = bed.feed("a.parquet", FeedSize::Rows(10));
    fs::hard_link(bed.source("a.parquet"), bed.source("b.parquet")).unwrap();
    symlink("a.parquet", bed.source("c.parquet")).unwrap();
    bed.upload(&["--source-dir", "./lob_data/."])
        .await
        .expect(0);
    for name in ["a.parquet", "b.parquet", "c.parquet"] {
        assert!(bed.object(name).bytes == bytes, "{name}");
    }
}

#[tokio::test]
async fn files_with_other_endings_cause_a_warning() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(10));
    for name in ["d/a.PARQUET", "b.parq", "c.PQ", "notes.txt", "left-out.pq"] {
        fs::write(bed.source(name), "PAR1").unwrap();
    }
    let args = ["--run-id", "run-1", "--exclude", "left-out*"];
    let finished = bed.run(&args).await.expect(0);
    let told = "3 files not ending in `.parquet` left out: `b.parq`, `c.PQ`, `d/a.PARQUET`\n";
    assert!(finished.stderr.contains(told), "{}", finished.stderr);
    assert_eq!(bed.manifest()["num_files"], 1);
}

#[tokio::test]
async fn files_in_folders_that_readers_skip_cause_a_warning() {
    let bed = Bed::new().await;
    for name in [
        "a.parquet",
        "_b.parquet",
        "_temporary/0/c.parquet",
        "d/.x/e.parquet",
        "_day=1/f.parquet",
    ] {
        bed.feed(name, FeedSize::Rows(10));
    }
    let finished = bed.run(&["--run-id", "run-1"]).await.expect(0);
    let told = "2 files in folders that readers skip are uploaded too; leave them out with \
                --exclude: `_temporary/0/c.parquet`, `d/.x/e.parquet`\n";
    assert!(finished.stderr.contains(told), "{}", finished.stderr);
    assert_eq!(bed.manifest()["num_files"], 5);
}

#[tokio::test]
async fn a_file_with_an_encrypted_footer_is_uploaded_without_a_row_count() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(10));
    let encrypted = b"PARE and what nobody can read\x04\0\0\0PARE";
    fs::write(bed.source("e.parquet"), encrypted).unwrap();
    let finished = bed.run(&["--run-id", "run-1"]).await.expect(0);
    let told = "`lob_data/e.parquet` has an encrypted footer";
    assert!(finished.stderr.contains(told), "{}", finished.stderr);
    let manifest = bed.manifest();
    let file = &manifest["files"][1];
    assert_eq!(
        (&file["row_count"], &file["schema_fields"]),
        (&0.into(), &serde_json::json!([]))
    );
    assert_eq!(manifest["total_rows"], 10);
    assert_eq!(bed.object("e.parquet").bytes, encrypted[..]);
    bed.run(&["verify", "run-1", "--full"]).await.expect(0);
}

#[tokio::test]
async fn a_file_larger_than_an_object_can_be_is_refused_before_anything_is_sent() {
    const SIZE: u64 = 100_000_000_000_000;
    let bed = Bed::new().await;
    let bytes = bed.feed("a.parquet", FeedSize::Rows(10));
    let length = u32::from_le_bytes(*bytes[..bytes.len() - 4].last_chunk().unwrap());
    let footer = &bytes[bytes.len() - 8 - usize::try_from(length).unwrap()..];
    // Most other file systems have no files of this size, and nobody stores a hole.
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = folder.path().join("a.parquet");
    fs::write(&path, &bytes[..4]).unwrap();
    let mut file = File::options().append(true).open(&path).unwrap();
    file.set_len(SIZE - footer.len() as u64).unwrap();
    file.write_all(footer).unwrap();
    assert_eq!(file.metadata().unwrap().len(), SIZE);
    for dry_run in [&[][..], &["--dry-run"]] {
        let source = ["--source-dir", folder.path().to_str().unwrap()];
        let told = bed
            .upload(&[&source, dry_run].concat())
            .await
            .expect(1)
            .stderr;
        let reason = "a.parquet` has 90.9 TiB, but an object has at most 48.8 TiB";
        assert!(told.contains(reason), "{told}");
    }
    assert_eq!(bed.keys(), [""; 0]);
    fault_fired("A24");
}
