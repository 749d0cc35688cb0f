//! What `--dry-run` reports, and that it leaves no trace.

use lob_testkit::mongo::Verdict;
use serde_json::{Value, json};

use crate::bed::{BUCKET, Bed, assert_shown};
use crate::trap::Trap;

/// The commands that a read-only import may send, plus the driver's goodbye.
const READS: [&str; 4] = ["listCollections", "find", "count", "endSessions"];

#[tokio::test]
async fn a_dry_run_says_what_replaces_what_and_writes_nothing() {
    let bed = Bed::new().await;
    bed.put_old();
    assert_shown!(bed.import(&["--dry-run"]).await, @r#"
    exit status: 0
    ----- stdout -----
    run run-1: 50 documents of 2 splits would be imported into `raw`, [SIZE] of data files
      split_0_input: 30 documents, [SIZE] in 2 data files
        replaces a collection of about 1 document
      split_1_input: 20 documents, [SIZE] in 2 data files
        replaces nothing
    ----- stderr -----
    "#);
    bed.assert_untouched();
    let commands = bed.mongo.commands();
    let names: Vec<_> = commands.iter().map(|command| &*command.name).collect();
    assert!(names.iter().all(|name| READS.contains(name)), "{names:?}");
    assert_eq!(bed.fetched(), [""; 0]);

    let kept = bed.import(&["--dry-run", "--keep-previous", "--split", "0", "--json"]);
    let said: Value = serde_json::from_str(&kept.await.expect(0).stdout).unwrap();
    let previous = said["splits"][0]["previous"].as_str().unwrap().to_owned();
    assert_eq!(
        (&said["dry_run"], &said["documents"]),
        (&json!(true), &json!(30))
    );
    assert_eq!(said["splits"][0]["existing_documents"], 1);
    bed.import(&["--keep-previous"]).await.expect(0);
    assert!(bed.collections().contains(&previous), "{previous}");
}

#[tokio::test]
async fn a_dry_run_finds_a_data_file_that_is_missing() {
    let bed = Bed::new().await;
    let missing = "processed-splits/run-1/split_1.parquet/part-00000-00001.parquet";
    assert!(bed.s3.remove(BUCKET, missing));
    let stderr = bed.import(&["--dry-run"]).await.expect(3).stderr;
    assert!(
        stderr.contains(&format!("{missing}` is missing")),
        "{stderr}"
    );
    bed.import(&["--dry-run", "--split", "0"]).await.expect(0);
    assert_eq!(bed.collections(), [""; 0]);
}

#[tokio::test]
async fn a_dry_run_refuses_what_the_import_would_refuse() {
    let bed = Bed::new().await;
    bed.put_old();
    for args in [
        &["--no-replace"][..],
        &["--database", "admin"],
        &["--split", "7"],
    ] {
        let dry = bed.import(&[args, &["--dry-run"]].concat()).await;
        let wet = bed.import(args).await;
        assert_eq!(dry.status.code(), wet.status.code());
        assert_eq!(dry.stderr, wet.stderr);
        assert!(!dry.status.success());
    }
    bed.assert_untouched();
}

#[tokio::test]
async fn a_dry_run_recognizes_a_split_that_is_in_its_place() {
    let (trap, mut holds) = Trap::new(|command| command.name == "renameCollection", 1);
    let bed = Bed::with_trap(&trap).await;
    let mut import = bed.command(&["--run-id", "run-1"]).spawn().unwrap();
    holds.recv().await.unwrap();
    import.kill().await.unwrap();
    trap.open(Verdict::Disconnect);
    let output = bed.import(&["--dry-run", "--json"]).await.expect(0);
    let said: Value = serde_json::from_str(&output.stdout).unwrap();
    let places: Vec<_> = (0..2).map(|i| &said["splits"][i]["is_in_place"]).collect();
    assert_eq!(places, [&json!(true), &json!(false)]);
}
