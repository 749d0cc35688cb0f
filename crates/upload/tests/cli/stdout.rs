//! A result that cannot be printed: the work stands, and the log holds the result.

use lob_testkit::every_tool;
use lob_testkit::parquet_files::FeedSize;
use serde_json::Value;

use crate::bed::{Bed, finish};

#[tokio::test]
async fn an_upload_whose_result_cannot_be_printed_succeeds_and_logs_it() {
    for stdout in every_tool::unwritable() {
        let bed = Bed::new().await;
        bed.feed("a.parquet", FeedSize::Rows(10));
        every_tool::assert_result_logged(&bed, &["--json"], stdout).await;
        assert!(bed.has_manifest());
    }
    lob_testkit::fault_fired("C4");
}

#[tokio::test]
async fn an_answer_that_cannot_be_printed_fails_unless_nobody_reads_it() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(10));
    bed.upload(&[]).await.expect(0);
    for (stdout, status) in every_tool::unwritable().into_iter().zip([1, 0]) {
        let mut command = bed.command(&["verify", "run-1"]);
        let child = command.stdout(stdout).spawn().unwrap();
        finish(child).await.expect(status);
    }
}

#[tokio::test]
async fn with_json_a_failure_is_one_json_object_on_stdout() {
    let bed = Bed::new().await;
    let told = async |args: &[&str], status: i32| {
        let finished = bed.run(args).await.expect(status);
        let lines = finished.stdout.lines();
        assert_eq!(lines.count(), 1, "{}", finished.stdout);
        assert!(finished.stderr.contains("error: "), "{}", finished.stderr);
        let told: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(told["exit_status"], status);
        told
    };
    let missing = told(&["--json"], 1).await;
    assert!(missing["error"].as_str().unwrap().contains("lob_data"));
    let setting = told(&["--json", "--part-size", "1KiB"], 2).await;
    assert_eq!(setting["retry_helps"], false);
    let flag = told(&["--json", "--no-such-flag"], 2).await;
    assert!(flag["error"].as_str().unwrap().contains("--no-such-flag"));
    let silent = bed.run(&[]).await.expect(1);
    assert_eq!(silent.stdout, "");
}
