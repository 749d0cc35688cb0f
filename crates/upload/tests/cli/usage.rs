//! What can be typed, and what is answered before any work starts.

use lob_testkit::every_tool;
use lob_testkit::parquet_files::FeedSize;

use crate::bed::{Bed, Finished, assert_shown, finish};

#[tokio::test]
async fn an_upload_run_id_with_a_slash_is_a_usage_error() {
    let bed = Bed::new().await;
    every_tool::assert_slash_refused(&bed).await;
}

#[tokio::test]
async fn an_unknown_upload_flag_is_a_usage_error() {
    let bed = Bed::new().await;
    let usage = "lob-upload --source-dir <DIR>";
    every_tool::assert_mistyped_flag_refused(&bed, "--sorce-dir", usage).await;
}

#[tokio::test]
async fn a_folder_where_a_command_is_expected_gets_its_flag_suggested() {
    let bed = Bed::new().await;
    assert_shown!(bed.run(&["lob_data/day 1"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: unrecognized subcommand 'lob_data/day 1'

      tip: did you mean `--source-dir 'lob_data/day 1'`?

    Usage: lob-upload [OPTIONS] [COMMAND]

    For more information, try '--help'.
    "#);
}

#[tokio::test]
async fn an_upload_without_a_bucket_is_a_usage_error() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(1));
    every_tool::assert_bucket_demanded(&bed, &[]).await;
}

#[tokio::test]
async fn a_buffer_that_is_too_small_is_a_usage_error() {
    let bed = Bed::new().await;
    let args = ["--multipart-threshold", "32MiB", "--buffer-size", "16MiB"];
    assert_shown!(bed.run(&args).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `buffer_size` 16MiB cannot hold a file of `multipart_threshold` 32MiB
        `buffer_size`: flag `--buffer-size`
        `multipart_threshold`: flag `--multipart-threshold`
    "#);
}

#[cfg(unix)]
#[tokio::test]
async fn a_variable_that_is_not_utf_8_is_refused_and_not_taken_for_one_that_is_not_set() {
    use std::os::unix::ffi::OsStrExt as _;
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(1));
    for variable in ["LOB_PREFIX", "LOB_EXCLUDE", "AWS_PROFILE"] {
        let mut upload = bed.command(&[]);
        upload.env(variable, std::ffi::OsStr::from_bytes(b"caf\xe9"));
        let stderr = finish(upload.spawn().unwrap()).await.expect(2).stderr;
        let told = format!("environment variable `{variable}` is not UTF-8 text");
        assert!(stderr.contains(&told), "{stderr}");
    }
}

#[tokio::test]
async fn a_rust_log_for_another_program_changes_nothing() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(1));
    std::fs::write(bed.source("b.pq"), "PAR1").unwrap();
    for filter in ["", " ", "a=b=c"] {
        let finished = bed.run_with(&["--dry-run"], &[("RUST_LOG", filter)]).await;
        let stderr = finished.expect(0).stderr;
        assert!(stderr.contains("left out: `b.pq`"), "{filter}: {stderr}");
    }
}

#[tokio::test]
async fn a_refused_value_is_reported_with_its_origin() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(1));
    for (variable, value, file, told) in [
        (
            "LOB_PREFIX",
            "a//b",
            "",
            "    `prefix`: environment variable `LOB_PREFIX`\n",
        ),
        (
            "LOB_UPLOAD_INCLUDE",
            "{a",
            "",
            "    `include`: environment variable `LOB_UPLOAD_INCLUDE`\n",
        ),
        (
            "LOB_BUCKET",
            "a b",
            "",
            "invalid setting `bucket`, from environment variable `LOB_BUCKET`",
        ),
        (
            "X",
            "",
            "max_bandwidth = 1",
            "    `max_bandwidth`: file `lob.toml`\n",
        ),
        (
            "X",
            "",
            "[upload]\nattempt_timeout = '0s'",
            "    `attempt_timeout`: file `lob.toml`, section `[upload]`\n",
        ),
        (
            "X",
            "",
            "[upload]\nsse_kms_key_id = 'k'",
            "    `sse_kms_key_id`: file `lob.toml`, section `[upload]`\n",
        ),
        (
            "LOB_JOBS",
            "many",
            "",
            "invalid setting `jobs`, from environment variable `LOB_JOBS`: expected a whole number \
             of at least 1, not `many`",
        ),
    ] {
        bed.write("lob.toml", file);
        let refused = bed.run_with(&[], &[(variable, value)]).await.expect(2);
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
    }
    let typed = bed.run(&["--jobs", "many"]).await.expect(2);
    let told = "invalid value 'many' for '--jobs <COUNT>': expected a whole number";
    assert!(typed.stderr.contains(told), "{}", typed.stderr);
    bed.assert_nothing_published();
}

