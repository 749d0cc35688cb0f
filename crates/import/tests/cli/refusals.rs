//! Unusable servers and folders: the error is named, and the target stays as it was.

use lob_testkit::every_tool;
use lob_testkit::mongo::{Deployment, MongoOptions};

use crate::bed::{BUCKET, Bed, Finished, assert_shown};

/// A run, and a target that it would replace.
async fn with_old() -> Bed {
    let bed = Bed::new().await;
    bed.put_old();
    bed
}

/// An import with these arguments, which leaves the target as it was.
async fn refused(args: &[&str]) -> Finished {
    let bed = with_old().await;
    let finished = bed.import(args).await;
    bed.assert_untouched();
    finished
}

#[tokio::test]
async fn an_import_names_a_missing_bucket() {
    let bed = with_old().await;
    every_tool::assert_missing_bucket_named(&bed).await;
    bed.assert_untouched();
}

#[tokio::test]
async fn an_import_tells_wrong_keys_from_missing_permissions() {
    let bed = with_old().await;
    every_tool::assert_wrong_keys_named(&bed).await;
    bed.assert_untouched();
}

#[tokio::test]
async fn an_import_names_an_s3_server_that_is_down() {
    let bed = with_old().await;
    every_tool::assert_s3_down_named(&bed).await;
    bed.assert_untouched();
}

#[tokio::test]
async fn an_import_names_a_mongodb_server_that_is_down() {
    let bed = with_old().await;
    every_tool::assert_mongodb_down_named(&bed).await;
    bed.assert_untouched();
}

#[tokio::test]
async fn an_import_names_a_mongodb_server_that_rejects_its_credentials() {
    let bed = Bed::locked().await;
    every_tool::assert_credentials_refused(&bed).await;
    assert_eq!(bed.collections(), [""; 0]);
}

#[tokio::test]
async fn a_missing_run_is_named() {
    let bed = with_old().await;
    assert_shown!(bed.run(&["--run-id", "run-7", "--log-level", "error"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no run `run-7`: `s3://lob-test/processed-splits/run-7/manifest.json` does not exist
    hint: `lob-import list` lists the runs
    "#);
    bed.assert_untouched();
}

#[tokio::test]
async fn a_run_that_is_not_complete_is_told_from_one_that_does_not_exist() {
    let bed = with_old().await;
    let plan = "processed-splits/run-7/_progress/plan.json";
    bed.s3.put_raw(BUCKET, plan, "{}");
    assert_shown!(bed.run(&["--run-id", "run-7", "--log-level", "error"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-7` is not complete
    hint: the command that started it resumes it with `--run-id run-7`
    "#);
    bed.assert_untouched();
}

#[tokio::test]
async fn a_folder_without_runs_has_no_latest_run() {
    let bed = with_old().await;
    assert_shown!(bed.run(&["--latest", "--prefix", "processed"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no run below `s3://lob-test/processed/`
    hint: check --bucket and --prefix
    "#);
    bed.assert_untouched();
}

#[tokio::test]
async fn a_split_missing_from_the_run_is_named_along_with_the_existing_ones() {
    assert_shown!(refused(&["--split", "0,7"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-1` has no split 7
    hint: it has 2 splits: 0, 1
    "#);
}

#[tokio::test]
async fn an_existing_target_that_must_not_be_replaced_is_kept() {
    assert_shown!(refused(&["--no-replace"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `raw.split_0_input` already exists
    hint: leave out --no-replace to replace it, or choose another --database or --collection-pattern
    "#);
    lob_testkit::fault_fired("E17");
}

#[tokio::test]
async fn an_unusable_spool_folder_is_named_before_anything_is_done() {
    let bed = with_old().await;
    assert_shown!(bed.import(&["--spool-dir", "/nowhere/spool"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: data files cannot be stored in `/nowhere/spool`
      Caused by: No such file or directory (os error 2)
    hint: set --spool-dir to a folder with room for some data files, and check `ulimit -n`, the limit of open files
    "#);
    bed.assert_untouched();
    bed.import(&[]).await;
    bed.assert_imported();
    lob_testkit::fault_fired("C5");
}

/// The same behind a `mongos`.
async fn with_old_on_a_cluster() -> Bed {
    let bed = Bed::published(MongoOptions {
        deployment: Deployment::Mongos,
        ..MongoOptions::default()
    })
    .await;
    bed.put_old();
    bed
}

#[tokio::test]
async fn a_sharded_target_is_refused_before_anything_is_written() {
    let bed = with_old_on_a_cluster().await;
    bed.mongo.shard("raw", "split_0_input", []).unwrap();
    assert_shown!(bed.import(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `raw.split_0_input` is sharded, and the collection that replaces it would not be
    hint: import under another --database or --collection-pattern, and distribute the documents from there
    "#);
    bed.assert_untouched();
    let output = bed.import(&["--keep-previous"]).await;
    assert_eq!(output.status.code(), Some(1));
    bed.assert_untouched();
}

#[tokio::test]
async fn an_unsharded_target_on_a_cluster_is_replaced() {
    let bed = with_old_on_a_cluster().await;
    let output = bed.import(&[]).await;
    assert!(output.status.success(), "{}", output.shown());
    bed.assert_imported();
}
