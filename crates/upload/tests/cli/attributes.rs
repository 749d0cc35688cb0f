//! Object attributes besides the bytes: storage class, encryption, metadata, owner, MD5.

use lob_testkit::s3::{Operation, StoredObject};
use serde_json::Value;
use sha2::Digest as _;

use crate::bed::{BUCKET, Bed, RUN, assert_shown};

const KMS_KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/key-1";

async fn assert_on_all(
    bed: Bed,
    args: &[&str],
    of_data: impl Fn(&StoredObject) -> bool,
    of_ours: impl Fn(&StoredObject) -> bool,
) {
    let feeds = bed.feeds();
    bed.upload(args).await.expect(0);
    for (name, bytes) in feeds {
        let object = bed.object(&name);
        assert!(object.bytes == bytes && of_data(&object), "{name}");
    }
    for name in ["_progress/plan.json", "manifest.json"] {
        assert!(of_ours(&bed.object(name)), "{name}");
    }
    bed.run(&["verify", "run-1", "--full"]).await.expect(0);
}

#[tokio::test]
async fn only_data_files_get_the_storage_class() {
    assert_on_all(
        Bed::on_double("the storage classes of S3").await,
        &["--storage-class", "STANDARD_IA"],
        |object| object.storage_class.as_deref() == Some("STANDARD_IA"),
        |object| object.storage_class.is_none(),
    )
    .await;
}

#[tokio::test]
async fn every_object_is_encrypted_as_requested() {
    let is = |object: &StoredObject, sse: &str, key: Option<&str>| {
        object.server_side_encryption.as_deref() == Some(sse) && object.kms_key_id.as_deref() == key
    };
    let own = |object: &StoredObject| is(object, "AES256", None);
    let bed = async || Bed::on_double("encryption with keys of KMS").await;
    assert_on_all(bed().await, &["--sse", "AES256"], own, own).await;
    let kms = |object: &StoredObject| is(object, "aws:kms", None);
    assert_on_all(bed().await, &["--sse", "aws:kms"], kms, kms).await;
    let with_key = |object: &StoredObject| is(object, "aws:kms", Some(KMS_KEY));
    let args = ["--sse", "aws:kms", "--sse-kms-key-id", KMS_KEY];
    assert_on_all(bed().await, &args, with_key, with_key).await;
}

#[tokio::test]
async fn data_files_carry_the_metadata_and_the_write_token() {
    assert_on_all(
        Bed::new().await,
        &[
            "--metadata",
            "team=research desk",
            "--metadata",
            "Query=a=b",
        ],
        |object| {
            let metadata = &object.metadata;
            let given = metadata["team"] == "research desk" && metadata["query"] == "a=b";
            given && metadata.contains_key("lob-token") && metadata.len() == 3
        },
        |object| object.metadata.len() == 1 && object.metadata.contains_key("lob-token"),
    )
    .await;
}

#[tokio::test]
async fn invalid_attributes_are_a_usage_error_before_any_request() {
    let bed = Bed::new().await;
    bed.feeds();
    let large = format!("note={}", "x".repeat(2000));
    for (args, told) in [
        (&["--metadata", &large][..], "2004 bytes"),
        (&["--metadata", "lob-token=mine"], "which is reserved"),
        (&["--metadata", "Lob-Extra=mine"], "which is reserved"),
        (&["--metadata", "a b=c"], "is not a valid metadata name"),
        (&["--metadata", "name=größe"], "not plain ASCII"),
        (
            &["--metadata", "Team=a", "--metadata", "team=b"],
            "is set twice",
        ),
        (
            &["--sse-kms-key-id", "key-1"],
            "needs `sse` to be `aws:kms`",
        ),
        (
            &["--sse", "AES256", "--sse-kms-key-id", "key-1"],
            "needs `sse` to be `aws:kms`",
        ),
        (&["--sse", "rot13"], "--sse"),
    ] {
        let finished = bed.upload(args).await.expect(2);
        assert!(finished.stderr.contains(told), "{}", finished.stderr);
    }
    assert_eq!(bed.operations(), []);
}

#[tokio::test]
async fn an_unknown_storage_class_is_named() {
    let bed = Bed::new().await;
    bed.feeds();
    let finished = bed.upload(&["--storage-class", "CHEAPEST"]).await.expect(1);
    let told = finished.stderr.contains("InvalidStorageClass");
    assert!(told, "{}", finished.stderr);
    bed.assert_nothing_published();
}

#[tokio::test]
async fn every_request_names_the_expected_bucket_owner() {
    let bed = Bed::new().await;
    bed.feeds();
    let owner = "111122223333";
    let args = ["--expected-bucket-owner", owner];
    bed.upload(&args).await.expect(0);
    for subcommand in ["verify", "cleanup"] {
        bed.run(&[&args[..], &[subcommand, "run-1"]].concat())
            .await
            .expect(0);
    }
    for request in bed.s3.requests() {
        let named = request.header("x-amz-expected-bucket-owner");
        assert_eq!(named, Some(owner), "{:?}", request.operation);
    }
}

#[tokio::test]
async fn a_bucket_with_another_owner_is_refused_before_any_write() {
    let bed = Bed::on_double("a bucket with an owner").await;
    bed.feeds();
    let finished = bed
        .upload(&["--expected-bucket-owner", "999988887777"])
        .await;
    assert_shown!(finished, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: GetObject of `s3://lob-test/lob-data/run-1/_progress/plan.json` failed: AccessDenied (403): Access Denied [request id [ID]]
    hint: the credentials lack the permission `s3:GetObject` for this key, or, for a key that may not exist, `s3:ListBucket`, or --expected-bucket-owner is wrong
    "#);
    assert_eq!(bed.s3.keys(BUCKET), [""; 0]);
}

#[tokio::test]
async fn md5_becomes_the_checksum_on_request_and_sha_256_is_kept() {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    bed.upload(&["--hash", "md5"]).await.expect(0);
    let manifest: Value = bed.manifest();
    for ((name, bytes), entry) in feeds.into_iter().zip(manifest["files"].as_array().unwrap()) {
        assert_eq!(entry["relative_path"], name);
        let sha256 = hex::encode(sha2::Sha256::digest(&bytes));
        assert_eq!(entry["sha256"], sha256);
        // The ETag of an object that is put in one piece is the MD5 of its bytes.
        bed.s3.put_raw(BUCKET, "in-one-piece", bytes);
        let md5 = bed.s3.object(BUCKET, "in-one-piece").unwrap().etag;
        assert_eq!(entry["checksum"], format!("md5:{md5}"));
    }
    let parts = bed.s3.requests().into_iter();
    let parts = parts.filter(|request| request.operation == Operation::UploadPart);
    assert!(
        parts
            .into_iter()
            .any(|part| part.key == format!("{RUN}/2025/big.parquet"))
    );
}
