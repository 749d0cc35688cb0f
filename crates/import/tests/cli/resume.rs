//! An import that ended early is resumed by the same command, and nothing is fetched twice.

use bson::{RawDocumentBuf, rawdoc};
use lob_testkit::mongo::{Command, Verdict};
use lob_testkit::split_documents::SplitDocuments;
use tokio::process::Child;

use crate::bed::{BUCKET, Bed, ENTRIES, Finished, assert_shown, data_file, manifest, split_of};
use crate::trap::Trap;

fn is_insert(command: &Command) -> bool {
    let collection = command.collection.as_deref().unwrap_or_default();
    command.name == "insert"
        && command.documents > 0
        && collection.contains("__lob_")
        && collection != ENTRIES
}

fn is_rename(command: &Command) -> bool {
    command.name == "renameCollection"
}

/// An import stopped after it has sent this many matching commands, and its servers.
async fn stopped(is_meant: fn(&Command) -> bool, passes: usize, signal: &str) -> (Bed, Finished) {
    let (trap, mut holds) = Trap::new(is_meant, passes);
    let bed = Bed::with_trap(&trap).await;
    bed.put_old();
    let child = bed.start(&[]);
    holds.recv().await.unwrap();
    send(&child, signal).await;
    let output = crate::bed::finish(child).await;
    trap.open(Verdict::Disconnect);
    (bed, output)
}

async fn send(child: &Child, signal: &str) {
    let pid = child.id().unwrap().to_string();
    let mut kill = tokio::process::Command::new("kill");
    assert!(kill.args([signal, &pid]).status().await.unwrap().success());
}

