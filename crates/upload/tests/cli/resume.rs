//! A stopped run resumes where it left off, whatever has happened to the files, the settings and
//! the plan meanwhile.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use lob_testkit::parquet_files::FeedSize;
use lob_testkit::s3::{Moment, Operation, Request};
use serde_json::Value;

use crate::bed::{BUCKET, Bed, Finished, RUN, finish, writes};

const BIG: &str = "2025/big.parquet";
const PLAN: &str = "_progress/plan.json";

/// Matches the first request of this operation for object `name`, before it is executed.
fn arrival(
    operation: Operation,
    name: &'static str,
) -> impl FnMut(Moment, &Request) -> bool + Send + 'static {
    move |moment, request| {
        moment == Moment::Arrived
            && request.operation == operation
            && request.key == format!("{RUN}/{name}")
    }
}

/// A run whose big file has all its parts but is not an object yet.
async fn killed_before_complete() -> (Bed, Vec<(String, Vec<u8>)>) {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    let complete = arrival(Operation::CompleteMultipartUpload, BIG);
    bed.kill_at(&[], complete).await.unwrap();
    (bed, feeds)
}

/// A run that lacks only its manifest.
async fn killed_before_commit() -> (Bed, Vec<(String, Vec<u8>)>) {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    let commit = arrival(Operation::PutObject, "manifest.json");
    bed.kill_at(&[], commit).await.unwrap();
    (bed, feeds)
}

async fn committed() -> (Bed, Vec<(String, Vec<u8>)>) {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    bed.upload(&[]).await.expect(0);
    (bed, feeds)
}

/// Changes a byte in the middle without changing the file's size or modification time.
fn forge(path: &Path, offset: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[!byte[0]], offset).unwrap();
    file.set_modified(modified).unwrap();
}

#[track_caller]
fn assert_says(finished: &Finished, texts: &[&str]) {
    for text in texts {
        assert!(finished.stderr.contains(text), "{}", finished.shown());
    }
}

#[tokio::test]
async fn parts_that_the_server_has_are_not_sent_again() {
    let bed = Bed::new().await;
    let bytes = bed.feed("a.parquet", FeedSize::Bytes(11 << 20));
    let third = |moment: Moment, request: &Request| {
        let data = request.key.ends_with("a.parquet");
        moment == Moment::Arrived && data && request.part_number == Some(3)
    };
    bed.kill_at(&["--parts-in-flight", "1"], third)
        .await
        .unwrap();
    let before = bed.operations().len();
    // Whichever of the other parts came before it.
    let kept = bed.asked(Operation::UploadPart, "a.parquet", 0);
    let kept = kept.iter().filter(|part| part.status == Some(200));
    let kept: BTreeSet<_> = kept.map(|part| part.part_number).collect();
    bed.upload(&[]).await.expect(0);
    let sent = bed.asked(Operation::UploadPart, "a.parquet", before);
    let sent: Vec<_> = sent.iter().map(|part| part.part_number).collect();
    assert!(
        sent.contains(&Some(3)) && sent.len() + kept.len() == 3,
        "{sent:?} {kept:?}"
    );
    assert!(
        sent.iter().all(|part| !kept.contains(part)),
        "{sent:?} {kept:?}"
    );
    bed.assert_whole(&[("a.parquet".to_owned(), bytes)]);
}

#[tokio::test]
async fn the_summary_says_what_was_kept_and_read_again() {
    let (bed, feeds) = killed_before_complete().await;
    let big = feeds[0].1.len();
    let finished = bed.upload(&["--json"]).await.expect(0);
    let result: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(result["kept_parts"], 2);
    let total: usize = feeds.iter().map(|(_, bytes)| bytes.len()).sum();
    let again = result["read_again_bytes"].as_u64().unwrap();
    assert!(again >= big as u64);
    assert_eq!(result["sent_bytes"], total as u64 - again);
    assert_eq!(result["was_committed"], false);

    let (bed, feeds) = killed_before_commit().await;
    let finished = bed.upload(&[]).await.expect(0);
    let line = "resumed   3 files and 0 parts were already there, 6.15 MiB were read again to \
                verify them\n";
    assert!(finished.stdout.contains(line), "{}", finished.shown());
    bed.assert_whole(&feeds);
}

