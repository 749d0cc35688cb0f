//! Object attributes of an export besides the bytes: storage class, encryption, metadata.

use lob_testkit::s3::StoredObject;

use crate::bed::{BUCKET, Bed};

const KMS_KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/key-1";
/// Why a bed is on the double: MinIO has other classes, and no KMS.
const OF_S3: &str = "storage classes and encryption of S3";
const ATTRIBUTES: [&str; 8] = [
    "--storage-class",
    "STANDARD_IA",
    "--sse",
    "aws:kms",
    "--sse-kms-key-id",
    KMS_KEY,
    "--metadata",
    "team=research desk",
];

/// Data files get all of [`ATTRIBUTES`]; plan, records and manifest get only the encryption.
#[track_caller]
fn assert_stored_so(bed: &Bed) {
    let keys = bed.s3.keys(BUCKET);
    let is_data = |key: &&String| key.ends_with(".parquet");
    assert_eq!(keys.iter().filter(is_data).count(), 2);
    for key in &keys {
        let object: StoredObject = bed.s3.object(BUCKET, key).unwrap();
        let (class, team) = match is_data(&key) {
            true => (Some("STANDARD_IA"), Some("research desk")),
            false => (None, None),
        };
        assert_eq!(object.storage_class.as_deref(), class, "{key}");
        assert_eq!(
            object.metadata.get("team").map(String::as_str),
            team,
            "{key}"
        );
        assert!(object.metadata.contains_key("lob-token"), "{key}");
        assert_eq!(object.server_side_encryption.as_deref(), Some("aws:kms"));
        assert_eq!(object.kms_key_id.as_deref(), Some(KMS_KEY), "{key}");
    }
}

#[tokio::test]
async fn the_objects_of_an_export_are_stored_as_requested() {
    let bed = Bed::on_double(OF_S3).await;
    bed.export(&ATTRIBUTES).await.expect(0);
    assert_stored_so(&bed);
}

#[tokio::test]
async fn a_worker_stores_objects_as_planned() {
    let bed = Bed::on_double(OF_S3).await;
    bed.export(&[&["plan"], &ATTRIBUTES[..]].concat())
        .await
        .expect(0);
    let other = bed.export(&["work", "--storage-class", "GLACIER_IR"]).await;
    assert_eq!(other.status.code(), Some(1));
    assert!(
        other.shown().contains("--storage-class"),
        "{}",
        other.shown()
    );
    bed.export(&["work"]).await.expect(0);
    bed.export(&["commit"]).await.expect(0);
    assert_stored_so(&bed);
}

#[tokio::test]
async fn invalid_export_attributes_are_a_usage_error_before_any_request() {
    let bed = Bed::new().await;
    for args in [
        ["--metadata", "lob-token=mine"],
        ["--sse-kms-key-id", "key-1"],
        ["--sse", "rot13"],
    ] {
        let refused = bed.export(&args).await;
        assert_eq!(refused.status.code(), Some(2), "{}", refused.shown());
    }
    assert!(bed.s3.requests().is_empty());
}
