//! A successful import: what it prints and what it leaves behind.

use lob_testkit::every_tool;
use lob_testkit::mongo::MongoOptions;
use serde_json::Value;

use crate::bed::{Bed, assert_shown};

#[tokio::test]
async fn a_summary_names_every_split() {
    let bed = Bed::new().await;
    assert_shown!(bed.run(&["--run-id", "run-1", "--database", "copy"]).await, @r#"
    exit status: 0
    ----- stdout -----
    run       run-1
    database  copy
    splits    2
      split_0_input: 30 documents in 2 files, digest [DIGEST]
      split_1_input: 20 documents in 2 files, digest [DIGEST]
    files     4
    documents 50
    imported  0.01 MiB in [SECONDS] s ([SPEED])
    manifest  s3://lob-test/processed-splits/run-1/manifest.json
    ----- stderr -----
    [TIME]  INFO the import begins; should it stop, the same command with `--run-id run-1` resumes it run=run-1 splits=2
    [TIME]  INFO [SIZE] of [SIZE], [SPEED], 50 of 50 documents
    "#);
    let documents = |split| bed.mongo.documents("copy", split).unwrap().len();
    assert_eq!(
        (documents("split_0_input"), documents("split_1_input")),
        (30, 20)
    );
    // The targets, and the collection of the entries.
    assert_eq!(bed.mongo.collections("copy").len(), 3);
}

#[tokio::test]
async fn the_json_of_an_import_has_the_same_facts_as_its_text() {
    let bed = Bed::new().await;
    let output = bed.import(&["--json", "--split", "1"]).await;
    let result: Value = serde_json::from_str(&output.stdout).unwrap();
    every_tool::assert_members(&result, &["database", "documents", "splits"]);
    let expected = [
        "collection",
        "digest",
        "documents",
        "files",
        "kept_files",
        "previous",
        "split_id",
        "was_in_place",
    ];
    assert_eq!(every_tool::members(&result["splits"][0]), expected);
    assert_eq!(
        (&result["documents"], &result["database"]),
        (&20.into(), &"raw".into())
    );
    assert_eq!(output.stderr, "");
    assert_eq!(bed.collections(), ["split_1_input"]);
    let insert = &result["metrics"]["commands"]["insert"];
    assert_eq!(insert["documents"], 20, "{insert}");
    assert!(insert["bytes_sent"].as_u64() > Some(20 * 20), "{insert}");
}

/// Three runs whose names and times are in different orders, and one of an unknown version.
async fn several() -> Bed {
    let bed = Bed::new().await;
    bed.publish("run-0", "2025-11-17T09:30:00Z");
    bed.publish("run-2", "2025-11-16T09:30:00Z");
    let mut later = bed.manifest();
    later["format_version"] = 3.into();
    bed.put_manifest("run-9", &later.to_string());
    bed.s3.put_raw(
        "lob-test",
        "processed-splits/run-8/_progress/plan.json",
        "{}",
    );
    bed
}

#[tokio::test]
async fn list_shows_the_newest_export_first() {
    let bed = several().await;
    assert_shown!(bed.run(&["list", "--log-level", "error"]).await, @r#"
    exit status: 0
    ----- stdout -----
    run-0  [TIME]  2 splits  4 files  50 documents  0.01 MiB
    run-2  [TIME]  2 splits  4 files  50 documents  0.01 MiB
    run-1  [TIME]  2 splits  4 files  50 documents  0.01 MiB
    run-9  cannot be read: the manifest has format version 3, this tool reads 1 to 2
    run-8  not committed, and its plan cannot be read
    ----- stderr -----
    "#);
    let list = bed.run(&["list"]).await.expect(0);
    let old = bed.run(&["--list"]).await.expect(0);
    assert_eq!(old.stdout, list.stdout);
}

#[tokio::test]
async fn runs_are_listed_as_json() {
    let listed = several().await.run(&["list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let runs = listed["runs"].as_array().unwrap();
    let ids: Vec<_> = runs.iter().map(|run| &run["run_id"]).collect();
    assert_eq!(ids, ["run-0", "run-2", "run-1", "run-9", "run-8"]);
    for (key, value) in [
        ("committed", Value::from(true)),
        ("splits", 2.into()),
        ("documents", 50.into()),
        ("legacy", false.into()),
        ("num_splits", 2.into()),
        ("total_documents", 50.into()),
    ] {
        assert_eq!(runs[0][key], value, "{key}");
    }
    assert_eq!(runs[0]["time"], runs[0]["export_timestamp"]);
    assert!(runs[3]["error"].is_string());
    assert_eq!(runs[4]["committed"], false);
}

#[tokio::test]
async fn a_bucket_without_runs_has_an_empty_list() {
    let bed = Bed::with(<_>::default()).await;
    assert_shown!(bed.run(&["list"]).await, @r#"
    exit status: 0
    ----- stdout -----
    there is no run below `s3://lob-test/processed-splits/`
    ----- stderr -----
    "#);
}

#[tokio::test]
async fn the_latest_run_is_the_one_with_the_latest_time() {
    let bed = several().await;
    bed.s3
        .remove("lob-test", "processed-splits/run-9/manifest.json");
    let latest = bed.run(&["--latest"]).await.expect(0);
    let stdout = &latest.stdout;
    assert!(stdout.starts_with("run       run-0\n"), "{stdout}");
    assert!(stdout.contains("/run-0/manifest.json\n"), "{stdout}");
}

#[tokio::test]
async fn another_tools_runs_are_skipped_and_never_imported() {
    let bed = Bed::new().await;
    for (run, manifest) in [
        ("run-2", r#"{ "tool": "lob-upload", "format_version": 2 }"#),
        ("run-3", r#"{ "tool": "stranger", "splits": {} }"#),
    ] {
        bed.put_manifest(run, manifest);
    }
    let listed = bed.run(&["list"]).await;
    let listed = &listed.stdout;
    let told = "run-2  `lob-upload` wrote it";
    assert!(listed.contains(told), "{listed}");
    let named = ["--run-id", "run-3", "--log-level", "error"];
    assert_shown!(bed.run(&named).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-3` is not an export: `stranger` wrote it
    hint: `lob-import list` lists the runs
    "#);
    let latest = bed.run(&["--latest"]).await;
    assert!(latest.stdout.starts_with("run       run-1\n"));
    bed.assert_imported();
}

#[tokio::test]
async fn a_latest_run_with_a_future_time_causes_a_warning() {
    for time in ["2999-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
        let bed = Bed::new().await;
        bed.publish("run-8", time);
        let latest = bed.run(&["--latest", "--dry-run"]).await;
        assert!(latest.stdout.starts_with("run run-8:"), "{latest:?}");
        let told = &latest.stderr;
        assert!(told.contains("run `run-8` counts as the latest"), "{told}");
    }
}

#[tokio::test]
async fn read_only_commands_do_not_change_the_last_success_time() {
    let bed = Bed::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lob.prom");
    let file = ["--metrics-file", path.to_str().unwrap()];
    let success = async |args: &[&str]| {
        bed.run(&[args, &file].concat()).await.expect(0);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines = text.lines().map(str::to_owned);
        lines.find(|line| line.starts_with("lob_last_success_timestamp_seconds{"))
    };
    let dry_run = ["--run-id", "run-1", "--dry-run"];
    assert_eq!(success(&dry_run).await, None);
    let imported = success(&["--run-id", "run-1"]).await;
    assert!(imported.is_some());
    for looking in [&["verify", "run-1"][..], &["list"], &dry_run] {
        assert_eq!(success(looking).await, imported);
    }
}

#[tokio::test]
async fn latest_overrides_a_variable_but_not_a_typed_run_id() {
    let bed = Bed::new().await;
    let shown = async |typed: &[&str]| {
        let args = [&["--latest", "--dry-run"], typed].concat();
        bed.run_with(&args, &[("LOB_RUN_ID", "run-7")]).await
    };
    let latest = shown(&[]).await;
    assert!(latest.stdout.starts_with("run run-1:"), "{latest:?}");
    let typed = shown(&["--run-id", "run-8"]).await;
    assert!(
        typed.stderr.contains("there is no run `run-8`"),
        "{typed:?}"
    );
}

#[tokio::test]
async fn an_import_takes_no_run_as_the_latest_if_one_cannot_be_read() {
    assert_shown!(several().await.run(&["--latest"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-9` below `s3://lob-test/processed-splits/` cannot be read, and may be the latest
      Caused by: the manifest has format version 3, this tool reads 1 to 2
    hint: choose a run with --run-id
    "#);
}

#[tokio::test]
async fn an_import_stays_within_the_bandwidth_limit() {
    let bed = Bed::new().await;
    let args = ["--json", "--split", "1", "--max-bandwidth", "4KiB"];
    let begin = std::time::Instant::now();
    let output = bed.import(&args).await;
    let seconds = begin.elapsed().as_secs_f64();
    let result: Value = serde_json::from_str(&output.stdout).unwrap();
    let inserted = result["metrics"]["commands"]["insert"]["bytes_sent"].as_f64();
    let downloaded = result["bytes"].as_f64();
    let moved = downloaded.unwrap().max(inserted.unwrap());
    assert!(moved > 1000.0, "{result}");
    // Except for the first slice, a twentieth of a second's worth.
    assert!(
        seconds >= moved / 4096.0 - 0.06,
        "{seconds} s for {moved} bytes"
    );
    let refused = bed.import(&["--max-bandwidth", "0"]).await;
    assert_eq!(refused.status.code(), Some(2));
}

#[tokio::test]
async fn the_target_takes_the_same_aws_credentials_as_s3() {
    let bed = Bed::published(MongoOptions {
        aws_user: Some(lob_testkit::bed::aws_user()),
        ..MongoOptions::default()
    })
    .await;
    let uri = format!("{}&authMechanism=MONGODB-AWS", bed.mongo.uri());
    bed.import(&["--mongodb-uri", &uri]).await.expect(0);
    assert_eq!(bed.collections(), ["split_0_input", "split_1_input"]);
}