#[tokio::test]
async fn the_fullest_open_upload_is_resumed_and_the_others_are_aborted() {
    for lost_first in [true, false] {
        let bed = Bed::new().await;
        let feeds = bed.feeds();
        let create = arrival(Operation::CreateMultipartUpload, BIG);
        let complete = arrival(Operation::CompleteMultipartUpload, BIG);
        if lost_first {
            // The upload that nobody knows about is the older one.
            let executed = |moment: Moment, request: &Request| {
                moment == Moment::Executed
                    && request.operation == Operation::CreateMultipartUpload
                    && request.key.ends_with(BIG)
            };
            let mut creating = bed.trap.set(executed);
            let mut child = bed.start(&[]);
            creating.request().await;
            let mut completing = bed.trap.set(complete);
            creating.lose();
            completing.request().await;
            child.kill().await.unwrap();
        } else {
            // A process that creates its upload late and dies immediately.
            let mut creating = bed.trap.set(create);
            let mut late = bed.start(&[]);
            creating.request().await;
            bed.kill_at(&[], complete).await.unwrap();
            let mut sending = bed.trap.set(arrival(Operation::UploadPart, BIG));
            creating.release();
            sending.request().await;
            late.kill().await.unwrap();
        }
        let open = bed.s3.open_uploads(BUCKET);
        assert_eq!(open.len(), 2, "{open:?}");
        let before = bed.operations().len();
        bed.upload(&[]).await.expect(0);
        assert!(bed.asked(Operation::UploadPart, BIG, before).is_empty());
        let taken_up = bed.asked(Operation::CompleteMultipartUpload, BIG, before);
        let fullest = &open[usize::from(lost_first)].1;
        assert_eq!(taken_up[0].upload_id.as_ref(), Some(fullest));
        bed.assert_whole(&feeds);
    }
}

#[tokio::test]
async fn a_part_that_no_longer_matches_the_file_is_sent_again() {
    let (bed, mut feeds) = killed_before_complete().await;
    forge(&bed.source(BIG), 100);
    feeds[0].1 = std::fs::read(bed.source(BIG)).unwrap();
    let before = bed.operations().len();
    bed.upload(&[]).await.expect(0);
    let sent = bed.asked(Operation::UploadPart, BIG, before);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].part_number, Some(1));
    bed.assert_whole(&feeds);
}

#[tokio::test]
async fn an_object_that_no_longer_matches_the_file_is_a_conflict() {
    for name in ["2025/small.parquet", BIG] {
        let (bed, _) = killed_before_commit().await;
        let object = bed.object(name);
        forge(&bed.source(name), 100);
        let finished = bed.upload(&[]).await.expect(1);
        let conflict = format!("`s3://{BUCKET}/{RUN}/{name}` is not the same as the local file");
        assert_says(&finished, &[&conflict, "use another --run-id"]);
        let stderr = &finished.stderr;
        for untrue in ["another process", "resumes it"] {
            assert!(!stderr.contains(untrue), "{stderr}");
        }
        assert_eq!(bed.object(name), object);
        bed.assert_nothing_published();
    }
}

#[tokio::test]
async fn a_file_that_is_not_as_planned_is_a_named_conflict() {
    let changes: [fn(&Path); 2] = [
        |path| std::fs::remove_file(path).unwrap(),
        |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, bytes).unwrap();
        },
    ];
    for change in changes {
        let (bed, _) = killed_before_complete().await;
        let before = bed.operations().len();
        change(&bed.source("none.parquet"));
        let finished = bed.upload(&[]).await.expect(1);
        let message = "`none.parquet` has changed since the run was started";
        assert_says(&finished, &[message, "--run-id"]);
        // That neither sends nor discards anything of the other files.
        let after = &bed.operations()[before..];
        assert!(!after.contains(&Operation::UploadPart), "{after:?}");
        assert_eq!(bed.s3.open_uploads(BUCKET).len(), 1);
        assert!(!bed.has_manifest());
    }
}

#[tokio::test]
async fn a_file_that_appeared_after_the_plan_is_reported_but_not_uploaded() {
    let (bed, feeds) = killed_before_complete().await;
    bed.feed("2026/new.parquet", FeedSize::Rows(10));
    let finished = bed.run(&["--run-id", "run-1"]).await.expect(0);
    assert_says(
        &finished,
        &["it is not in the run's plan", "2026/new.parquet"],
    );
    bed.assert_whole(&feeds);
}

