//! One part of an upload.

use lob_testkit::s3::crc64nvme;

use crate::server::{Forge, Server, WRONG_CRC, body, outcome};

#[tokio::test]
async fn a_part_must_carry_the_checksum_that_was_declared() {
    let server = Server::start().await;
    let upload = server.create("k").await;
    let part = || {
        let part = server
            .client
            .upload_part()
            .bucket(&server.bucket)
            .key("k")
            .body(body(b"hello"));
        part.upload_id(&upload.id).part_number(1)
    };
    let refused = server.either("400 InvalidRequest", "400 InvalidArgument");
    assert_eq!(outcome(part().send().await), refused);
    assert_eq!(
        outcome(part().checksum_crc32("NhCmhg==").send().await),
        refused
    );
    let wrong = part().checksum_crc64_nvme(WRONG_CRC).send().await;
    assert_eq!(
        outcome(wrong),
        server.either("400 BadDigest", "400 XAmzContentChecksumMismatch")
    );
    let md5 = part().checksum_crc64_nvme(crc64nvme(b"hello"));
    let md5 = md5.content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await;
    assert_eq!(outcome(md5), "400 BadDigest");
    let number = part()
        .checksum_crc64_nvme(crc64nvme(b"hello"))
        .part_number(10_001)
        .send()
        .await;
    assert_eq!(outcome(number), "400 InvalidArgument");
    assert_eq!(upload.parts(1000).await.unwrap(), [0; 0]);
}

#[tokio::test]
async fn a_resent_part_replaces_the_first() {
    let server = Server::start().await;
    let upload = server.create("k").await;
    let old = upload.part(1, b"hello").await;
    let new = upload.part(1, b"other").await;
    assert_eq!(upload.parts(1000).await.unwrap(), [1]);
    assert_eq!(
        outcome(upload.complete(&[old]).send().await),
        "400 InvalidPart"
    );
    assert_eq!(outcome(upload.complete(&[new]).send().await), "ok");
    assert_eq!(server.get("k").await, b"other");
}

#[tokio::test]
async fn a_part_must_match_its_signed_hash() {
    let server = Server::start().await;
    let upload = server.create("k").await;
    let part = |sent: &[u8]| {
        let part = server.client.upload_part().bucket(&server.bucket).key("k");
        part.upload_id(&upload.id)
            .part_number(1)
            .checksum_crc64_nvme(crc64nvme(sent))
            .body(body(b"hello"))
            .customize()
    };
    // The CRC is that of the forged body, so only the hash can reveal the forgery.
    let forged = part(b"hellO").interceptor(Forge).send().await;
    assert_eq!(outcome(forged), "400 XAmzContentSHA256Mismatch");
    assert_eq!(upload.parts(1000).await.unwrap(), [0; 0]);
    assert_eq!(outcome(part(b"hello").send().await), "ok");
    assert_eq!(upload.parts(1000).await.unwrap(), [1]);
}
