//! What `lob-upload latest` names, for jobs that read the newest files.

use crate::bed::{BUCKET, Bed, assert_shown};

/// Two committed runs, of which the second is the latest, and one from another tool.
async fn two_runs() -> (Bed, Vec<(String, Vec<u8>)>) {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    for run in ["run-3", "run-2"] {
        bed.run(&["--run-id", run]).await.expect(0);
    }
    put(
        &bed,
        "run-8",
        r#"{"format_version":2,"tool":"lob-export","run_id":"run-8"}"#,
    );
    (bed, feeds)
}

/// Stores a manifest for a run.
fn put(bed: &Bed, run: &str, manifest: &'static str) {
    let key = format!("lob-data/{run}/manifest.json");
    bed.s3.put_raw(BUCKET, &key, manifest);
}

#[tokio::test]
async fn latest_prints_the_addresses_of_the_latest_uploads_files() {
    let (bed, feeds) = two_runs().await;
    let named = bed.run(&["latest", "--print-uri"]).await.expect(0);
    let mut addresses: Vec<_> = feeds
        .iter()
        .map(|(name, _)| format!("s3://{BUCKET}/lob-data/run-2/{name}"))
        .collect();
    addresses.sort();
    assert_eq!(named.stdout.lines().collect::<Vec<_>>(), addresses);
    assert_shown!(bed.run(&["latest"]).await, @r"
    exit status: 0
    ----- stdout -----
    run run-2 of [TIME]: 66536 rows, 6.15 MiB, files: 3
      s3://lob-test/lob-data/run-2/
    ----- stderr -----
    [TIME]  INFO skipped: `lob-export` wrote it run=run-8
    ");
    let named = bed.run(&["latest", "--json"]).await.expect(0);
    let json: serde_json::Value = serde_json::from_str(&named.stdout).unwrap();
    assert_eq!(json["run_id"], "run-2");
    for (file, address) in json["files"].as_array().unwrap().iter().zip(&addresses) {
        assert_eq!(file["uri"], **address);
    }
}

#[tokio::test]
async fn latest_names_no_upload_if_one_cannot_be_read() {
    let (bed, _) = two_runs().await;
    put(&bed, "run-5", "{");
    let refused = bed.run(&["latest", "--print-uri"]).await.expect(3);
    assert_eq!(refused.stdout, "");
    for part in ["run `run-5`", "may be the latest", "move it away"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
}

#[tokio::test]
async fn list_shows_uploads_newest_first_and_those_that_are_only_planned() {
    let (bed, _) = two_runs().await;
    let begun = r#"{"tool":"lob-upload","created":"2020-01-01T00:00:00Z","work":{}}"#;
    bed.s3
        .put_raw(BUCKET, "lob-data/run-1/_progress/plan.json", begun);
    bed.s3.put_raw(BUCKET, "lob-data/no-run/notes.txt", "");
    put(&bed, "run-5", "{");
    assert_shown!(bed.run(&["list"]).await, @r"
    exit status: 0
    ----- stdout -----
    run-2  [TIME]  3 files  66536 rows  6.15 MiB
    run-3  [TIME]  3 files  66536 rows  6.15 MiB
    run-1  [TIME]  not committed
    run-8  `lob-export` wrote it
    run-5  cannot be read: the manifest is not in a format that this tool reads
    ----- stderr -----
    ");
    let listed = bed.run(&["list", "--json"]).await.expect(0);
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let run = &listed["runs"][0];
    assert_eq!(
        (&run["run_id"], &run["committed"]),
        (&"run-2".into(), &true.into())
    );
    assert_eq!((&run["files"], &run["rows"]), (&3.into(), &66536.into()));
    assert!(listed["runs"][4]["error"].is_string());
}
