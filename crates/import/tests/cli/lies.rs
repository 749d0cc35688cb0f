//! Manifests and data files that lie: the target stays as it was.

use bson::{RawDocumentBuf, rawdoc};

use crate::bed::{BUCKET, Bed, Finished, assert_shown, data_file, manifest, split_of};

const DATA_FILE: &str = "processed-splits/run-1/split_0.parquet/part-00000-00000.parquet";

/// Imports `run-1` with a changed manifest, over an existing target.
async fn import_with(change: impl FnOnce(&mut serde_json::Value)) -> (Bed, Finished) {
    let bed = Bed::new().await;
    bed.put_old();
    let mut manifest = bed.manifest();
    change(&mut manifest);
    bed.put_manifest("run-1", &manifest.to_string());
    let output = bed.import(&[]).await;
    (bed, output)
}

/// The same, expecting that nothing is started.
async fn with_manifest(change: impl FnOnce(&mut serde_json::Value)) -> Finished {
    let (bed, output) = import_with(change).await;
    bed.assert_untouched();
    output
}

#[tokio::test]
async fn a_manifest_of_an_unknown_version_is_refused() {
    assert_shown!(with_manifest(|manifest| manifest["format_version"] = 3.into()).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `s3://lob-test/processed-splits/run-1/manifest.json` cannot be used
      Caused by: the manifest has format version 3, this tool reads 1 to 2
    hint: use the version that wrote it
    "#);
}

#[tokio::test]
async fn a_manifest_without_a_field_is_refused() {
    let without = |manifest: &mut serde_json::Value| {
        manifest.as_object_mut().unwrap().remove("splits");
    };
    assert_shown!(with_manifest(without).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: `s3://lob-test/processed-splits/run-1/manifest.json` cannot be used
      Caused by: the manifest is not in a format that this tool reads
      Caused by: missing field `splits` at line 1 column 660
    "#);
}

#[tokio::test]
async fn a_manifest_that_points_outside_its_run_is_refused() {
    let key = "../run-2/split_0.parquet/a";
    assert_shown!(with_manifest(|m| m["splits"][0]["files"][0]["key"] = key.into()).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: `s3://lob-test/processed-splits/run-1/manifest.json` cannot be used
      Caused by: the manifest names `../run-2/split_0.parquet/a`, which is not a relative path of plain segments
    "#);
}

#[tokio::test]
async fn a_manifest_that_does_not_add_up_is_refused() {
    assert_shown!(with_manifest(|manifest| manifest["total_documents"] = 51.into()).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: `s3://lob-test/processed-splits/run-1/manifest.json` cannot be used
      Caused by: the manifest contradicts itself in `total_documents`
    "#);
    lob_testkit::fault_fired("G5");
}

#[tokio::test]
async fn sizes_whose_sum_overflows_are_refused() {
    let grow = |manifest: &mut serde_json::Value| {
        for split in 0..2 {
            manifest["splits"][split]["files"][0]["size_bytes"] = (1_u64 << 62).into();
        }
    };
    assert_shown!(with_manifest(grow).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: `s3://lob-test/processed-splits/run-1/manifest.json` cannot be used
      Caused by: the manifest's numbers are too large
    "#);
    lob_testkit::fault_fired("G7");
}

#[tokio::test]
async fn a_manifest_of_another_run_is_refused() {
    assert_shown!(with_manifest(|manifest| manifest["run_id"] = "run-2".into()).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: `s3://lob-test/processed-splits/run-1/manifest.json` cannot be used
      Caused by: the manifest belongs to another run, `run-2`
    "#);
}

#[tokio::test]
async fn a_manifest_that_is_not_json_is_refused() {
    let bed = Bed::new().await;
    bed.put_old();
    bed.put_manifest("run-1", "run-1 is done\n");
    assert_shown!(bed.import(&[]).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: `s3://lob-test/processed-splits/run-1/manifest.json` cannot be used
      Caused by: the manifest is not in a format that this tool reads
      Caused by: expected value at line 1 column 1
    "#);
    bed.assert_untouched();
}

#[tokio::test]
async fn a_missing_data_file_is_named() {
    let bed = Bed::new().await;
    bed.put_old();
    assert!(bed.s3.remove(BUCKET, DATA_FILE));
    assert_shown!(bed.import(&[]).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: the import of run `run-1` is not complete
      Caused by: run `run-1` does not match its manifest:
        `s3://lob-test/processed-splits/run-1/split_0.parquet/part-00000-00000.parquet` is missing, but the manifest lists it
    hint: the same command with `--run-id run-1 --split 1` imports the other splits
    "#);
    bed.assert_given_up(0);
    bed.assert_target_untouched();
}

#[tokio::test]
async fn a_data_file_with_a_flipped_bit_is_named() {
    let bed = Bed::new().await;
    bed.put_old();
    assert!(bed.s3.corrupt(BUCKET, DATA_FILE, 1000));
    assert_shown!(bed.import(&[]).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: the import of run `run-1` is not complete
      Caused by: failed to import split 0 for `split_0_input`
      Caused by: `s3://lob-test/processed-splits/run-1/split_0.parquet/part-00000-00000.parquet` has the SHA-256 [HASH], the manifest says [HASH], after 4 downloads
    hint: the same command with `--run-id run-1 --split 1` imports the other splits
    "#);
    bed.assert_given_up(0);
    bed.assert_target_untouched();
    lob_testkit::fault_fired("G10");
}

#[tokio::test]
async fn inconsistent_digests_are_refused() {
    let digest = "0".repeat(32);
    assert_shown!(with_manifest(|m| m["splits"][1]["digest"] = digest.into()).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: `s3://lob-test/processed-splits/run-1/manifest.json` cannot be used
      Caused by: the manifest contradicts itself in `digest`
    "#);
}

#[tokio::test]
async fn a_wrong_digest_is_found_after_the_last_document() {
    let lie = |manifest: &mut serde_json::Value| {
        let split = &mut manifest["splits"][1];
        let digests = [
            split["files"][0]["digest"].take(),
            split["files"][1]["digest"].take(),
        ];
        let [first, second] = digests;
        split["files"][0]["digest"] = second;
        split["files"][1]["digest"] = first;
    };
    let (bed, output) = import_with(lie).await;
    bed.assert_given_up(1);
    bed.assert_target_untouched();
    assert_shown!(output, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: the import of run `run-1` is not complete
      Caused by: failed to import split 1 for `split_1_input`
      Caused by: the documents of `split_1.parquet/part-00000-00000.parquet` have the digest [DIGEST], not [DIGEST]
    hint: the same command with `--run-id run-1 --split 0` imports the other splits
    "#);
}

/// A run whose only data file holds these documents.
async fn with_documents(documents: &[RawDocumentBuf]) -> Bed {
    let bed = Bed::new().await;
    bed.put_old();
    let file = data_file(
        "split_0.parquet/part-00000-00000.parquet".to_owned(),
        documents,
    );
    let key = format!("processed-splits/run-1/{}", file.key);
    bed.s3.put_raw(BUCKET, &key, file.bytes.clone());
    let split = split_of(0, &[file]);
    let manifest = manifest("run-1", "2025-11-15T09:30:00Z", vec![split]);
    bed.put_manifest("run-1", &manifest.to_string());
    bed
}

/// No collection can hold both: neither may be lost in silence.
#[tokio::test]
async fn one_id_in_two_rows_is_an_integrity_failure_whether_they_differ_or_not() {
    let row = |id: i32, text: &str| rawdoc! { "_id": id, "role": "train", "text": text };
    for (second, told) in [("b", "different document"), ("a", "2 were decoded")] {
        let bed = with_documents(&[row(7, "a"), row(7, second)]).await;
        let refused = bed.import(&[]).await.expect(3);
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
        bed.assert_untouched();
    }
    let bed = with_documents(&[row(7, "a"), row(8, "a")]).await;
    bed.import(&[]).await.expect(0);
    lob_testkit::fault_fired("E16");
}

/// Nobody can tell an older manifest from the last one: what the bucket says is what is imported.
#[tokio::test]
async fn an_older_manifest_that_is_valid_is_followed_but_cannot_empty_a_target() {
    let bed = Bed::new().await;
    let newer = bed.manifest();
    bed.import(&[]).await.expect(0);
    let mut older = newer.clone();
    let split = &mut older["splits"][0];
    let first = split["files"][0].take();
    let (rows, digest) = (first["rows"].clone(), first["digest"].clone());
    split["files"] = serde_json::json!([first]);
    split["role_distribution"] = serde_json::json!({ "train": rows });
    (split["num_documents"], split["digest"]) = (rows, digest);
    older["total_documents"] = 35.into();
    bed.put_manifest("run-1", &older.to_string());
    let refused = bed.import(&[]).await.expect(1);
    let told = "`raw.split_0_input` would have 15 documents, and has 30";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    bed.assert_imported();
    bed.import(&["--max-shrink", "50%"]).await.expect(0);
    let found = bed.mongo.documents("raw", "split_0_input").unwrap();
    assert_eq!(found.len(), 15);
    bed.put_manifest("run-1", &newer.to_string());
    bed.import(&[]).await.expect(0);
    bed.assert_imported();
    lob_testkit::fault_fired("G8");
}

#[tokio::test]
async fn nothing_is_written_to_the_database_or_collection_that_a_manifest_names() {
    let bed = Bed::new().await;
    let honest = bed.manifest();
    for name in [
        "elsewhere",
        "admin",
        "config",
        "local",
        "system.users",
        "$cmd",
        "a\0b",
        "",
        "../raw",
    ] {
        let mut manifest = honest.clone();
        manifest["database"] = name.into();
        manifest["splits"][0]["collection"] = name.into();
        manifest["splits"][1]["collection"] = format!("{name}.system.profile").into();
        bed.put_manifest("run-1", &manifest.to_string());
        let from = bed.mongo.commands().len();
        bed.import(&[]).await.expect(0);
        bed.assert_imported();
        let commands = bed.mongo.commands().split_off(from);
        assert!(commands.len() > 10, "{commands:?}");
        for command in commands {
            let arguments = format!("{command:?}");
            let is_named = name.len() > 2 && name != "admin" && arguments.contains(name);
            assert!(!is_named, "{name}: {arguments}");
        }
    }
    let requests = bed.s3.requests();
    assert!(requests.iter().all(|request| request.bucket == BUCKET));
    lob_testkit::fault_fired("G2");
    lob_testkit::fault_fired("G3");
}
