//! Who may ask, and buckets of other owners.

use std::env;

use lob_testkit::s3::S3Options;

use crate::server::{Server, body, client, outcome};

#[tokio::test]
async fn an_unknown_access_key_and_a_wrong_secret_fail_differently() {
    let server = Server::start().await;
    let (access_key, secret_key) = match &server.testkit {
        Some(testkit) => (
            testkit.access_key().to_owned(),
            testkit.secret_key().to_owned(),
        ),
        None => (
            env::var("LOB_E2E_S3_ACCESS_KEY").unwrap(),
            env::var("LOB_E2E_S3_SECRET_KEY").unwrap(),
        ),
    };
    let get = |access_key: &str, secret_key: &str| {
        let client = client(&server.endpoint, access_key, secret_key);
        client.get_object().bucket(&server.bucket).key("k").send()
    };
    let wrong_secret = get(&access_key, "wrong-secret-key").await;
    assert_eq!(outcome(wrong_secret), "403 SignatureDoesNotMatch");
    let unknown = get("unknown-access-key", &secret_key).await;
    assert_eq!(outcome(unknown), "403 InvalidAccessKeyId");
}

#[tokio::test]
async fn another_owners_bucket_is_left_alone() {
    let server = Server::start().await;
    let (client, bucket) = (&server.client, &server.bucket);
    let owner = S3Options::default().owner;
    let refused = server.either("403 AccessDenied", "ok");
    for (owner, expected) in [(owner.as_str(), "ok"), ("999999999999", refused)] {
        let put = client.put_object().bucket(bucket).key("k");
        let put = put.expected_bucket_owner(owner).body(body(b"hello"));
        assert_eq!(outcome(put.send().await), expected);
        let get = client.get_object().bucket(bucket).key("k");
        assert_eq!(
            outcome(get.expected_bucket_owner(owner).send().await),
            expected
        );
        let list = client.list_objects_v2().bucket(bucket);
        assert_eq!(
            outcome(list.expected_bucket_owner(owner).send().await),
            expected
        );
        let uploads = client.list_multipart_uploads().bucket(bucket);
        assert_eq!(
            outcome(uploads.expected_bucket_owner(owner).send().await),
            expected
        );
        let create = client.create_multipart_upload().bucket(bucket).key("k");
        assert_eq!(
            outcome(create.expected_bucket_owner(owner).send().await),
            expected
        );
        let upload = server.create("parts").await;
        let parts = [upload.part(1, b"hello").await];
        let listed = client.list_parts().bucket(bucket).key("parts");
        let listed = listed.upload_id(&upload.id).expected_bucket_owner(owner);
        assert_eq!(outcome(listed.send().await), expected);
        let complete = upload.complete(&parts).expected_bucket_owner(owner);
        assert_eq!(outcome(complete.send().await), expected);
    }
}
