//! A result that cannot be printed: what was done stands, and the log has it.

use std::fs::File;
use std::process::Stdio;

use crate::bed::Bed;

/// Ends of a process's stdout that take nothing: a full disk, and a pipe that nobody reads.
fn unwritable() -> [Stdio; 2] {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (_, unread) = std::io::pipe().unwrap();
    [full.into(), unread.into()]
}

#[tokio::test]
async fn a_finished_import_whose_result_cannot_be_written_is_a_success_and_in_the_log() {
    for stdout in unwritable() {
        let bed = Bed::new().await;
        let mut command = bed.command(&["--run-id", "run-1"]);
        let child = command.stdout(stdout).spawn().unwrap();
        let output = crate::bed::finish(child).await.expect(0);
        bed.assert_imported();
        let stderr = &output.stderr;
        for told in [
            "WARN all is done, but the result cannot be written to stdout",
            r#""run_id":"run-1""#,
        ] {
            assert!(stderr.contains(told), "{stderr}");
        }
    }
}
