//! What `lob-export latest` names, for jobs that read the newest data.

use crate::bed::{BUCKET, Bed, assert_shown};

const ADDRESSES: &str = "s3://lob-test/processed-splits/run-2/split_0.parquet/\n\
                         s3://lob-test/processed-splits/run-2/split_1.parquet/\n";

/// Two committed runs, of which the second is the latest, and one that is only planned.
async fn two_runs() -> Bed {
    let bed = Bed::new().await;
    for run in ["run-3", "run-2"] {
        bed.run(&["--run-id", run]).await.expect(0);
    }
    bed.run(&["plan", "--run-id", "run-9"]).await.expect(0);
    bed
}

#[tokio::test]
async fn latest_prints_only_the_addresses_of_the_latest_run() {
    let bed = two_runs().await;
    let output = bed.run(&["latest", "--print-uri"]).await.expect(0);
    assert_eq!(output.stdout, ADDRESSES);
    assert_shown!(bed.run(&["latest"]).await, @r#"
    exit status: 0
    ----- stdout -----
    run run-2 of [TIME]: 50 documents of 2 splits
      s3://lob-test/processed-splits/run-2/split_0.parquet/: 30 documents
      s3://lob-test/processed-splits/run-2/split_1.parquet/: 20 documents
    ----- stderr -----
    "#);
    let output = bed.run(&["latest", "--json"]).await.expect(0);
    let said: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let addresses: Vec<_> = ADDRESSES.lines().collect();
    for (split, address) in addresses.into_iter().enumerate() {
        assert_eq!(said["splits"][split]["uri"], address);
    }
}

#[tokio::test]
async fn latest_names_no_run_if_one_cannot_be_read() {
    let bed = two_runs().await;
    bed.s3.put_raw(
        BUCKET,
        "processed-splits/run-5/manifest.json",
        "{".to_owned(),
    );
    let output = bed.run(&["latest", "--print-uri"]).await;
    assert_eq!(
        (output.status.code(), output.stdout.as_str()),
        (Some(3), "")
    );
    let said = &output.stderr;
    assert!(
        said.contains("run `run-5`") && said.contains("move it away"),
        "{said}"
    );
}

#[tokio::test]
async fn list_shows_exports_newest_first_and_those_that_are_only_planned() {
    let bed = two_runs().await;
    assert_shown!(bed.run(&["list"]).await, @r#"
    exit status: 0
    ----- stdout -----
    run-9  [TIME]  not committed
    run-2  [TIME]  2 splits  2 files  50 documents  0.01 MiB
    run-3  [TIME]  2 splits  2 files  50 documents  0.01 MiB
    ----- stderr -----
    "#);
    let output = bed.run(&["list", "--json"]).await.expect(0);
    let listed: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let [planned, latest] = [&listed["runs"][0], &listed["runs"][1]];
    assert_eq!(planned["committed"], false);
    assert_eq!(latest["documents"], 50);
    let manifest = bed
        .s3
        .object(BUCKET, "processed-splits/run-2/manifest.json")
        .unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest.bytes).unwrap();
    let files = manifest["splits"].as_array().unwrap().iter();
    let files = files.flat_map(|split| split["files"].as_array().unwrap());
    let bytes: u64 = files.map(|file| file["size_bytes"].as_u64().unwrap()).sum();
    assert_eq!(latest["bytes"], bytes);
}
