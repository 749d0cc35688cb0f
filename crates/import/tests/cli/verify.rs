//! `lob-import verify`: names every target that is not in its place as the manifest says.

use bson::rawdoc;
use lob_testkit::split_documents::SplitDocuments;
use serde_json::Value;

use crate::bed::{Bed, assert_shown};

async fn imported() -> Bed {
    let bed = Bed::new().await;
    bed.import(&[]).await.expect(0);
    bed
}

#[tokio::test]
async fn targets_are_verified_by_reading_documents_instead_of_data_files() {
    let bed = imported().await;
    let (fetched, collections) = (bed.fetched(), bed.mongo.collections("raw"));
    let verify = ["verify", "run-1", "--log-level", "error"];
    assert_shown!(bed.run(&verify).await, @r#"
    exit status: 0
    ----- stdout -----
    run run-1: `raw` has 50 documents of 2 splits as the manifest says
      split_0_input: 30 documents, all read, digest [DIGEST]
      split_1_input: 20 documents, all read, digest [DIGEST]
    ----- stderr -----
    "#);
    let output = bed
        .run(&[&verify[..], &["--json", "--split", "1"]].concat())
        .await
        .expect(0);
    let result: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(result["documents"], 20);
    assert_eq!(result["verified"], true);
    assert_eq!(result["splits"][0]["collection"], "split_1_input");
    assert_eq!(bed.fetched(), fetched);
    assert_eq!(bed.mongo.collections("raw"), collections);
}

#[tokio::test]
async fn every_target_that_differs_or_is_missing_is_named() {
    let bed = imported().await;
    let other = rawdoc! { "_id": "another" };
    bed.mongo.load("raw", "split_0_input", [other]).unwrap();
    let refused = bed.run(&["verify", "run-1"]).await;
    let stderr = &refused.stderr;
    assert_eq!(refused.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("`raw.split_0_input` has 31 documents"),
        "{stderr}"
    );
    assert!(!stderr.contains("split_1_input"), "{stderr}");

    // The same number of documents, one of them different.
    let documents = SplitDocuments::new(0, 4).take(29);
    let documents = documents.chain([rawdoc! { "_id": "another" }]);
    bed.mongo.load("copy", "split_0_input", documents).unwrap();
    let refused = bed.run(&["verify", "run-1", "--database", "copy"]).await;
    let stderr = &refused.stderr;
    assert_eq!(refused.status.code(), Some(3), "{stderr}");
    for told in [
        "`copy.split_0_input` has 30 documents with the digest",
        "`copy.split_1_input` is missing",
    ] {
        assert!(stderr.contains(told), "{stderr}");
    }
}

#[tokio::test]
async fn views_and_time_series_targets_are_named_like_any_other_difference() {
    let bed = Bed::new().await;
    bed.put_no_collections().await;
    assert_shown!(bed.run(&["verify", "run-1", "--log-level", "error"]).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: the target collections do not match run `run-1`:
        `raw.split_0_input` is a view
        `raw.split_1_input` is a time-series collection
    "#);
    for split in ["0", "1"] {
        let refused = bed.import(&["--split", split]).await;
        let stderr = &refused.stderr;
        assert_eq!(refused.status.code(), Some(1), "{stderr}");
        let hint = "hint: drop it, or choose another --database or --collection-pattern";
        assert!(stderr.contains(hint), "{stderr}");
    }
    bed.import(&["--collection-pattern", "new_{N}"])
        .await
        .expect(0);
    lob_testkit::fault_fired("E15");
}

#[tokio::test]
async fn verify_refuses_the_options_of_an_import() {
    let bed = Bed::new().await;
    let help = bed.run(&["verify", "--help"]).await;
    for (option, value) in [
        ("--no-replace", None),
        ("--max-shrink", Some("5%")),
        ("--write-concern", Some("1")),
        ("--latest", None),
        ("--list", None),
    ] {
        assert!(!help.stdout.contains(option), "{option}");
        let verify = ["verify", "run-1"];
        let option_and_value = [&[option][..], value.as_slice()].concat();
        let before = [&option_and_value[..], &verify].concat();
        let after = [&verify[..], &option_and_value].concat();
        for args in [before, after] {
            let refused = bed.run(&args).await;
            let stderr = &refused.stderr;
            assert_eq!(refused.status.code(), Some(2), "{stderr}");
            let told = format!("{option} cannot be used with `verify`");
            assert!(stderr.contains(&told), "{stderr}");
        }
    }
}
