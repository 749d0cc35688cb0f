//! What can be typed, and what is answered before any work starts.

use lob_testkit::every_tool;

use crate::bed::{Bed, assert_shown};

#[tokio::test]
async fn an_unknown_import_flag_is_a_usage_error() {
    let bed = Bed::new().await;
    let usage = "lob-import --no-replace";
    every_tool::assert_mistyped_flag_refused(&bed, "--no-replase", usage).await;
}

#[tokio::test]
async fn an_import_run_id_with_a_slash_is_a_usage_error() {
    let bed = Bed::new().await;
    every_tool::assert_slash_refused(&bed).await;
}

#[tokio::test]
async fn importing_into_the_servers_own_databases_is_a_usage_error() {
    let bed = Bed::new().await;
    for database in ["admin", "config", "local"] {
        let before = bed.mongo.collections(database);
        let refused = bed.import(&["--database", database]).await;
        let stderr = &refused.stderr;
        assert_eq!(refused.status.code(), Some(2), "{stderr}");
        let told = format!("nothing is imported into `{database}`");
        assert!(stderr.contains(&told), "{stderr}");
        assert_eq!(bed.mongo.collections(database), before);
    }
}

#[tokio::test]
async fn naming_no_run_is_a_usage_error() {
    let bed = Bed::new().await;
    assert_shown!(bed.run(&["--log-level", "error"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: no run id is set
    hint: set --run-id, or import the latest run with --latest
    "#);
    assert_eq!(bed.collections(), [""; 0]);
}

#[tokio::test]
async fn impossible_insert_batches_are_a_usage_error() {
    let bed = Bed::new().await;
    assert_shown!(bed.import(&["--insert-batch-size", "64MiB"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: a batch of 67108864 bytes and 10000 documents is outside MongoDB's limits
        `insert_batch_documents`: default
        `insert_batch_size`: flag `--insert-batch-size`
    hint: use at most 16MiB for --insert-batch-size and 100000 for --insert-batch-documents
    "#);
}

#[tokio::test]
async fn an_import_without_a_bucket_is_a_usage_error() {
    let bed = Bed::new().await;
    every_tool::assert_bucket_demanded(&bed, &["--latest"]).await;
}

#[tokio::test]
async fn every_import_setting_is_shown_with_its_origin() {
    let bed = Bed::new().await;
    bed.write("lob.toml", "retry_timeout = '5m'\n[import]\njobs = 2\n");
    let args = ["--show-settings", "--no-replace"];
    let variables = [
        (
            "MONGODB_URI",
            "mongodb://user:opensesame@db.example/?authSource=admin",
        ),
        ("LOB_WRITE_CONCERN", "1"),
        ("LOB_SPOOL_DIR", "/spool"),
    ];
    assert_shown!(bed.run_with(&args, &variables).await, @r#"
    exit status: 0
    ----- stdout -----
    attempt_timeout = "1m"  # default
    bucket = "lob-test"  # environment variable `LOB_BUCKET`
    # ca_bundle = (not set)  # default
    check = "standard"  # default
    collection_pattern = "split_{N}_input"  # default
    connect_timeout = "30s"  # default
    count_tolerance = 0  # default
    database = "raw"  # default
    endpoint_url = "http://[SERVER]"  # environment variable `AWS_ENDPOINT_URL`
    # expected_bucket_owner = (not set)  # default
    insert_batch_documents = 10000  # default
    insert_batch_size = "4MiB"  # default
    jobs = 2  # file `lob.toml`, section `[import]`
    keep_previous = false  # default
    legacy_ids = "object-id"  # default
    # max_bandwidth = (not set)  # default
    max_shrink = "20%"  # default
    memory = "256MiB"  # environment variable `LOB_MEMORY`
    mongodb_connect_timeout = "10s"  # default
    mongodb_operation_timeout = "2m"  # default
    mongodb_pool_size = 64  # default
    mongodb_retry_timeout = "20m"  # default
    mongodb_server_selection_timeout = "15s"  # default
    # mongodb_uri = mongodb://db.example/ and ***  # environment variable `MONGODB_URI`
    # mongodb_uri_file = (not set)  # default
    no_indexes = false  # default
    no_replace = true  # flag `--no-replace`
    no_ttl = false  # default
    path_style = "auto"  # default
    prefix = "processed-splits"  # default
    # profile = (not set)  # default
    region = "eu-central-1"  # environment variable `AWS_REGION`
    retry_timeout = "5m"  # file `lob.toml`
    # run_id = (not set)  # default
    split = "all"  # default
    spool_dir = "/spool"  # environment variable `LOB_SPOOL_DIR`
    write_concern = "1"  # environment variable `LOB_WRITE_CONCERN`
    write_concern_timeout = "1m"  # default
    ----- stderr -----
    "#);
}

#[tokio::test]
async fn a_target_name_too_long_for_its_staging_name_is_a_usage_error() {
    let bed = Bed::new().await;
    let pattern = format!("{}{{N}}", "x".repeat(230));
    let args = ["--collection-pattern", &pattern, "--keep-previous"];
    let refused = bed.import(&args).await;
    let stderr = &refused.stderr;
    assert_eq!(refused.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("but MongoDB allows only 255 bytes"),
        "{stderr}"
    );
    assert_eq!(bed.fetched(), [""; 0]);
    bed.import(&args[..2]).await.expect(0);
}

#[tokio::test]
async fn insert_workers_is_the_old_name_of_an_imports_jobs() {
    let bed = Bed::new().await;
    let variables = [
        ("LOB_INSERT_WORKERS", "5"),
        ("LOB_IMPORT_INSERT_WORKERS", "6"),
    ];
    for (file, variables, flags, expected) in [
        (
            "insert_workers = 2",
            &[][..],
            &[][..],
            "2  # file `lob.toml`",
        ),
        (
            "[import]\ninsert_workers = 3",
            &[],
            &[],
            "3  # file `lob.toml`, section `[import]`",
        ),
        (
            "",
            &variables,
            &[],
            "6  # environment variable `LOB_IMPORT_INSERT_WORKERS`",
        ),
        (
            "",
            &variables,
            &["--insert-workers", "7"],
            "7  # flag `--jobs`",
        ),
    ] {
        bed.write("lob.toml", file);
        let mut command = bed.command(&[&["--show-settings"], flags].concat());
        command.envs(variables.iter().copied());
        let shown = crate::bed::finish(command.spawn().unwrap()).await.expect(0);
        let line = format!("\njobs = {expected}\n");
        assert!(shown.stdout.contains(&line), "{}", shown.stdout);
        assert_eq!(shown.stderr, "");
    }
    let help = bed.run(&["--help"]).await.expect(0);
    assert!(help.stdout.contains("--jobs <COUNT>") && !help.stdout.contains("insert-workers"));
    let both = ["--jobs", "2", "--insert-workers", "2"];
    let refused = bed.run(&both).await.expect(2);
    let told = "'--jobs <COUNT>' cannot be used multiple times";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
}
