//! What is stored with an object besides its bytes.

use aws_sdk_s3::types::ChecksumAlgorithm;

use crate::server::{Server, Upload, body, outcome};

#[tokio::test]
async fn metadata_and_keys_have_their_limits() {
    let server = Server::start().await;
    let put = |key: &str, metadata: usize| {
        let put = server.put_object(key);
        put.metadata("m", "x".repeat(metadata))
            .body(body(b"hello"))
            .send()
    };
    assert_eq!(outcome(put("k", 2000).await), "ok");
    assert_eq!(outcome(put("k", 2100).await), "400 MetadataTooLarge");
    // MinIO stores objects as files, so it also refuses any segment longer than 255 bytes.
    let long = format!("{}/{}", "k/".repeat(450), "x".repeat(123));
    assert_eq!(outcome(put(&long[1..], 1).await), "ok");
    assert_eq!(
        outcome(put(&format!("x{long}"), 1).await),
        "400 KeyTooLongError"
    );
}

#[tokio::test]
async fn storage_class_and_metadata_stay_with_the_object() {
    let server = Server::start().await;
    let (client, bucket) = (&server.client, &server.bucket);
    let put = |key: &str, class: &str| {
        let put = client.put_object().bucket(bucket).key(key);
        put.storage_class(class.into())
            .metadata("token", "t1")
            .body(body(b"hello"))
            .send()
    };
    assert_eq!(outcome(put("plain", "STANDARD").await), "ok");
    assert_eq!(outcome(put("put", "REDUCED_REDUNDANCY").await), "ok");
    assert_eq!(
        outcome(put("wrong", "COLD").await),
        "400 InvalidStorageClass"
    );
    let create = |class: &str| {
        let create = client.create_multipart_upload().bucket(bucket).key("parts");
        create
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .storage_class(class.into())
            .metadata("token", "t1")
            .send()
    };
    assert_eq!(outcome(create("COLD").await), "400 InvalidStorageClass");
    let upload = Upload {
        server: &server,
        key: "parts".to_owned(),
        id: create("REDUCED_REDUNDANCY")
            .await
            .unwrap()
            .upload_id
            .unwrap(),
    };
    let parts = [upload.part(1, b"hello").await];
    assert_eq!(outcome(upload.complete(&parts).send().await), "ok");

    assert!(!server.exists("wrong").await);
    let reduced = Some("REDUCED_REDUNDANCY");
    for (key, class) in [("plain", None), ("put", reduced), ("parts", reduced)] {
        let head = client.head_object().bucket(bucket).key(key);
        let head = head.send().await.unwrap();
        assert_eq!(head.storage_class().map(|class| class.as_str()), class);
        assert_eq!(head.metadata.unwrap()["token"], "t1", "{key}");
    }
}

#[tokio::test]
async fn encryption_at_rest_is_kept_and_shown() {
    let server = Server::start().await;
    let (client, bucket) = (&server.client, &server.bucket);
    let Some(testkit) = &server.testkit else {
        // MinIO refuses to encrypt without a key server.
        let put = client.put_object().bucket(bucket).key("k");
        let put = put.server_side_encryption("AES256".into());
        assert_eq!(outcome(put.send().await), "501 NotImplemented");
        return;
    };
    for (sse, key_id) in [("AES256", None), ("aws:kms", Some("key-1"))] {
        let key_id = || key_id.map(str::to_owned);
        let put = client
            .put_object()
            .bucket(bucket)
            .key("put")
            .server_side_encryption(sse.into())
            .set_ssekms_key_id(key_id())
            .body(body(b"hello"));
        let sent = put.send().await.unwrap();
        let shown = sent.server_side_encryption.map(|sse| sse.to_string());
        assert_eq!(
            (shown.as_deref(), sent.ssekms_key_id),
            (Some(sse), key_id())
        );

        let create = client
            .create_multipart_upload()
            .bucket(bucket)
            .key("parts")
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .server_side_encryption(sse.into())
            .set_ssekms_key_id(key_id());
        let created = create.send().await.unwrap();
        let shown = created.server_side_encryption.map(|sse| sse.to_string());
        assert_eq!(
            (shown.as_deref(), created.ssekms_key_id),
            (Some(sse), key_id())
        );
        let upload = Upload {
            server: &server,
            key: "parts".to_owned(),
            id: created.upload_id.unwrap(),
        };
        let parts = [upload.part(1, b"hello").await];
        assert_eq!(outcome(upload.complete(&parts).send().await), "ok");

        for key in ["put", "parts"] {
            let head = client.head_object().bucket(bucket).key(key);
            let head = head.send().await.unwrap();
            let shown = head.server_side_encryption.map(|sse| sse.to_string());
            assert_eq!(
                (shown.as_deref(), head.ssekms_key_id),
                (Some(sse), key_id())
            );
            let stored = testkit.object(bucket, key).unwrap();
            assert_eq!(stored.server_side_encryption.as_deref(), Some(sse));
            assert_eq!(stored.kms_key_id, key_id());
        }
    }
    let put = |sse: &str| {
        let put = client.put_object().bucket(bucket).key("wrong");
        put.server_side_encryption(sse.into()).body(body(b"hello"))
    };
    assert_eq!(
        outcome(put("rot13").send().await),
        "400 InvalidEncryptionAlgorithmError"
    );
    assert_eq!(
        outcome(put("AES256").ssekms_key_id("key-1").send().await),
        "400 InvalidArgument"
    );
}
