//! Objects of several parts, and their checksums.

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedPart};
use lob_testkit::s3::crc64nvme;

use crate::server::{PART, Server, Upload, body, outcome};

#[tokio::test]
async fn a_multipart_object_is_the_sum_of_its_parts() {
    let server = Server::start().await;
    let upload = server.create("k").await;
    let first: Vec<u8> = (0..PART).map(|i| (i % 251) as u8).collect();
    let second = b"and the rest";
    // Out of order, as parts may arrive.
    let two = upload.part(2, second).await;
    let one = upload.part(1, &first).await;
    assert_eq!(upload.parts(1).await.unwrap(), [1, 2]);
    assert_eq!(upload.parts(1000).await.unwrap(), [1, 2]);
    assert!(!server.exists("k").await);

    let whole = [&first[..], second].concat();
    let complete = upload.complete(&[one.clone(), two.clone()]);
    let complete = complete
        .checksum_crc64_nvme(crc64nvme(&whole))
        .if_none_match("*");
    let complete = complete.checksum_type(ChecksumType::FullObject);
    let done = complete
        .mpu_object_size(whole.len() as i64)
        .send()
        .await
        .unwrap();
    assert!(done.e_tag.as_ref().unwrap().ends_with("-2\""));
    assert_eq!(done.checksum_crc64_nvme, Some(crc64nvme(&whole)));

    let head = server.head_object("k");
    let head = head
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    assert_eq!(head.e_tag, done.e_tag);
    assert_eq!(head.content_length, Some(whole.len() as i64));
    assert_eq!(head.checksum_crc64_nvme, Some(crc64nvme(&whole)));
    assert_eq!(head.checksum_type, Some(ChecksumType::FullObject));
    assert_eq!(head.metadata.unwrap()["token"], "t1");
    assert!(server.get("k").await == whole);
    let across = server.get_object("k");
    let across = across
        .range(format!("bytes={}-{}", PART - 2, PART + 2))
        .send()
        .await
        .unwrap();
    assert_eq!(
        across.body.collect().await.unwrap().to_vec(),
        whole[PART - 2..=PART + 2]
    );

    assert_eq!(upload.parts(1000).await.unwrap_err(), "404 NoSuchUpload");
    let again = upload.complete(&[one.clone(), two.clone()]).send().await;
    assert_eq!(outcome(again), "404 NoSuchUpload");
    let again = upload.complete(&[one, two]).if_none_match("*").send().await;
    assert_eq!(outcome(again), "412 PreconditionFailed");
}

#[tokio::test]
async fn an_upload_without_an_algorithm_refuses_a_whole_object_checksum() {
    let server = Server::start().await;
    let create = server
        .client
        .create_multipart_upload()
        .bucket(&server.bucket)
        .key("k");
    let id = create.send().await.unwrap().upload_id.unwrap();
    let upload = Upload {
        server: &server,
        key: "k".to_owned(),
        id,
    };
    let part = server
        .client
        .upload_part()
        .bucket(&server.bucket)
        .key("k")
        .part_number(1);
    let part = part
        .upload_id(&upload.id)
        .body(body(b"hello"))
        .send()
        .await
        .unwrap();
    let listed = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.e_tag);
    let (plain, told) = (
        listed.clone(),
        listed.checksum_crc64_nvme(crc64nvme(b"hello")),
    );

    let whole = upload
        .complete(&[plain.clone().build()])
        .checksum_crc64_nvme(crc64nvme(b"hello"));
    assert_eq!(
        outcome(whole.send().await),
        server.either("400 InvalidRequest", "400 XAmzContentChecksumMismatch")
    );
    let told = upload.complete(&[told.build()]).send().await;
    assert_eq!(outcome(told), server.either("400 InvalidRequest", "ok"));
    let plain = upload.complete(&[plain.build()]).send().await;
    assert_eq!(outcome(plain), server.either("ok", "404 NoSuchUpload"));
}

#[tokio::test]
async fn a_composite_checksum_covers_the_part_checksums_and_counts_them() {
    let server = Server::start().await;
    for algorithm in [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Sha256] {
        let key = algorithm.as_str();
        let create = server
            .client
            .create_multipart_upload()
            .bucket(&server.bucket)
            .key(key);
        let create = create.checksum_algorithm(algorithm.clone());
        let id = create.send().await.unwrap().upload_id.unwrap();
        let upload = Upload {
            server: &server,
            key: key.to_owned(),
            id,
        };
        let part = server
            .computing()
            .upload_part()
            .bucket(&server.bucket)
            .key(key)
            .part_number(1);
        let part = part
            .upload_id(&upload.id)
            .checksum_algorithm(algorithm)
            .body(body(b"hello"));
        let sent = part.send().await.unwrap();
        let listed = CompletedPart::builder()
            .part_number(1)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .set_checksum_sha256(sent.checksum_sha256)
            .build();
        assert_eq!(outcome(upload.complete(&[listed]).send().await), "ok");
    }
    let head = |key| {
        let head = server.head_object(key);
        head.checksum_mode(ChecksumMode::Enabled).send()
    };
    let crc32 = head("CRC32").await.unwrap();
    assert_eq!(crc32.checksum_type, Some(ChecksumType::Composite));
    assert_eq!(crc32.checksum_crc32.as_deref(), Some("FKTmaw==-1"));
    let sha256 = head("SHA256").await.unwrap();
    let value = "lZXJ35AHUUjrBoYDZd8zWEt1v/eCpRDGzUiDpBmDPVA=-1";
    assert_eq!(sha256.checksum_sha256.as_deref(), Some(value));
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let server = Server::start().await;
    let upload = server.create("k").await;
    let parts = [upload.part(1, b"hello").await];
    let abort = || {
        let abort = server
            .client
            .abort_multipart_upload()
            .bucket(&server.bucket)
            .key("k");
        abort.upload_id(&upload.id).send()
    };
    assert_eq!(outcome(abort().await), "ok");
    assert_eq!(upload.parts(1000).await.unwrap_err(), "404 NoSuchUpload");
    assert_eq!(
        outcome(upload.complete(&parts).send().await),
        "404 NoSuchUpload"
    );
    assert_eq!(
        outcome(abort().await),
        server.either("404 NoSuchUpload", "ok")
    );
    assert!(!server.exists("k").await);
}
