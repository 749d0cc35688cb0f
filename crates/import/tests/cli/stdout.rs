//! A result that cannot be printed: the work stands, and the log holds the result.

use std::fs::File;
use std::process::Stdio;

use crate::bed::Bed;

/// Two kinds of stdout that accept nothing: a full disk, and a pipe that nobody reads.
fn unwritable() -> [Stdio; 2] {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (_, unread) = std::io::pipe().unwrap();
    [full.into(), unread.into()]
}

#[tokio::test]
async fn an_import_whose_result_cannot_be_printed_succeeds_and_logs_it() {
    for stdout in unwritable() {
        let bed = Bed::new().await;
        let mut command = bed.command(&["--run-id", "run-1"]);
        let child = command.stdout(stdout).spawn().unwrap();
        let output = crate::bed::finish(child).await.expect(0);
        bed.assert_imported();
        let stderr = &output.stderr;
        for told in [
            "WARN done, but the result cannot be written to stdout",
            r#""run_id":"run-1""#,
        ] {
            assert!(stderr.contains(told), "{stderr}");
        }
    }
}
