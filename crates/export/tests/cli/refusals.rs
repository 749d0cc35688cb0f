//! Bad input and unusable servers: the error is named, and nothing is published.

use std::time::Duration;

use bson::rawdoc;
use lob_testkit::{every_tool, fault_fired};

use crate::bed::{BUCKET, Bed, SMALL, assert_shown};

#[tokio::test]
async fn an_export_names_a_missing_bucket() {
    let bed = Bed::new().await;
    every_tool::assert_missing_bucket_named(&bed).await;
}

#[tokio::test]
async fn an_export_tells_wrong_keys_from_missing_permissions() {
    let bed = Bed::new().await;
    every_tool::assert_wrong_keys_named(&bed).await;
    bed.assert_nothing_written();
}

#[tokio::test]
async fn an_export_names_an_s3_server_that_is_down() {
    let bed = Bed::new().await;
    every_tool::assert_s3_down_named(&bed).await;
}

#[tokio::test]
async fn an_export_names_a_mongodb_server_that_is_down() {
    let bed = Bed::new().await;
    every_tool::assert_mongodb_down_named(&bed).await;
    bed.assert_nothing_written();
}

#[tokio::test]
async fn an_export_names_a_mongodb_server_that_rejects_its_credentials() {
    let bed = Bed::locked().await;
    every_tool::assert_credentials_refused(&bed).await;
    bed.assert_nothing_written();
}

