//! A result that cannot be printed: what was done stands, and the log has it.

use std::fs::File;
use std::process::Stdio;

use lob_testkit::parquet_files::FeedSize;

use crate::bed::{Bed, finish};

/// Ends of a process's stdout that take nothing: a full disk, and a pipe that nobody reads.
fn unwritable() -> [Stdio; 2] {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (_, unread) = std::io::pipe().unwrap();
    [full.into(), unread.into()]
}

#[tokio::test]
async fn a_committed_upload_whose_result_cannot_be_written_is_a_success_and_in_the_log() {
    for stdout in unwritable() {
        let bed = Bed::new().await;
        bed.feed("a.parquet", FeedSize::Rows(10));
        let mut command = bed.command(&["--run-id", "run-1", "--json"]);
        let finished = finish(command.stdout(stdout).spawn().unwrap())
            .await
            .expect(0);
        assert!(bed.has_manifest());
        for told in [
            "WARN all is done, but the result cannot be written to stdout",
            r#""run_id":"run-1""#,
        ] {
            assert!(finished.stderr.contains(told), "{}", finished.stderr);
        }
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_written_is_a_failure_unless_nobody_reads_it() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(10));
    bed.upload(&[]).await.expect(0);
    for (stdout, status) in unwritable().into_iter().zip([1, 0]) {
        let mut command = bed.command(&["verify", "run-1"]);
        let child = command.stdout(stdout).spawn().unwrap();
        finish(child).await.expect(status);
    }
}
