//! Unusable servers and folders: the error is named, and the target stays as it was.

use lob_testkit::mongo::{Deployment, MongoOptions};

use crate::bed::{Bed, assert_shown, nowhere};

/// A run, and a target that it would replace.
async fn with_old() -> Bed {
    let bed = Bed::new().await;
    bed.put_old();
    bed
}

#[tokio::test]
async fn an_import_names_a_missing_bucket() {
    let bed = with_old().await;
    assert_shown!(bed.import(&["--bucket", "missing"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: HeadBucket of `s3://missing/` failed: NotFound (404) [request id [ID]]
    hint: check --bucket, --endpoint-url and --region
    "#);
    bed.assert_untouched();
}

#[tokio::test]
async fn an_import_tells_wrong_keys_from_missing_permissions() {
    let bed = with_old().await;
    let mut command = bed.command(&["--latest", "--log-level", "error"]);
    command.env("AWS_SECRET_ACCESS_KEY", "not-the-secret-key");
    assert_shown!(crate::bed::finish(command.spawn().unwrap()).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: ListObjectsV2 of `s3://lob-test/` failed: SignatureDoesNotMatch (403) [request id [ID]]
    hint: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or --profile
    "#);
    bed.assert_untouched();
}

#[tokio::test]
async fn an_import_names_an_s3_server_that_is_down() {
    let bed = with_old().await;
    let endpoint = format!("http://{}", nowhere());
    assert_shown!(bed.import(&["--endpoint-url", &endpoint]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: HeadBucket of `s3://lob-test/` failed: no connection
      Caused by: tcp connect error
      Caused by: Connection refused (os error 111)
    hint: check that the server runs and that --endpoint-url names it
    "#);
    bed.assert_untouched();
}

#[tokio::test]
async fn an_import_names_a_mongodb_server_that_is_down() {
    let bed = with_old().await;
    let uri = format!("mongodb://{}/", nowhere());
    let args = [
        "--run-id",
        "run-1",
        "--mongodb-server-selection-timeout",
        "1s",
    ];
    let mut command = bed.command(&args);
    assert_shown!(crate::bed::finish(command.env("MONGODB_URI", uri).spawn().unwrap()).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: no usable MongoDB server at [SERVER]
      Caused by: [SERVER]: Connection refused (os error 111)
    hint: check that the server runs and that MONGODB_URI or --mongodb-uri names it; --mongodb-server-selection-timeout says how long to wait
    "#);
    bed.assert_untouched();
}

#[tokio::test]
async fn an_import_names_a_mongodb_server_that_rejects_its_credentials() {
    let bed = Bed::with(MongoOptions {
        require_auth: true,
        ..MongoOptions::default()
    })
    .await;
    bed.publish("run-1", "2025-11-15T09:30:00Z");
    assert_shown!(bed.import(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: MongoDB at [SERVER] did not accept the credentials
      Caused by: command listCollections requires authentication
    hint: check user name, password and `authSource` in MONGODB_URI or --mongodb-uri
    "#);
    assert_eq!(bed.collections(), [""; 0]);
}

#[tokio::test]
async fn a_missing_run_is_named() {
    let bed = with_old().await;
    assert_shown!(bed.run(&["--run-id", "run-7", "--log-level", "error"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no run `run-7`: no manifest at `s3://lob-test/processed-splits/run-7/manifest.json`
    hint: `lob-import list` lists the runs
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
    let bed = with_old().await;
    assert_shown!(bed.import(&["--split", "0,7"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-1` has no split 7
    hint: it has the splits 0, 1
    "#);
    bed.assert_untouched();
}

#[tokio::test]
async fn an_existing_target_that_must_not_be_replaced_is_kept() {
    let bed = with_old().await;
    assert_shown!(bed.import(&["--no-replace"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `raw.split_0_input` already exists
    hint: leave out --no-replace to replace it, or choose another --database or --collection-pattern
    "#);
    bed.assert_untouched();
}

#[tokio::test]
async fn an_unusable_spool_folder_is_named_before_anything_is_done() {
    let bed = with_old().await;
    assert_shown!(bed.import(&["--spool-dir", "/nowhere/spool"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: no data file can be kept in `/nowhere/spool`
      Caused by: No such file or directory (os error 2)
    hint: --spool-dir names a folder with room for a data file or two, and `ulimit -n` says how many files may be open
    "#);
    bed.assert_untouched();
    bed.import(&[]).await;
    bed.assert_imported();
}

#[tokio::test]
async fn a_sharded_target_is_refused_before_anything_is_written() {
    let bed = Bed::with(MongoOptions {
        deployment: Deployment::Mongos,
        ..MongoOptions::default()
    })
    .await;
    bed.publish("run-1", "2025-11-15T09:30:00Z");
    bed.put_old();
    bed.mongo.shard("raw", "split_0_input", []).unwrap();
    assert_shown!(bed.import(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `raw.split_0_input` is sharded, and what is imported in its place would not be
    hint: choose another --database or --collection-pattern, and distribute from there what was imported
    "#);
    bed.assert_untouched();
    let output = bed.import(&["--keep-previous"]).await;
    assert_eq!(output.status.code(), Some(1));
    bed.assert_untouched();
}

#[tokio::test]
async fn an_unsharded_target_on_a_cluster_is_replaced() {
    let bed = Bed::with(MongoOptions {
        deployment: Deployment::Mongos,
        ..MongoOptions::default()
    })
    .await;
    bed.publish("run-1", "2025-11-15T09:30:00Z");
    bed.put_old();
    let output = bed.import(&[]).await;
    assert!(output.status.success(), "{}", output.shown());
    bed.assert_imported();
}
