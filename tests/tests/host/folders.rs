//! A folder, a home and a terminal that are not there or cannot be written.

use lob_tests::tool::Ended;
use tempfile::TempDir;

use crate::{Host, TOOLS};

#[tokio::test(flavor = "multi_thread")]
async fn every_tool_works_in_a_folder_that_nobody_can_write() {
    let host = Host::new().await;
    let folder = TempDir::new().unwrap();
    let path = folder.path().display();
    // Even root cannot write to it, and there is no home.
    let script = format!(
        "mount -t tmpfs -o ro none {path} && cd {path} && ! touch x 2>&1 || exit 77; \
         exec \"$0\" \"$@\""
    );
    let inside =
        format!("exec unshare --map-root-user --mount /bin/sh -c '{script}' \"$0\" \"$@\"");
    for tool in TOOLS {
        let mut command = host.through_shell(&inside, tool);
        command.env_remove("LOB_MANIFEST_DIR");
        let ended = Ended::from(command.output().await.unwrap());
        if ended.stderr.contains("unshare") || ended.status == Some(77) {
            return lob_testkit::skipped("no folder can be made read-only here");
        }
        let ended = ended.with_status(0);
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        host.assert_right(tool).await;
    }
    lob_testkit::fault_fired("C11");
}
