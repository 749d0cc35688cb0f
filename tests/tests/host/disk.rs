//! A spool folder that is full or broken: the import fails, no target is touched, and the same
//! command continues with what is in staging.

use lob_testkit::preload::{FAULT, SystemFault};
use lob_tests::tool::Ended;
use tempfile::TempDir;

use crate::{Host, preload};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EDQUOT: i32 = 122;
/// How the system names a file without a name.
const UNNAMED: &str = "(deleted)";

/// Asserts that an import failed over its spool folder, and that the same command finishes it.
async fn assert_spool_blamed(host: &Host, ended: Ended, told: &str) {
    let stderr = ended.with_status(1).stderr;
    assert!(stderr.contains(told), "{stderr}");
    host.assert_can_be_done("lob-import").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_spool_fails_midway_touches_no_target_and_goes_on() {
    let Some(preload) = preload() else {
        return;
    };
    let mut host = Host::new().await;
    for (call, errno) in [
        ("write", ENOSPC),
        ("write", EDQUOT),
        ("write", EIO),
        ("read", EIO),
    ] {
        host.turn += 1;
        let broken = SystemFault {
            call,
            errno,
            after: 2,
            path: UNNAMED,
            ..FAULT
        };
        let mut command = host.tool("lob-import");
        let output = command.envs(preload.environment(broken)).output().await;
        assert!(preload.faults() > 0, "no {call} of the spool");
        let told = format!("(os error {errno})");
        assert_spool_blamed(&host, output.unwrap().into(), &told).await;
    }
    lob_testkit::fault_fired("C5");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_spool_folder_is_full_names_it() {
    let host = Host::new().await;
    let spool = TempDir::new().unwrap();
    let path = spool.path().display();
    // A disk of its own, seen by nobody else.
    let script = format!(
        "mount -t tmpfs -o size=20k none {path} || exit 77; exec \"$0\" \"$@\" --spool-dir {path}"
    );
    let inside =
        format!("exec unshare --map-root-user --mount /bin/sh -c '{script}' \"$0\" \"$@\"");
    let output = host.through_shell(&inside, "lob-import").output().await;
    let output = output.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    if stderr.contains("unshare") || output.status.code() == Some(77) {
        return lob_testkit::skipped("no disk can be mounted here");
    }
    assert_spool_blamed(&host, output.into(), "(os error 28)").await;
    lob_testkit::fault_fired("C5");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_files_may_not_grow_names_the_spool_folder() {
    let host = Host::new().await;
    let script = "ulimit -f 16; exec \"$0\" \"$@\"";
    let output = host.through_shell(script, "lob-import").output().await;
    assert_spool_blamed(&host, output.unwrap().into(), "File too large").await;
    lob_testkit::fault_fired("C5");
}
