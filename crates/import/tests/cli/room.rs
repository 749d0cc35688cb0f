//! Room is checked before the first document is inserted: figures that may be wrong cause warnings,
//! never refusals.

use std::sync::Arc;

use lob_testkit::mongo::{Command, Moment, MongoOptions, Verdict};

use crate::bed::{Bed, Finished};

const DISK: &str = "of free disk, but the import needs about";
const SPOOL: &str = "of free space, but data files take up to";
const MEMORY: &str = "is in memory, a tmpfs of";

/// The lines with warnings.
fn warnings(output: &Finished) -> Vec<&str> {
    let lines = output.stderr.lines();
    lines.filter(|line| line.contains(" WARN ")).collect()
}

#[tokio::test]
async fn too_little_room_on_mongodbs_disk_warns_once_but_does_not_refuse() {
    let full = Bed::published(MongoOptions {
        free_disk: Some(2048),
        ..MongoOptions::default()
    });
    let full = full.await;
    let output = full.run(&["--run-id", "run-1"]).await.expect(0);
    let warnings = warnings(&output);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains(DISK), "{warnings:?}");
    assert!(warnings[0].contains("2.0 KiB"), "{warnings:?}");
    full.assert_imported();
    let commands = full.mongo.commands();
    let position = |name| commands.iter().position(|c| c.name == name).unwrap();
    let is_staged = |command: &Command| {
        let name = command.collection.as_deref().unwrap_or_default();
        command.name == "insert" && command.documents > 0 && name.contains("_input__lob_")
    };
    let first = commands.iter().position(is_staged).unwrap();
    assert!(position("dbStats") < first);
}

#[tokio::test]
async fn the_room_for_documents_is_estimated_by_those_they_replace() {
    let arguments = ["--run-id", "run-1", "--split", "0", "--max-shrink", "100%"];
    for (old, expected) in [(1 << 20, 1), (1 << 10, 0)] {
        let bed = Bed::published(MongoOptions {
            free_disk: Some(20 << 20),
            ..MongoOptions::default()
        });
        let bed = bed.await;
        let old = bson::rawdoc! { "_id": 1, "old": "x".repeat(old) };
        bed.mongo.load("raw", "split_0_input", [old]).unwrap();
        let output = bed.run(&arguments).await.expect(0);
        let warned = warnings(&output).into_iter().filter(|w| w.contains(DISK));
        let warned: Vec<_> = warned.collect();
        assert_eq!(warned.len(), expected, "{warned:?}");
        assert!(warned.iter().all(|warning| warning.contains("30.0 MiB")));
    }
}

#[tokio::test]
async fn a_server_that_does_not_report_its_disk_causes_no_warning() {
    // A user that may not ask, and a server that does not know the command.
    for code in [13, 59] {
        let gate = move |moment: Moment, command: &Command| match moment == Moment::Arrived
            && command.name == "dbStats"
        {
            true => Verdict::Answer { code },
            false => Verdict::Pass,
        };
        let silent = Bed::published(MongoOptions {
            gate: Some(Arc::new(gate)),
            ..MongoOptions::default()
        });
        let silent = silent.await;
        let output = silent.run(&["--run-id", "run-1"]).await.expect(0);
        assert_eq!(warnings(&output), [""; 0]);
        silent.assert_imported();
    }
}

#[tokio::test]
async fn a_spool_folder_with_too_little_room_causes_a_warning_that_names_it() {
    let bed = Bed::new().await;
    let mut manifest = bed.manifest();
    manifest["splits"][1]["files"][0]["size_bytes"] = (1_u64 << 50).into();
    bed.put_manifest("run-1", &manifest.to_string());
    let output = bed.run(&["--run-id", "run-1", "--spool-dir", "."]).await;
    let warnings = warnings(&output);
    let spool: Vec<_> = warnings.iter().filter(|w| w.contains(SPOOL)).collect();
    assert_eq!(spool.len(), 1, "{warnings:?}");
    assert!(spool[0].contains("`.` has"), "{warnings:?}");
    assert!(spool[0].contains("1.0 PiB"), "{warnings:?}");
    assert!(spool[0].contains("--spool-dir"), "{warnings:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_default_spool_folder_in_memory_is_named_along_with_its_flag() {
    const TMPFS: &str = "/dev/shm";
    let bed = Bed::new().await;
    let args = ["--run-id", "run-1"];
    let by_default = bed.run_with(&args, &[("TMPDIR", TMPFS)]).await.expect(0);
    let warned = warnings(&by_default).join("\n");
    assert!(warned.contains(MEMORY), "{warned}");
    assert!(warned.contains(TMPFS) && warned.contains("--spool-dir"));
    let chosen = bed.run(&["--run-id", "run-1", "--spool-dir", TMPFS]).await;
    let warned = warnings(&chosen).join("\n");
    assert!(!warned.contains(MEMORY), "{warned}");
}