#[tokio::test]
async fn every_upload_setting_is_shown_with_its_origin() {
    let bed = Bed::new().await;
    bed.write("lob.toml", "retry_timeout = '5m'\n[upload]\njobs = 2\n");
    let args = [
        "--show-settings",
        "--source-dir",
        "feed",
        "--run-id",
        "run-1",
        "--exclude",
        "old/**",
        "--exclude",
        "{x,y}*",
    ];
    let metadata = [("LOB_METADATA", "team=research, desk=x")];
    assert_shown!(bed.run_with(&args, &metadata).await, @r#"
    exit status: 0
    ----- stdout -----
    allow_partial = false  # default
    attempt_timeout = "1m"  # default
    bucket = "lob-test"  # environment variable `LOB_BUCKET`
    # buffer_size = (not set)  # default
    # ca_bundle = (not set)  # default
    connect_timeout = "30s"  # default
    endpoint_url = "http://[SERVER]"  # environment variable `AWS_ENDPOINT_URL`
    exclude = ["old/**", "{x,y}*"]  # flag `--exclude`
    # expected_bucket_owner = (not set)  # default
    hash = "sha256"  # default
    # include = (not set)  # default
    jobs = 2  # file `lob.toml`, section `[upload]`
    manifest_dir = "artifacts/lob_data_uploads"  # default
    # max_bandwidth = (not set)  # default
    memory = "256MiB"  # environment variable `LOB_MEMORY`
    metadata = { desk = "x", team = "research" }  # environment variable `LOB_METADATA`
    multipart_threshold = "5MiB"  # environment variable `LOB_MULTIPART_THRESHOLD`
    part_size = "5MiB"  # environment variable `LOB_PART_SIZE`
    # parts_in_flight = (not set)  # default
    path_style = "auto"  # default
    prefix = "lob-data"  # default
    # profile = (not set)  # default
    region = "eu-central-1"  # environment variable `AWS_REGION`
    retry_timeout = "5m"  # file `lob.toml`
    run_id = "run-1"  # flag `--run-id`
    source_dir = "feed"  # flag `--source-dir`
    # sse = (not set)  # default
    # sse_kms_key_id = (not set)  # default
    # storage_class = (not set)  # default
    ----- stderr -----
    "#);
}

/// Shows the settings with this file, these variables and these flags.
async fn shown(bed: &Bed, file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Finished {
    bed.write("lob.toml", file);
    bed.run_with(&[&["--show-settings"], flags].concat(), variables)
        .await
}

#[tokio::test]
async fn a_settings_old_name_works_as_flag_variable_and_key() {
    let bed = Bed::new().await;
    let shared = "concurrency = 2\n";
    let own = "[upload]\nconcurrency = 3\n";
    let variables = [("LOB_CONCURRENCY", "5"), ("LOB_UPLOAD_CONCURRENCY", "6")];
    for (file, variables, flags, expected) in [
        (shared, &[][..], &[][..], "2  # file `lob.toml`"),
        (own, &[], &[], "3  # file `lob.toml`, section `[upload]`"),
        (
            shared,
            &variables[..1],
            &[],
            "5  # environment variable `LOB_CONCURRENCY`",
        ),
        (
            own,
            &variables,
            &[],
            "6  # environment variable `LOB_UPLOAD_CONCURRENCY`",
        ),
        (
            own,
            &variables,
            &["--concurrency", "7"],
            "7  # flag `--jobs`",
        ),
        // Each name has the precedence of its source.
        (
            own,
            &[("LOB_JOBS", "4")],
            &[],
            "4  # environment variable `LOB_JOBS`",
        ),
    ] {
        let shown = shown(&bed, file, variables, flags).await.expect(0);
        let line = format!("\njobs = {expected}\n");
        assert!(shown.stdout.contains(&line), "{}", shown.stdout);
        assert_eq!(shown.stderr, "");
    }
    let help = bed.run(&["--help"]).await.expect(0);
    assert!(help.stdout.contains("--jobs <COUNT>") && !help.stdout.contains("concurrency"));
}

#[tokio::test]
async fn a_setting_given_by_both_its_old_and_its_new_name_is_refused() {
    let bed = Bed::new().await;
    for (file, variables, flags, told) in [
        (
            "[upload]\nconcurrency = 2\njobs = 2\n",
            &[][..],
            &[][..],
            "`jobs` and `concurrency` of file `lob.toml`, section `[upload]` are the same setting",
        ),
        (
            "",
            &[("LOB_UPLOAD_JOBS", "2"), ("LOB_UPLOAD_CONCURRENCY", "2")],
            &[],
            "environment variables `LOB_UPLOAD_JOBS` and `LOB_UPLOAD_CONCURRENCY` are the same setting",
        ),
        (
            "",
            &[],
            &["--jobs", "2", "--concurrency", "2"],
            "'--jobs <COUNT>' cannot be used multiple times",
        ),
        // No other tool has a setting of this name.
        (
            "[export]\nconcurrency = 2\n",
            &[],
            &[],
            "has the unknown key `export.concurrency`",
        ),
    ] {
        let refused = shown(&bed, file, variables, flags).await.expect(2);
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
    }
}

#[tokio::test]
async fn an_old_name_wins_over_a_new_one_that_other_tools_share() {
    let bed = Bed::new().await;
    for (file, variables) in [
        ("concurrency = 3\njobs = 2\n", &[][..]),
        ("", &[("LOB_JOBS", "2"), ("LOB_CONCURRENCY", "3")]),
    ] {
        let settings = shown(&bed, file, variables, &[]).await.expect(0);
        assert!(settings.stdout.contains("jobs = 3"), "{}", settings.stdout);
    }
}