#[tokio::test]
async fn an_interrupted_import_resumes_and_fetches_no_data_file_twice() {
    // One insert for each of the four data files; the third is held.
    let (bed, output) = stopped(is_insert, 2, "-INT").await;
    assert_shown!(output, @r#"
    exit status: 130
    ----- stdout -----
    ----- stderr -----
    error: the import of run `run-1` is not complete
      Caused by: failed to import split 1 for `split_1_input`
      Caused by: interrupted
    hint: the same command with `--run-id run-1` resumes it
    "#);
    bed.assert_target_untouched();
    let before = bed.fetched().len();
    let resumed = bed.run(&["--run-id", "run-1"]).await.expect(0);
    let told = "    not fetched again: 2 data files\n  split_1_input: ";
    assert!(resumed.stdout.contains(told), "{}", resumed.stdout);
    for told in [
        "WARN the collection exists: it and its indexes will be replaced",
        "INFO `split_0_input` is resumed: 2 of 2 data files are already loaded",
        "20 of 20 documents",
    ] {
        assert!(resumed.stderr.contains(told), "{}", resumed.stderr);
    }
    // They are fetched at the same time.
    let mut again = bed.fetched()[before..].to_vec();
    again.sort();
    let expected = [
        "split_1.parquet/part-00000-00000.parquet",
        "split_1.parquet/part-00000-00001.parquet",
    ];
    assert_eq!(again, expected);
    bed.assert_imported();
}

#[tokio::test]
async fn an_import_killed_between_two_swaps_remembers_the_first() {
    let (bed, _) = stopped(is_rename, 1, "-KILL").await;
    let before = bed.fetched().len();
    let first = bed.identities()[0].clone();
    assert_eq!(first.0, "split_0_input");
    let resumed = bed.run(&["--run-id", "run-1", "--no-replace"]).await;
    let resumed = resumed.expect(0);
    for told in [
        "    was already swapped in by another import of this run\n  split_1_input: ",
        "    not fetched again: 2 data files\nfiles     4\ndocuments 50\n",
    ] {
        assert!(resumed.stdout.contains(told), "{}", resumed.stdout);
    }
    for told in [
        "INFO `split_0_input` was already swapped in by another import of this run",
        "INFO `split_1_input` is resumed: 2 of 2 data files are already loaded",
        "0 B of 0 B",
    ] {
        assert!(resumed.stderr.contains(told), "{}", resumed.stderr);
    }
    assert_eq!(bed.fetched().len(), before);
    assert_eq!(bed.identities()[0], first);
    bed.assert_imported();
    // A finished import leaves no entries: the same run can be imported again.
    bed.import(&[]).await;
    assert_eq!(bed.fetched().len(), before + 4);
    assert_ne!(bed.identities()[0], first);
    bed.assert_imported();
}

#[tokio::test]
async fn a_target_that_was_changed_after_its_swap_is_kept_with_a_warning() {
    let (bed, _) = stopped(is_rename, 1, "-KILL").await;
    let later = rawdoc! { "_id": "later" };
    bed.mongo.load("raw", "split_0_input", [later]).unwrap();
    let resumed = bed.run(&["--run-id", "run-1"]).await.expect(0);
    let told = "WARN an earlier import of this run put `split_0_input` in its place; it has 31 \
                documents now, the run has 30: to import it again, rename or drop it first";
    assert!(resumed.stderr.contains(told), "{}", resumed.stderr);
}

#[tokio::test]
async fn an_import_killed_after_the_last_swap_has_nothing_left_to_do() {
    let (bed, _) = stopped(|command| command.name == "delete", 0, "-KILL").await;
    let before = bed.fetched().len();
    let targets = bed.identities();
    let output = bed.import(&[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    assert_eq!(bed.fetched().len(), before);
    assert_eq!(bed.identities(), targets);
    bed.assert_imported();
}

#[tokio::test]
async fn two_simultaneous_imports_of_one_run_do_no_harm() {
    // Both reach such a command before either continues.
    for (is_meant, passes) in [
        (is_insert as fn(&Command) -> bool, 0),
        (is_insert, 3),
        (is_rename, 0),
        (is_rename, 1),
        (|command: &Command| command.name == "create", 0),
        (|command: &Command| command.name == "create", 1),
        (|command: &Command| command.name == "delete", 0),
    ] {
        let (trap, mut holds) = Trap::new(is_meant, passes);
        let bed = Bed::with_trap(&trap).await;
        bed.put_old();
        let first = bed.start(&[]);
        holds.recv().await.unwrap();
        let second = bed.start(&[]);
        holds.recv().await.unwrap();
        trap.open(Verdict::Pass);
        for import in [first, second] {
            let output = crate::bed::finish(import).await;
            assert_eq!(output.status.code(), Some(0), "{passes} {}", output.stderr);
        }
        bed.assert_imported();
    }
    lob_testkit::fault_fired("C9");
}

#[tokio::test]
async fn a_wrong_final_count_makes_the_next_run_start_over() {
    let (trap, mut holds) = Trap::new(
        |command| {
            command.name == "count" && {
                let name = command.collection.as_deref().unwrap_or_default();
                name.starts_with("split_0_input__lob_")
            }
        },
        0,
    );
    let bed = Bed::with_trap(&trap).await;
    let child = bed.start(&[]);
    holds.recv().await.unwrap();
    let staging = bed
        .collections()
        .into_iter()
        .find(|name| name.starts_with("split_0_input__lob_"));
    let stranger = bson::rawdoc! { "_id": "stranger" };
    bed.mongo
        .load("raw", &staging.unwrap(), [stranger])
        .unwrap();
    trap.open(Verdict::Pass);
    let ended = crate::bed::finish(child).await.expect(3);
    for told in [
        ": 31, 30 were decoded\n",
        "the same command with `--run-id run-1 --split 1` imports the other splits",
    ] {
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
    bed.assert_given_up(0);
    bed.import(&[]).await;
    assert_eq!(bed.fetched().len(), 2 + 4);
    bed.assert_imported();
}

/// Damaged, cut off, or of a version to come: such an entry proves nothing about its data file.
#[tokio::test]
async fn a_data_file_whose_entry_cannot_be_read_is_fetched_again() {
    let (bed, _) = stopped(is_insert, 2, "-KILL").await;
    let before = bed.fetched().len();
    let entries = bed.mongo.documents("raw", ENTRIES).unwrap();
    let entries = entries
        .into_iter()
        .map(|e| RawDocumentBuf::from_bytes(e).unwrap());
    let of_files: Vec<_> = entries.filter(|e| e.get_str("file").is_ok()).collect();
    assert_eq!(of_files.len(), 2);
    for (entry, (field, value)) in of_files.iter().zip([("digest", "no"), ("documents", "10")]) {
        let mut damaged = bson::Document::try_from(entry.clone()).unwrap();
        damaged.insert(field, value);
        let damaged = RawDocumentBuf::try_from(&damaged).unwrap();
        bed.mongo.load("raw", ENTRIES, [damaged]).unwrap();
    }
    bed.import(&[]).await.expect(0);
    assert_eq!(bed.fetched().len(), before + 4);
    bed.assert_imported();
    lob_testkit::fault_fired("C10");
}

/// Puts a run of other documents on the S3 server.
fn publish_other(bed: &Bed, documents: &[RawDocumentBuf]) {
    let key = "split_0.parquet/part-00000-00000.parquet".to_owned();
    let file = data_file(key, documents);
    let key = format!("processed-splits/run-2/{}", file.key);
    bed.s3.put_raw(BUCKET, &key, file.bytes.clone());
    let split = split_of(0, &[file]);
    let manifest = manifest("run-2", "2025-11-16T09:30:00Z", vec![split]);
    bed.put_manifest("run-2", &manifest.to_string());
}

#[tokio::test]
async fn two_imports_of_different_runs_into_one_target_never_mix() {
    let others: Vec<_> = SplitDocuments::new(9, 4).take(30).collect();
    for (is_meant, passes) in [(is_insert as fn(&Command) -> bool, 0), (is_rename, 0)] {
        let (trap, mut holds) = Trap::new(is_meant, passes);
        let bed = Bed::with_trap(&trap).await;
        publish_other(&bed, &others);
        bed.put_old();
        let first = bed.start(&["--split", "0"]);
        holds.recv().await.unwrap();
        let other = ["--run-id", "run-2", "--log-level", "error"];
        let second = bed.command(&other).spawn().unwrap();
        holds.recv().await.unwrap();
        bed.assert_target_untouched();
        trap.open(Verdict::Pass);
        let mut succeeded = 0;
        for import in [first, second] {
            let ended = crate::bed::finish(import).await;
            succeeded += usize::from(ended.status.success());
            // One that is overtaken right after its swap says so.
            let overtaken = ended
                .stderr
                .contains("not the collection that was swapped in");
            assert!(ended.status.success() || overtaken, "{}", ended.shown());
        }
        assert!(succeeded > 0);
        let mut found = bed.mongo.documents("raw", "split_0_input").unwrap();
        found.sort();
        let is = |documents: &mut Vec<Vec<u8>>| {
            documents.sort();
            found == *documents
        };
        let bytes = |documents: Vec<RawDocumentBuf>| -> Vec<Vec<u8>> {
            documents
                .into_iter()
                .map(RawDocumentBuf::into_bytes)
                .collect()
        };
        let firsts = SplitDocuments::new(0, 4).take(30).collect();
        assert!(
            is(&mut bytes(firsts)) || is(&mut bytes(others.clone())),
            "a mixture"
        );
        bed.import(&[]).await.expect(0);
        bed.assert_imported();
    }
    lob_testkit::fault_fired("C9");
}

#[tokio::test]
async fn an_existing_target_can_be_kept() {
    let bed = Bed::new().await;
    bed.put_old();
    let output = bed.import(&["--keep-previous"]).await;
    assert_eq!(output.status.code(), Some(0));
    let previous = bed
        .collections()
        .into_iter()
        .find(|name| name.contains("previous"));
    let previous = previous.unwrap();
    let line = format!("    the previous collection is now `{previous}`\n");
    assert!(output.stdout.contains(&line), "{}", output.stdout);
    let old = bson::rawdoc! { "_id": 1, "old": true }.into_bytes();
    assert_eq!(bed.mongo.documents("raw", &previous), Some(vec![old]));
    assert_eq!(bed.collections().len(), 3);
}

#[tokio::test]
async fn an_import_killed_between_the_renames_of_keep_previous_resumes() {
    let (trap, mut holds) = Trap::new(is_rename, 1);
    let bed = Bed::with_trap(&trap).await;
    bed.put_old();
    let mut child = bed.start(&["--keep-previous"]);
    holds.recv().await.unwrap();
    child.start_kill().unwrap();
    crate::bed::finish(child).await;
    trap.open(Verdict::Disconnect);
    assert!(!bed.collections().contains(&"split_0_input".to_owned()));
    let output = bed.import(&["--keep-previous"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    let names = bed.collections();
    assert!(
        names[1].starts_with("split_0_input__lob_previous_"),
        "{names:?}"
    );
    assert_eq!((names.len(), names[0].as_str()), (3, "split_0_input"));
}

#[tokio::test]
async fn an_import_interrupted_before_it_writes_says_that_nothing_was_written() {
    let (bed, output) = stopped(|command| command.name == "listCollections", 0, "-INT").await;
    assert_shown!(output, @r#"
    exit status: 130
    ----- stdout -----
    ----- stderr -----
    error: interrupted
    hint: nothing was written: the same command starts over
    "#);
    bed.assert_untouched();
}
