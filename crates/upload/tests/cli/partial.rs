//! `--allow-partial`: files that are themselves at fault are listed in the manifest with their
//! errors; any other failure still fails the run.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use lob_testkit::parquet_files::FeedSize;
use lob_testkit::s3::{Gate, Moment, Operation, Request, Verdict, perhaps};
use serde_json::Value;

use crate::bed::{BUCKET, Bed, finish};

const IN_PARTS: FeedSize = FeedSize::Bytes(6 << 20);
const SMALL: FeedSize = FeedSize::Rows(10);

/// Answers every `chosen` request with this error.
fn refusing(
    status: u16,
    code: &'static str,
    chosen: impl Fn(&Request) -> bool + Send + Sync + 'static,
) -> impl Gate {
    move |moment: Moment, request: &Request| match moment {
        Moment::Arrived if chosen(request) => Verdict::Answer { status, code },
        _ => Verdict::Pass,
    }
}

fn sends(request: &Request, name: &str) -> bool {
    let sends = matches!(
        request.operation,
        Operation::PutObject | Operation::UploadPart
    );
    sends && request.key.ends_with(name)
}

/// The paths and errors of the files missing from the manifest.
fn failed(bed: &Bed) -> Vec<(String, String)> {
    let manifest = bed.manifest();
    let failed = manifest["failed"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    failed
        .map(|file| (text(&file["relative_path"]), text(&file["error"])))
        .collect()
}

/// Files with every fault a file can have, along with good ones.
struct Mixed {
    bed: Bed,
    good: Vec<(&'static str, Vec<u8>)>,
}

async fn mixed() -> Mixed {
    let source = std::sync::Arc::new(OnceLock::<std::path::PathBuf>::new());
    let (folder, changed) = (std::sync::Arc::clone(&source), OnceLock::new());
    let gate = move |moment: Moment, request: &Request| {
        if moment == Moment::Executed {
            return Verdict::Pass;
        }
        if request.key.ends_with("plan.json") && request.operation == Operation::PutObject {
            changed.get_or_init(|| change(folder.get().unwrap()));
        }
        Verdict::Pass
    };
    let bed = Bed::gated(perhaps(gate)).await;
    fs::write(bed.source("broken.parquet"), "time,price\n1,2\n").unwrap();
    bed.feed("changed.parquet", IN_PARTS);
    bed.feed("gone.parquet", SMALL);
    let good = [("d/good.parquet", SMALL), ("large.parquet", IN_PARTS)];
    let good = good.map(|(name, size)| (name, bed.feed(name, size))).into();
    let folder = bed.source("any").parent().unwrap().to_owned();
    source.set(folder).unwrap();
    Mixed { bed, good }
}

fn change(source: &Path) {
    fs::remove_file(source.join("gone.parquet")).unwrap();
    grow(&source.join("changed.parquet"));
}

fn grow(path: &Path) {
    let length = fs::metadata(path).unwrap().len();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(length + 1).unwrap();
}

#[tokio::test]
async fn a_partial_run_is_published_and_lists_the_files_that_failed() {
    let Mixed { bed, good } = mixed().await;
    let finished = bed.upload(&["--allow-partial", "--json"]).await.expect(0);
    let result: Value = serde_json::from_str(&finished.stdout).unwrap();
    let manifest = bed.manifest();
    for (field, number) in [("num_files", 5), ("num_successful", 2), ("num_failed", 3)] {
        assert_eq!(manifest[field], number, "{field}");
    }
    let files = manifest["files"].as_array().unwrap().iter();
    let files: Vec<_> = files.map(|file| file["relative_path"].as_str()).collect();
    assert_eq!(files, [Some("d/good.parquet"), Some("large.parquet")]);
    let failed = failed(&bed);
    let expected = [
        ("broken.parquet", "it does not begin with `PAR1`"),
        ("changed.parquet", "its size differs"),
        ("gone.parquet", "No such file"),
    ];
    for ((path, error), (name, why)) in failed.iter().zip(expected) {
        assert_eq!(path, name);
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(failed.len(), expected.len());
    assert_eq!(result["failed"], manifest["failed"]);

    assert_eq!(bed.s3.open_uploads(BUCKET), []);
    assert_eq!(
        bed.keys(),
        [
            "_progress/plan.json",
            "d/good.parquet",
            "large.parquet",
            "manifest.json"
        ]
    );
    for (name, bytes) in good {
        assert!(bed.object(name).bytes == bytes, "{name}");
    }
    bed.run(&["verify", "run-1", "--full"]).await.expect(0);
}

#[tokio::test]
async fn nothing_is_published_if_partial_runs_are_not_allowed() {
    let Mixed { bed, .. } = mixed().await;
    let finished = bed.upload(&[]).await.expect(1);
    assert!(finished.stderr.contains("broken"), "{}", finished.stderr);
    assert_eq!(bed.keys(), [""; 0]);
    fs::remove_file(bed.source("broken.parquet")).unwrap();
    bed.upload(&[]).await.expect(1);
    assert!(!bed.has_manifest());
    bed.run(&["cleanup", "run-1", "--yes"]).await.expect(0);
    bed.assert_nothing_published();
}

#[tokio::test]
async fn a_run_whose_files_all_fail_does_not_exist() {
    let bed = Bed::new().await;
    fs::write(bed.source("a.parquet"), "time,price\n1,2\n").unwrap();
    let finished = bed.upload(&["--allow-partial"]).await.expect(1);
    let told = "every file failed";
    assert!(finished.stderr.contains(told), "{}", finished.stderr);
    assert!(!finished.stderr.contains("resumes"), "{}", finished.stderr);
    assert_eq!(bed.keys(), [""; 0]);
    bed.assert_nothing_published();
    bed.feed("a.parquet", FeedSize::Rows(10));
    bed.upload(&["--allow-partial"]).await.expect(0);
}

#[tokio::test]
async fn a_refusal_by_s3_is_not_blamed_on_a_file() {
    for (status, code) in [
        (403, "AccessDenied"),
        (400, "InvalidRequest"),
        (404, "NoSuchBucket"),
        (403, "InvalidAccessKeyId"),
        (400, "ExpiredToken"),
    ] {
        let refused = |request: &Request| sends(request, "small.parquet");
        let bed = Bed::gated(refusing(status, code, refused)).await;
        bed.feeds();
        let finished = bed.upload(&["--allow-partial"]).await.expect(1);
        assert!(finished.stderr.contains(code), "{}", finished.stderr);
        assert!(!bed.has_manifest(), "{code}");
    }
}

fn second_part(request: &Request) -> bool {
    request.operation == Operation::UploadPart
        && request.key.ends_with("big.parquet")
        && request.part_number == Some(2)
}

#[tokio::test]
async fn the_upload_of_a_failed_file_is_aborted() {
    let source = std::sync::Arc::new(OnceLock::<std::path::PathBuf>::new());
    let (path, grown) = (std::sync::Arc::clone(&source), OnceLock::new());
    let bed = Bed::gated(perhaps(move |_: Moment, request: &Request| {
        if request.operation == Operation::CreateMultipartUpload
            && request.key.ends_with("big.parquet")
        {
            grown.get_or_init(|| grow(path.get().unwrap()));
        }
        Verdict::Pass
    }))
    .await;
    bed.feeds();
    source.set(bed.source("2025/big.parquet")).unwrap();
    let args = ["--allow-partial"];
    bed.upload(&args).await.expect(0);
    let failed = failed(&bed);
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].0, "2025/big.parquet");
    assert!(failed[0].1.contains("its size differs"), "{failed:?}");
    assert_eq!(bed.s3.open_uploads(BUCKET), []);
    // Asking again gives the same answer, and without `--allow-partial` the run is not reported as
    // a success.
    fs::remove_file(bed.source("2025/big.parquet")).unwrap();
    let again = bed.upload(&args).await.expect(0);
    assert!(
        again.stdout.contains("its size differs"),
        "{}",
        again.stdout
    );
    let again = bed.upload(&[]).await.expect(1);
    assert!(again.stderr.contains("--allow-partial"), "{}", again.stderr);
}

#[tokio::test]
async fn running_out_of_descriptors_never_drops_good_files_from_a_run() {
    let mut refused = 0;
    for limit in 12..30 {
        let bed = Bed::new().await;
        let feeds = bed.feeds();
        let script = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
        let mut command = bed.through_shell(&script, &["--run-id", "run-1", "--allow-partial"]);
        command.args(["--retry-timeout", "200ms", "--log-level", "error"]);
        let finished = finish(command.spawn().unwrap()).await;
        if finished.status.success() {
            bed.assert_whole(&feeds);
        } else {
            refused += 1;
            assert!(!bed.has_manifest(), "{limit}: {}", finished.shown());
        }
    }
    assert!(refused > 0);
    lob_testkit::fault_fired("C6");
}

#[tokio::test]
async fn a_transient_error_is_not_blamed_on_a_file() {
    let bed = Bed::gated(refusing(503, "SlowDown", second_part)).await;
    bed.feeds();
    let args = ["--allow-partial", "--retry-timeout", "500ms"];
    let failed = bed.upload(&args).await.expect(1);
    assert!(failed.stderr.contains("resumes it"), "{}", failed.stderr);
    assert!(!bed.has_manifest());
}

#[tokio::test]
async fn a_resumed_partial_run_leaves_out_files_that_changed() {
    let refuses = std::sync::Arc::new(AtomicBool::new(true));
    let still = std::sync::Arc::clone(&refuses);
    let refused =
        move |request: &Request| still.load(Ordering::Relaxed) && sends(request, "small.parquet");
    let bed = Bed::gated(refusing(403, "AccessDenied", refused)).await;
    let feeds = bed.feeds();
    bed.upload(&[]).await.expect(1);
    refuses.store(false, Ordering::Relaxed);
    bed.feed("none.parquet", SMALL);
    bed.upload(&[]).await.expect(1);
    assert!(!bed.has_manifest());
    bed.upload(&["--allow-partial"]).await.expect(0);
    let failed = failed(&bed);
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].0, "none.parquet");
    assert!(
        failed[0].1.contains("since the run was started"),
        "{failed:?}"
    );
    for (name, bytes) in &feeds[..2] {
        assert!(bed.object(name).bytes == bytes, "{name}");
    }
    assert_eq!(bed.s3.open_uploads(BUCKET), []);
}