#[tokio::test]
async fn a_planned_file_that_is_left_out_now_is_a_conflict_and_any_other_selection_is_not() {
    let (bed, feeds) = killed_before_commit().await;
    let refused = bed
        .upload(&["--exclude", "2025/**", "--allow-partial"])
        .await;
    let refused = refused.expect(1);
    assert_says(
        &refused,
        &[
            "which --include and --exclude leave out now",
            "`exclude`: flag `--exclude`",
        ],
    );
    assert!(!bed.has_manifest());
    // Then the listing fails without the exclusion.
    let mut mkfifo = std::process::Command::new("mkfifo");
    let made = mkfifo.arg(bed.source("2025/pipe.parquet")).status();
    assert!(made.unwrap().success());
    bed.upload(&["--exclude", "pipe.parquet"]).await.expect(0);
    bed.assert_whole(&feeds);
    assert_eq!(bed.manifest()["num_failed"], 0);
}

#[tokio::test]
async fn settings_that_differ_from_the_plan_are_refused_by_their_flag() {
    let (bed, feeds) = killed_before_complete().await;
    for (flag, value) in [
        ("--part-size", "6MiB"),
        ("--multipart-threshold", "6MiB"),
        ("--hash", "md5"),
        ("--storage-class", "STANDARD_IA"),
        ("--sse", "AES256"),
        ("--metadata", "a=b"),
    ] {
        let before = bed.operations().len();
        let finished = bed.upload(&[flag, value]).await.expect(1);
        assert_says(&finished, &["the run was started with", flag, "`run-1`"]);
        let asked = &bed.s3.requests()[before..];
        assert!(
            asked.iter().all(|request| request.method != "PUT"),
            "{flag}: {asked:?}"
        );
    }
    // Settings that do not affect any byte may differ.
    bed.upload(&["--jobs", "1", "--parts-in-flight", "2"])
        .await
        .expect(0);
    bed.assert_whole(&feeds);
}

#[tokio::test]
async fn a_run_keeps_its_part_size_whatever_memory_there_is_when_it_is_resumed() {
    let (bed, feeds) = killed_before_complete().await;
    let before = bed.s3.requests().len();
    let args = ["--run-id", "run-1", "--memory", "2GiB"];
    bed.run_without(&args, &["LOB_PART_SIZE"]).await.expect(0);
    bed.assert_whole(&feeds);
    assert_eq!(bed.asked(Operation::UploadPart, BIG, before).len(), 0);
}

#[tokio::test]
async fn a_plan_not_written_by_this_tool_is_refused_and_left_as_it_is() {
    let (bed, _) = killed_before_complete().await;
    let plan: Value = serde_json::from_slice(&bed.object(PLAN).bytes).unwrap();
    let with = |field: &str, value: Value| {
        let mut plan = plan.clone();
        plan[field] = value;
        plan.to_string()
    };
    for (plan, says) in [
        ("{".to_owned(), "cannot be read"),
        ("{}".to_owned(), "cannot be read"),
        (with("work", Value::Null), "cannot be read"),
        (with("write_token", "x".into()), "cannot be read"),
        (with("format_version", 1.into()), "has format version 1"),
        (with("format_version", 3.into()), "has format version 3"),
        (with("tool", "lob-export".into()), "belongs to lob-export"),
        (with("run_id", "run-2".into()), "belongs to run `run-2`"),
    ] {
        let key = format!("{RUN}/{PLAN}");
        bed.s3.put_raw(BUCKET, &key, plan.clone());
        let finished = bed.upload(&[]).await.expect(1);
        assert_says(&finished, &["plan.json", says, "--run-id"]);
        assert_eq!(bed.object(PLAN).bytes, plan);
        assert!(!bed.has_manifest());
    }
    lob_testkit::fault_fired("C10");
}

