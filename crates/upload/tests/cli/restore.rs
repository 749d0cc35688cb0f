//! `lob-upload restore`: either the files of a run are back on disk, whole, or other content stays
//! as it was.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lob_testkit::parquet_files::FeedSize;
use lob_testkit::s3::{Catch, Moment, Operation, Request, Verdict};
use serde_json::Value;

use crate::bed::{BUCKET, Bed, RUN, assert_shown, finish};

const RESTORE: [&str; 5] = ["--log-level", "error", "restore", "run-1", "back"];

/// A bed with a committed run of three files.
async fn uploaded() -> (Bed, Vec<(String, Vec<u8>)>) {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    bed.upload(&[]).await.expect(0);
    (bed, feeds)
}

/// Every file below the folder `back`.
fn back(bed: &Bed) -> BTreeMap<String, Vec<u8>> {
    fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                files.insert(name.to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    let (root, mut files) = (bed.path("back"), BTreeMap::new());
    collect(&root, &root, &mut files);
    files
}

/// Puts a file into the folder `back`.
fn put(bed: &Bed, name: &str, bytes: &[u8]) {
    let path = bed.path("back").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The data files requested, starting with request number `from`.
fn fetched(bed: &Bed, from: usize) -> Vec<String> {
    let requests = bed.s3.requests().into_iter().skip(from);
    let gets = requests.filter(|request| request.operation == Operation::GetObject);
    let names = gets.filter_map(|get| Some(get.key.strip_prefix(RUN)?[1..].to_owned()));
    names.filter(|name| name.ends_with(".parquet")).collect()
}

/// Holds the `n`th data file requested.
fn hold(bed: &Bed, n: usize) -> Catch {
    let mut seen = 0;
    bed.trap.set(move |moment: Moment, request: &Request| {
        let is_data = request.key.ends_with(".parquet");
        let is_get = request.operation == Operation::GetObject && is_data;
        seen += usize::from(is_get && moment == Moment::Arrived);
        is_get && seen == n
    })
}

#[tokio::test]
async fn a_run_is_restored_byte_for_byte_without_fetching_anything_twice() {
    let (bed, feeds) = uploaded().await;
    assert_shown!(bed.run(&RESTORE).await, @r#"
    exit status: 0
    ----- stdout -----
    run       run-1
    folder    back
    files     3, of which 0 were already there
    verified  6.15 MiB, every byte was hashed
    ----- stderr -----
    "#);
    let feeds: BTreeMap<_, _> = feeds.into_iter().collect();
    assert!(back(&bed) == feeds);

    fs::remove_file(bed.path("back/none.parquet")).unwrap();
    put(&bed, "notes.txt", b"mine");
    let before = bed.operations().len();
    let again = bed.run(&[&RESTORE[..], &["--json"]].concat()).await;
    let result: Value = serde_json::from_str(&again.expect(0).stdout).unwrap();
    let bytes: usize = feeds.values().map(Vec::len).sum();
    for (field, value) in [
        ("run_id", Value::from("run-1")),
        ("files", 3.into()),
        ("kept_files", 2.into()),
        ("fetched_files", 1.into()),
        ("bytes", bytes.into()),
        ("verified", true.into()),
    ] {
        assert_eq!(result[field], value, "{field}");
    }
    assert_eq!(fetched(&bed, before), ["none.parquet"]);
    assert_eq!(back(&bed).len(), 4);
}

#[tokio::test]
async fn restore_refuses_to_overwrite_other_content_before_fetching_anything() {
    let (bed, feeds) = uploaded().await;
    let (small, mut same_size) = feeds[1].clone();
    same_size[100] ^= 1;
    for (name, bytes) in [
        (small.as_str(), &b"shorter"[..]),
        (&small, &same_size),
        ("none.parquet/below", b"a folder"),
        ("2025", b"no folder"),
    ] {
        put(&bed, name, bytes);
        let (there, before) = (back(&bed), bed.operations().len());
        let refused = bed.run(&RESTORE).await.expect(1);
        let path = format!("back/{}", name.strip_suffix("/below").unwrap_or(name));
        let mut lines = refused.stderr.lines();
        let of_path = |line: &str| line.starts_with("    ") && line.contains(&path);
        assert!(lines.any(of_path), "{}", refused.stderr);
        let hint = "restore the run into another folder";
        assert!(refused.stderr.contains(hint), "{}", refused.stderr);
        assert!(back(&bed) == there);
        assert_eq!(fetched(&bed, before), [""; 0]);
        fs::remove_dir_all(bed.path("back")).unwrap();
    }
    put(&bed, &small, b"shorter");
    let elsewhere = ["restore", "run-1", "elsewhere"];
    bed.run(&elsewhere).await.expect(0);
}

#[tokio::test]
async fn restore_follows_links_but_never_writes_outside_its_folder() {
    let (bed, feeds) = uploaded().await;
    let elsewhere = bed.path("elsewhere");
    for (target, name) in [
        ("nowhere", "none.parquet"),
        ("/dev/zero", "none.parquet"),
        ("nowhere", "2025"),
        ("../elsewhere", "2025"),
    ] {
        fs::create_dir_all(bed.path("back")).unwrap();
        fs::create_dir_all(&elsewhere).unwrap();
        symlink(target, bed.path("back").join(name)).unwrap();
        let before = bed.operations().len();
        let refused = bed.run(&RESTORE).await.expect(1);
        for told in [&format!("back/{name}"), "into another folder"] {
            assert!(refused.stderr.contains(told), "{}", refused.stderr);
        }
        assert_eq!(fetched(&bed, before), [""; 0]);
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        assert_eq!(fs::read_dir(bed.path("back")).unwrap().count(), 1);
        fs::remove_dir_all(bed.path("back")).unwrap();
    }
    put(
        &bed,
        "other/name",
        &feeds
            .iter()
            .find(|(name, _)| name == "none.parquet")
            .unwrap()
            .1,
    );
    symlink("other/name", bed.path("back/none.parquet")).unwrap();
    symlink("other", bed.path("back/2025")).unwrap();
    bed.run(&RESTORE).await.expect(0);
    for (name, bytes) in feeds {
        assert!(fs::read(bed.path("back").join(name)).unwrap() == bytes);
    }
}

#[tokio::test]
async fn files_that_share_a_path_through_a_link_are_restored_once() {
    let bed = Bed::new().await;
    let bytes = bed.feed("a/x.parquet", FeedSize::Rows(10));
    symlink("a", bed.source("b")).unwrap();
    bed.upload(&[]).await.expect(0);
    put(&bed, "a/notes.txt", b"mine");
    symlink("a", bed.path("back/b")).unwrap();
    bed.run(&RESTORE).await.expect(0);
    assert!(fs::read(bed.path("back/a/x.parquet")).unwrap() == bytes);
}

#[tokio::test]
async fn a_damaged_object_is_not_restored_but_the_others_are() {
    let (bed, _) = uploaded().await;
    let key = format!("{RUN}/2025/big.parquet");
    assert!(bed.s3.corrupt(BUCKET, &key, 3_456_789));
    bed.s3.remove(BUCKET, &format!("{RUN}/none.parquet"));
    let finished = bed.run(&RESTORE).await.expect(3);
    for told in [
        "2025/big.parquet` has the wrong SHA-256",
        "none.parquet` was removed or changed while it was read",
    ] {
        assert!(finished.stderr.contains(told), "{}", finished.stderr);
    }
    assert_eq!(
        back(&bed).into_keys().collect::<Vec<_>>(),
        ["2025/small.parquet"]
    );
}

#[tokio::test]
async fn an_object_damaged_in_transit_is_fetched_up_to_four_times() {
    let damaged = AtomicUsize::new(0);
    let gate = move |moment: Moment, request: &Request| {
        let is_meant = moment == Moment::Executed
            && request.operation == Operation::GetObject
            && request.key.ends_with("a.parquet");
        if is_meant && damaged.fetch_add(1, Ordering::Relaxed) % 4 < 3 {
            Verdict::Damage
        } else {
            Verdict::Pass
        }
    };
    let bed = Bed::gated(gate).await;
    let bytes = bed.feed("a.parquet", FeedSize::Rows(10));
    bed.upload(&[]).await.expect(0);
    for args in [&RESTORE[..], &["verify", "run-1", "--full"]] {
        let before = bed.operations().len();
        bed.run(args).await.expect(0);
        assert_eq!(fetched(&bed, before), ["a.parquet"; 4]);
    }
    assert!(back(&bed) == BTreeMap::from([("a.parquet".to_owned(), bytes)]));
}

#[tokio::test]
async fn a_restore_killed_at_any_request_is_completed_by_the_same_command() {
    let (bed, feeds) = uploaded().await;
    let feeds: BTreeMap<_, _> = feeds.into_iter().collect();
    for n in 1..=3 {
        let mut catch = hold(&bed, n);
        let mut child = bed.command(&RESTORE).spawn().unwrap();
        catch.request().await;
        child.start_kill().unwrap();
        finish(child).await;
        for (name, bytes) in back(&bed) {
            let is_unfinished = name.starts_with(".lob-restore/");
            assert!(is_unfinished || feeds[&name] == bytes, "{name}");
        }
        let killed = back(&bed);
        let there = feeds.keys().filter(|name| killed.contains_key(*name));
        let before = bed.operations().len();
        let (there, _) = (there.count(), bed.run(&RESTORE).await.expect(0));
        assert_eq!(fetched(&bed, before).len(), feeds.len() - there);
        assert!(back(&bed) == feeds);
        fs::remove_dir_all(bed.path("back")).unwrap();
    }
}

#[tokio::test]
async fn a_restore_whose_server_goes_away_hints_at_the_same_command() {
    let is_away = Arc::new(AtomicBool::new(true));
    let state = Arc::clone(&is_away);
    let bed = Bed::gated(move |moment: Moment, request: &Request| {
        let is_meant = request.operation == Operation::GetObject
            && request.key.ends_with("big.parquet")
            && moment == Moment::Arrived;
        if is_meant && state.load(Ordering::Relaxed) {
            Verdict::Answer {
                status: 503,
                code: "ServiceUnavailable",
            }
        } else {
            Verdict::Pass
        }
    })
    .await;
    let feeds = bed.feeds();
    bed.upload(&[]).await.expect(0);
    let args = [&RESTORE[..], &["--retry-timeout", "200ms"]].concat();
    let failed = bed.run(&args).await.expect(1);
    for told in [
        "error: the restore into `back` is not complete",
        "hint: the same command resumes it",
    ] {
        assert!(failed.stderr.contains(told), "{}", failed.stderr);
    }
    is_away.store(false, Ordering::Relaxed);
    bed.run(&args).await.expect(0);
    assert!(back(&bed) == feeds.into_iter().collect());
}

#[tokio::test]
async fn two_restores_never_share_a_folder() {
    let (bed, feeds) = uploaded().await;
    let mut catch = hold(&bed, 2);
    let first = bed.command(&RESTORE).spawn().unwrap();
    catch.request().await;
    let second = bed.run(&RESTORE).await.expect(1);
    let told = "`back` is being restored by another process";
    assert!(second.stderr.contains(told), "{}", second.stderr);
    catch.release();
    finish(first).await.expect(0);
    assert!(back(&bed) == feeds.into_iter().collect());
}

#[tokio::test]
async fn a_manifest_that_names_the_scratch_folder_is_refused() {
    let (bed, _) = uploaded().await;
    let manifest = String::from_utf8(bed.object("manifest.json").bytes.to_vec()).unwrap();
    let manifest = manifest.replace("\"none.parquet\"", "\".lob-restore/none.parquet\"");
    bed.s3
        .put_raw(BUCKET, &format!("{RUN}/manifest.json"), manifest);
    let refused = bed.run(&RESTORE).await.expect(3);
    let told = "`.lob-restore/none.parquet` is where a restore keeps unfinished files";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    assert_eq!(back(&bed), BTreeMap::new());
}
