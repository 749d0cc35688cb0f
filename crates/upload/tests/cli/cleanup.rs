//! `lob-upload cleanup`: lists what a killed run left open, and aborts it on request.

use lob_testkit::parquet_files::FeedSize;
use lob_testkit::s3::{Moment, Operation, Request, S3Options, Verdict, Weaknesses};
use serde_json::Value;
use tokio::sync::mpsc::unbounded_channel;

use crate::bed::{BUCKET, Bed, assert_shown, finish};

/// A bed with one open upload of one part per run, left by killed processes.
async fn with_open_uploads(runs: &[&str], weaknesses: Weaknesses) -> Bed {
    let (stored, mut stores) = unbounded_channel();
    let gate = move |moment: Moment, request: &Request| {
        let of_data = request.key.ends_with(".parquet");
        match (moment, request.operation, request.part_number) {
            (Moment::Arrived, Operation::UploadPart, Some(2)) if of_data => Verdict::Hold,
            (Moment::Executed, Operation::UploadPart, Some(1)) if of_data => {
                stored.send(()).unwrap();
                Verdict::Hold
            }
            _ => Verdict::Pass,
        }
    };
    let bed = Bed::on(S3Options {
        gate: Some(std::sync::Arc::new(gate)),
        weaknesses,
        ..S3Options::default()
    })
    .await;
    bed.feed("big.parquet", FeedSize::Bytes(6 << 20));
    for run in runs {
        let mut child = bed.command(&["--run-id", run]).spawn().unwrap();
        stores.recv().await.unwrap();
        child.start_kill().unwrap();
        finish(child).await;
    }
    assert_eq!(bed.s3.open_uploads(BUCKET).len(), runs.len());
    bed
}

#[tokio::test]
async fn open_uploads_are_listed_and_aborted_only_on_request() {
    let bed = with_open_uploads(&["run-1", "run-10"], Weaknesses::default()).await;
    let before = bed.operations().len();
    assert_shown!(bed.run(&["cleanup", "run-1"]).await, @r#"
    exit status: 0
    ----- stdout -----
    s3://lob-test/lob-data/run-1/big.parquet  1 part, 5.00 MiB, open since [TIME]
    run `run-1` left 1 upload open and is not complete; resume it with `--run-id run-1`, or abort its uploads with --yes
    complete objects stay below `s3://lob-test/lob-data/run-1/`
    ----- stderr -----
    "#);
    assert!(!bed.operations()[before..].contains(&Operation::AbortMultipartUpload));

    assert_shown!(bed.run(&["cleanup", "run-1", "--yes"]).await, @r#"
    exit status: 0
    ----- stdout -----
    s3://lob-test/lob-data/run-1/big.parquet  1 part, 5.00 MiB, open since [TIME]
    aborted 1 upload of run `run-1`
    complete objects stay below `s3://lob-test/lob-data/run-1/`
    ----- stderr -----
    "#);
    // Another run's upload is none of this run's business.
    let open = bed.s3.open_uploads(BUCKET);
    let open: Vec<_> = open.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(open, ["lob-data/run-10/big.parquet"]);

    for args in [&["cleanup", "run-1"][..], &["cleanup", "run-1", "--yes"]] {
        let finished = bed.run(args).await.expect(0);
        let told = "run `run-1` left no uploads open\n";
        assert!(finished.stdout.starts_with(told), "{}", finished.stdout);
    }
}

#[tokio::test]
async fn open_uploads_are_reported_as_json() {
    let bed = with_open_uploads(&["run-1"], Weaknesses::default()).await;
    let open = bed.s3.open_uploads(BUCKET);
    for yes in [false, true] {
        let args = ["cleanup", "run-1", "--json", "--yes"];
        let finished = bed.run(&args[..3 + usize::from(yes)]).await.expect(0);
        let result: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(result["run_id"], "run-1");
        assert_eq!(result["committed"], false);
        assert_eq!(result["aborted"], yes);
        let [upload] = &result["uploads"].as_array().unwrap()[..] else {
            panic!("{result}");
        };
        let (key, id) = &open[0];
        for (field, value) in [
            ("key", Value::from(key.as_str())),
            ("upload_id", id.as_str().into()),
            ("parts", 1.into()),
            ("bytes", (5 << 20).into()),
        ] {
            assert_eq!(upload[field], value, "{field}");
        }
        assert!(upload["initiated"].is_string());
    }
    assert_eq!(bed.s3.open_uploads(BUCKET), []);
}

#[tokio::test]
async fn cleanup_works_on_a_server_that_cannot_list_parts() {
    let weaknesses = Weaknesses {
        no_list_parts: true,
        ..Weaknesses::default()
    };
    let bed = with_open_uploads(&["run-1"], weaknesses).await;
    let finished = bed.run(&["cleanup", "run-1", "--yes"]).await.expect(0);
    let told = finished.stdout.contains("an unknown number of parts");
    assert!(told, "{}", finished.stdout);
    assert_eq!(bed.s3.open_uploads(BUCKET), []);
}

#[tokio::test]
async fn a_committed_run_has_nothing_to_clean_up() {
    let bed = Bed::new().await;
    bed.feeds();
    bed.upload(&[]).await.expect(0);
    let finished = bed.run(&["cleanup", "run-1", "--json"]).await.expect(0);
    let result: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(result["committed"], true);
    assert_eq!(result["uploads"], serde_json::json!([]));
}

#[tokio::test]
async fn cleanup_of_a_run_without_a_plan_gives_a_hint() {
    let bed = Bed::new().await;
    assert_shown!(bed.run(&["cleanup", "run-1", "--yes"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-1` has no plan: `s3://lob-test/lob-data/run-1/_progress/plan.json` does not exist
    hint: check --prefix
    "#);
}

#[tokio::test]
async fn s3_options_take_effect_before_and_after_the_subcommand() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(10));
    bed.upload(&["--prefix", "other"]).await.expect(0);
    for subcommand in ["cleanup", "verify"] {
        for (args, status) in [
            (
                &["--bucket", BUCKET, "--prefix", "other", subcommand, "run-1"][..],
                0,
            ),
            (
                &[subcommand, "run-1", "--bucket", BUCKET, "--prefix", "other"],
                0,
            ),
            (
                &[subcommand, "--prefix", "other", "run-1", "--bucket", BUCKET],
                0,
            ),
            (&[subcommand, "run-1", "--bucket", BUCKET], 1),
            (&[subcommand, "run-1", "--prefix", "other"], 2),
        ] {
            bed.run_without(args, &["LOB_BUCKET"]).await.expect(status);
        }
    }
}
