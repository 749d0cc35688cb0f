//! What can be typed, and what is answered before any work starts.

use lob_testkit::every_tool;

use crate::bed::{Bed, assert_shown};

#[tokio::test]
async fn an_unknown_export_flag_is_a_usage_error() {
    let bed = Bed::new().await;
    let usage = "lob-export --split <NUMBERS>";
    every_tool::assert_mistyped_flag_refused(&bed, "--splits", usage).await;
}

#[tokio::test]
async fn an_export_run_id_with_a_slash_is_a_usage_error() {
    let bed = Bed::new().await;
    every_tool::assert_slash_refused(&bed).await;
}

#[tokio::test]
async fn an_invalid_split_selection_is_a_usage_error() {
    assert_shown!(Bed::new().await.run(&["--split", "first"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'first' for '--split <NUMBERS>': `first` selects no splits: use `all`, or numbers separated by commas

    For more information, try '--help'.
    "#);
}

#[tokio::test]
async fn a_collection_pattern_without_a_number_is_a_usage_error() {
    assert_shown!(Bed::new().await.run(&["--collection-pattern", "split"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'split' for '--collection-pattern <PATTERN>': `split` is not a collection pattern: it must hold `{N}` exactly once

    For more information, try '--help'.
    "#);
}

#[tokio::test]
async fn a_row_group_size_that_readers_reject_is_a_usage_error() {
    let bed = Bed::new().await;
    assert_shown!(bed.export(&["--row-group-size", "8GiB"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `row_group_size` 8GiB is outside what readers accept, 1 B to 128MiB
        `row_group_size`: flag `--row-group-size`
    "#);
    bed.assert_nothing_written();
}

#[tokio::test]
async fn too_many_ranges_are_a_usage_error() {
    let bed = Bed::new().await;
    assert_shown!(bed.export(&["--ranges", "10001"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `ranges` 10001 is more than the 10000 ranges that a split can be cut into
        `ranges`: flag `--ranges`
    "#);
    bed.assert_nothing_written();
}

#[tokio::test]
async fn an_export_without_a_bucket_is_a_usage_error() {
    let bed = Bed::new().await;
    every_tool::assert_bucket_demanded(&bed, &[]).await;
}

#[tokio::test]
async fn every_export_setting_is_shown_with_its_origin() {
    let bed = Bed::new().await;
    bed.write(
        "lob.toml",
        "retry_timeout = '5m'\n[export]\nfile_size = '64MiB'\n",
    );
    let args = ["--show-settings", "--split", "0,2"];
    let uri = "mongodb://user:opensesame@db.example/?authSource=admin";
    assert_shown!(bed.run_with(&args, &[("MONGODB_URI", uri)]).await, @r#"
    exit status: 0
    ----- stdout -----
    attempt_timeout = "1m"  # default
    bucket = "lob-test"  # environment variable `LOB_BUCKET`
    # buffer_size = (not set)  # default
    # ca_bundle = (not set)  # default
    checksum = "statistics"  # default
    collection_pattern = "split_{N}_input"  # default
    columns_from = "latest"  # default
    columns_sample = "1000"  # default
    compression = "auto"  # default
    connect_timeout = "30s"  # default
    database = "raw"  # default
    endpoint_url = "http://[SERVER]"  # environment variable `AWS_ENDPOINT_URL`
    # expected_bucket_owner = (not set)  # default
    file_size = "64MiB"  # file `lob.toml`, section `[export]`
    jobs = 1  # environment variable `LOB_EXPORT_JOBS`
    manifest_dir = "artifacts/s3_exports"  # default
    # map = (not set)  # default
    # max_bandwidth = (not set)  # default
    # max_misfits = (not set)  # default
    max_shrink = "20%"  # default
    memory = "256MiB"  # environment variable `LOB_MEMORY`
    # metadata = (not set)  # default
    mongodb_connect_timeout = "10s"  # default
    mongodb_operation_timeout = "2m"  # default
    mongodb_pool_size = 64  # default
    mongodb_retry_timeout = "20m"  # default
    mongodb_server_selection_timeout = "15s"  # default
    # mongodb_uri = mongodb://db.example/ and ***  # environment variable `MONGODB_URI`
    # mongodb_uri_file = (not set)  # default
    # part_size = (not set)  # default
    # parts_in_flight = (not set)  # default
    path_style = "auto"  # default
    prefix = "processed-splits"  # default
    # profile = (not set)  # default
    # range_size = (not set)  # default
    ranges = "auto"  # default
    # read_ahead = (not set)  # default
    region = "eu-central-1"  # environment variable `AWS_REGION`
    retry_timeout = "5m"  # file `lob.toml`
    row_group_size = "16MiB"  # default
    # run_id = (not set)  # default
    snapshot = false  # default
    split = "0,2"  # flag `--split`
    # sse = (not set)  # default
    # sse_kms_key_id = (not set)  # default
    # storage_class = (not set)  # default
    # struct = (not set)  # default
    # worker = (not set)  # default
    # workers = (not set)  # default
    ----- stderr -----
    "#);
}