#[tokio::test]
async fn a_committed_upload_is_checked_and_its_local_copy_rewritten() {
    let (bed, feeds) = committed().await;
    let copy = bed.path("artifacts/lob_data_uploads/manifest_run-1.json");
    std::fs::remove_file(&copy).unwrap();
    let before = bed.operations().len();
    let finished = bed.upload(&[]).await.expect(0);
    let line = "uploaded  nothing: the run is already complete, its 6.15 MiB match the manifest\n";
    assert!(finished.stdout.contains(line), "{}", finished.shown());
    let asked = bed.operations().split_off(before);
    let heads = asked.iter().filter(|o| **o == Operation::HeadObject);
    // The manifest is requested too.
    assert_eq!(heads.count(), feeds.len() + 1);
    let requests = &bed.s3.requests()[before..];
    assert!(
        requests
            .iter()
            .all(|r| r.method == "HEAD" || r.method == "GET")
    );
    assert_eq!(
        std::fs::read(copy).unwrap(),
        bed.object("manifest.json").bytes
    );
    let finished = bed.upload(&["--json"]).await.expect(0);
    let result: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(result["was_committed"], true);
    assert_eq!(result["sent_bytes"], 0);
}

#[tokio::test]
async fn a_committed_run_that_lacks_a_file_is_not_reported_as_success() {
    let (bed, _) = committed().await;
    bed.feed("new.parquet", FeedSize::Rows(10));
    let finished = bed.upload(&[]).await.expect(1);
    assert_says(&finished, &["committed", "`new.parquet`", "--run-id"]);

    let (bed, _) = committed().await;
    bed.feed("none.parquet", FeedSize::Rows(10));
    let finished = bed.upload(&[]).await.expect(1);
    assert_says(&finished, &["committed", "`none.parquet`", "--run-id"]);
}

#[tokio::test]
async fn a_committed_run_with_an_unlistable_directory_is_not_a_success() {
    let (bed, _) = committed().await;
    let outside = bed.path("elsewhere.parquet");
    std::fs::write(&outside, "").unwrap();
    std::os::unix::fs::symlink(&outside, bed.source("link.parquet")).unwrap();
    let finished = bed.upload(&[]).await.expect(1);
    assert_says(&finished, &["committed", "link.parquet"]);
}

#[tokio::test]
async fn a_committed_run_with_a_replaced_or_missing_object_is_damaged() {
    for replaced in [true, false] {
        let (bed, _) = committed().await;
        let key = format!("{RUN}/{BIG}");
        if replaced {
            bed.s3.put_raw(BUCKET, &key, &b"another writer's"[..]);
        } else {
            bed.s3.remove(BUCKET, &key);
        }
        let finished = bed.upload(&[]).await.expect(3);
        assert_says(&finished, &[BIG]);
    }
}

#[tokio::test]
async fn a_committed_run_needs_no_local_file() {
    let (bed, feeds) = committed().await;
    std::fs::remove_dir_all(bed.path("lob_data")).unwrap();
    bed.upload(&[]).await.expect(0);
    bed.assert_whole(&feeds);
}

#[tokio::test]
async fn an_aborted_upload_starts_over() {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    let second = |moment: Moment, request: &Request| {
        let big = request.key.ends_with(BIG);
        moment == Moment::Arrived && big && request.part_number == Some(2)
    };
    let mut sending = bed.trap.set(second);
    let child = bed.start(&["--parts-in-flight", "1"]);
    sending.request().await;
    bed.run(&["cleanup", "run-1", "--yes"]).await.expect(0);
    sending.release();
    finish(child).await.expect(0);
    bed.assert_whole(&feeds);
    assert!(writes(bed.s3.requests().last().unwrap(), "manifest.json"));
}

#[tokio::test]
async fn a_run_with_a_generated_id_is_resumed_by_the_id_it_prints() {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    let mut completing = bed.trap.set(|moment: Moment, request: &Request| {
        let complete = request.operation == Operation::CompleteMultipartUpload;
        moment == Moment::Arrived && complete && request.key.ends_with(BIG)
    });
    let mut child = bed.command(&[]).spawn().unwrap();
    completing.request().await;
    child.start_kill().unwrap();
    let killed = finish(child).await;
    let (_, after) = killed.stderr.split_once("with `--run-id ").unwrap();
    let id = after.split('`').next().unwrap();
    let before = bed.operations().len();
    bed.run(&["--run-id", id]).await.expect(0);
    let requests = &bed.s3.requests()[before..];
    let parts = requests
        .iter()
        .filter(|r| r.operation == Operation::UploadPart && r.key.ends_with(BIG));
    assert_eq!(parts.count(), 0);
    for (name, bytes) in feeds {
        let object = bed.s3.object(BUCKET, &format!("lob-data/{id}/{name}"));
        assert!(object.unwrap().bytes == bytes, "{name}");
    }
    assert_eq!(bed.s3.open_uploads(BUCKET), []);
}