#[tokio::test]
async fn a_database_without_splits_is_named() {
    let bed = Bed::new().await;
    assert_shown!(bed.export(&["--database", "row"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: database `row` has no collection like `split_{N}_input`
    hint: check --database and --collection-pattern
    "#);
    bed.assert_nothing_written();
}

#[tokio::test]
async fn a_missing_split_is_named_along_with_the_existing_ones() {
    let bed = Bed::new().await;
    assert_shown!(bed.export(&["--split", "0,7"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: database `raw` has no `split_7_input`
    hint: it has: split_0_input, split_1_input
    "#);
    bed.assert_nothing_written();
}

#[tokio::test]
async fn a_view_is_refused() {
    let bed = Bed::new().await;
    bed.mongo.run(&rawdoc! {
        "create": "split_2_input", "viewOn": "split_0_input", "pipeline": [], "$db": "raw",
    });
    assert_shown!(bed.export(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `raw.split_2_input` is a view
    hint: choose other splits with --split, or copy it into an ordinary collection
    "#);
    bed.assert_nothing_written();
}

#[tokio::test]
async fn a_server_without_snapshots_is_reported_before_anything_is_written() {
    let bed = Bed::on_double_of_mongodb("a MongoDB without snapshots").await;
    assert_shown!(bed.export(&["--snapshot"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: MongoDB at [SERVER] cannot read from a snapshot
      Caused by: the test server does not support this read concern (code 238, NotImplemented)
    hint: leave out --snapshot, or read from a replica set of MongoDB 5.0 or newer
    "#);
    bed.assert_nothing_written();
}

#[tokio::test]
async fn an_option_that_does_not_apply_to_the_command_is_a_usage_error() {
    let bed = Bed::new().await;
    assert_shown!(bed.run(&["cleanup", "run-1", "--jobs", "2"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: --jobs cannot be used with `cleanup`
    "#);
    bed.assert_nothing_written();
}

#[tokio::test]
async fn an_object_that_nobody_recorded_fails_the_run() {
    let bed = Bed::new().await;
    bed.s3.put_raw(
        BUCKET,
        "processed-splits/run-1/split_1.parquet/x.parquet",
        "another's",
    );
    assert_shown!(bed.export(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-1` is not complete
      Caused by: `s3://lob-test/processed-splits/run-1/split_1.parquet/x.parquet` is in no record of this run
    hint: the same command with `--run-id run-1` resumes it
    hint: something else writes to this run: remove the object, or use another --run-id
    "#);
    bed.assert_nothing_published();
}

#[tokio::test]
async fn a_committed_run_without_its_plan_is_not_begun_again() {
    let bed = Bed::new().await;
    bed.export(&[]).await.expect(0);
    let before = bed.s3.keys(BUCKET).len();
    for key in bed.s3.keys(BUCKET) {
        if key.contains("/_progress/") {
            bed.s3.remove(BUCKET, &key);
        }
    }
    let kept = bed.s3.keys(BUCKET);
    assert!(kept.len() < before);
    assert_shown!(bed.export(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-1` is committed, but has no plan: the legacy scripts wrote it, or its folder `_progress` was removed
    hint: use another --run-id
    "#);
    assert_eq!(bed.s3.keys(BUCKET), kept);
}

#[tokio::test]
async fn a_run_of_the_legacy_scripts_is_not_written_into() {
    let bed = Bed::new().await;
    let manifest = "processed-splits/run-1/manifest.json/part-00000.json";
    bed.s3.put_raw(BUCKET, manifest, "{}");
    let stderr = bed.export(&[]).await.expect(1).stderr;
    assert!(stderr.contains("the legacy scripts wrote it"), "{stderr}");
    assert_eq!(bed.s3.keys(BUCKET), [manifest]);
}

#[tokio::test]
async fn a_data_file_written_by_another_process_fails_the_run() {
    let bed = Bed::new().await;
    let key = "processed-splits/run-1/split_0.parquet/part-00000-00000.parquet";
    bed.s3.put_raw(BUCKET, key, "another's");
    assert_shown!(bed.export(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-1` is not complete
      Caused by: failed to export `raw.split_0_input`
      Caused by: HeadObject of `s3://lob-test/processed-splits/run-1/split_0.parquet/part-00000-00000.parquet` failed: a different object is there
    hint: another run or process wrote this object; use a new --run-id
    "#);
    bed.assert_nothing_published();
    assert_eq!(bed.s3.object(BUCKET, key).unwrap().bytes, "another's");
}

#[tokio::test]
async fn impossible_part_settings_are_refused_before_planning() {
    let bed = Bed::new().await;
    for (flag, value) in [
        ("--part-size", "1MiB"),
        ("--buffer-size", "1MiB"),
        ("--max-bandwidth", "0"),
    ] {
        let refused = bed.export(&[flag, value]).await;
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let told = refused.stderr;
        assert!(told.contains(flag), "{told}");
    }
    bed.assert_nothing_written();
}

#[tokio::test]
async fn a_split_that_cannot_be_cut_into_the_requested_ranges_is_refused() {
    let bed = Bed::in_one_piece().await;
    assert_shown!(bed.export(&SMALL).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `raw.split_0_input` cannot be cut into 3 ranges, only into 1
    hint: set --ranges to 1, leave it out, or choose other splits with --split
    "#);
    bed.assert_nothing_written();
}

#[tokio::test]
async fn a_missing_replica_set_member_is_reported_within_the_selection_timeout() {
    let bed = Bed::new().await;
    let wish = "readPreference=secondary&serverSelectionTimeoutMS=500";
    let uri = format!("{}&{wish}", bed.mongo.uri());
    let variables = [("MONGODB_URI", &*uri)];
    let finishing = bed.run_with(&["--log-level", "error"], &variables);
    let finished = tokio::time::timeout(Duration::from_secs(60), finishing).await;
    let finished = finished.expect("it must not wait as in an outage");
    assert_eq!(finished.status.code(), Some(1));
    let told = &finished.stderr;
    assert!(
        told.contains("hint: remove readPreference and its tags from"),
        "{told}"
    );
    bed.assert_nothing_written();
}

#[tokio::test]
async fn a_missing_oidc_token_file_is_a_usage_error_that_names_it() {
    let bed = Bed::on_double_of_mongodb("a MongoDB without users").await;
    let oidc = "authMechanism=MONGODB-OIDC&authMechanismProperties=ENVIRONMENT:k8s";
    let uri = format!("{}&{oidc}", bed.mongo.uri());
    let variables = [
        ("MONGODB_URI", &*uri),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "no/token"),
    ];
    assert_shown!(bed.run_with(&["--log-level", "error"], &variables).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the MONGODB-OIDC token in `no/token` cannot be read
      Caused by: No such file or directory (os error 2)
    hint: set AZURE_FEDERATED_TOKEN_FILE or AWS_WEB_IDENTITY_TOKEN_FILE to the token file; outside Kubernetes use another authMechanism
    "#);
}

#[tokio::test]
async fn empty_sdk_variables_count_as_unset() {
    let bed = Bed::new().await;
    let mut command = bed.command(&["latest", "--log-level", "error"]);
    for variable in [
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ] {
        command.env(variable, "");
    }
    // The keys come from a file in its usual place.
    bed.write_keys();
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    command.env_remove("AWS_SESSION_TOKEN");
    let finished = crate::bed::finish(command.spawn().unwrap()).await;
    let told = &finished.stderr;
    assert!(told.contains("there is no run below"), "{told}");
}

#[tokio::test]
async fn naming_a_run_latest_is_a_usage_error() {
    let bed = Bed::new().await;
    let finished = bed.run(&["--run-id", "latest"]).await;
    assert_eq!(finished.status.code(), Some(2));
    let told = &finished.stderr;
    assert!(told.contains("it is a keyword of --columns-from"), "{told}");
    bed.assert_nothing_written();
}

#[tokio::test]
async fn an_unresolvable_name_of_mongodb_is_named() {
    let bed = Bed::new().await;
    for scheme in ["mongodb", "mongodb+srv"] {
        let uri = format!("{scheme}://db.nowhere.invalid/");
        let args = ["--mongodb-server-selection-timeout", "1s"];
        let told = bed
            .run_with(&args, &[("MONGODB_URI", &uri)])
            .await
            .expect(1);
        assert!(told.stderr.contains("nowhere.invalid"), "{}", told.stderr);
        assert_eq!(bed.s3.keys(BUCKET), [""; 0]);
    }
    fault_fired("B16");
}
