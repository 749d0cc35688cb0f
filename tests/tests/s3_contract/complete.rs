//! The end of an upload, which creates the object or leaves everything as it was.

use aws_sdk_s3::types::CompletedPart;
use lob_testkit::s3::crc64nvme;

use crate::server::{Server, WRONG_CRC, outcome};

#[tokio::test]
async fn a_refused_complete_leaves_the_upload_and_a_correct_one_still_succeeds() {
    let server = Server::start().await;
    let upload = server.create("k").await;
    let part = upload.part(1, b"hello").await;
    let parts = [part.clone()];
    let crc = crc64nvme(b"hello");

    let wrong = upload
        .complete(&parts)
        .checksum_crc64_nvme(WRONG_CRC)
        .send()
        .await;
    assert_eq!(
        outcome(wrong),
        server.either("400 BadDigest", "400 XAmzContentChecksumMismatch")
    );
    let bare = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.e_tag.clone())
        .build();
    let wrong = upload
        .complete(&[bare])
        .checksum_crc64_nvme(&crc)
        .send()
        .await;
    assert_eq!(
        outcome(wrong),
        server.either("400 InvalidRequest", "400 InvalidPart")
    );
    let other = CompletedPart::builder()
        .part_number(1)
        .checksum_crc64_nvme(WRONG_CRC);
    let wrong = upload
        .complete(&[other.set_e_tag(part.e_tag.clone()).build()])
        .send()
        .await;
    assert_eq!(outcome(wrong), "400 InvalidPart");
    let etag = CompletedPart::builder()
        .part_number(1)
        .checksum_crc64_nvme(&crc);
    let etag = etag.e_tag("\"00000000000000000000000000000000\"").build();
    assert_eq!(
        outcome(upload.complete(&[etag]).send().await),
        "400 InvalidPart"
    );
    let absent = CompletedPart::builder()
        .part_number(7)
        .set_e_tag(part.e_tag.clone());
    let absent = absent.checksum_crc64_nvme(&crc).build();
    assert_eq!(
        outcome(upload.complete(&[absent]).send().await),
        "400 InvalidPart"
    );
    assert!(!server.exists("k").await);
    assert_eq!(upload.parts(1000).await.unwrap(), [1]);

    let right = upload
        .complete(&parts)
        .checksum_crc64_nvme(crc)
        .send()
        .await;
    assert_eq!(outcome(right), "ok");
    assert_eq!(server.get("k").await, b"hello");
}

#[tokio::test]
async fn a_wrong_object_size_is_refused() {
    let server = Server::start().await;
    let upload = server.create("k").await;
    let parts = [upload.part(1, b"hello").await];
    let wrong = upload.complete(&parts).mpu_object_size(6).send().await;
    assert_eq!(outcome(wrong), server.either("400 InvalidRequest", "ok"));
}

#[tokio::test]
async fn complete_does_not_replace_an_object_against_its_condition() {
    let server = Server::start().await;
    let upload = server.create("k").await;
    let parts = [upload.part(1, b"hello").await];
    server.put("k", b"mine").await;
    let refused = upload.complete(&parts).if_none_match("*").send().await;
    assert_eq!(outcome(refused), "412 PreconditionFailed");
    assert_eq!(server.get("k").await, b"mine");
    assert_eq!(upload.parts(1000).await.unwrap(), [1]);

    let seen = server.e_tag("k").await;
    server.put("k", b"other").await;
    let stale = upload.complete(&parts).if_match(&seen).send().await;
    assert_eq!(outcome(stale), "412 PreconditionFailed");
    let seen = server.e_tag("k").await;
    assert_eq!(
        outcome(upload.complete(&parts).if_match(seen).send().await),
        "ok"
    );
    assert_eq!(server.get("k").await, b"hello");
}

#[tokio::test]
async fn exactly_one_of_racing_uploads_completes() {
    let server = Server::start().await;
    let mut completing = Vec::new();
    for _ in 0..6 {
        let upload = server.create("manifest.json").await;
        let parts = [upload.part(1, b"hello").await];
        completing.push(upload.complete(&parts).if_none_match("*"));
    }
    let running: Vec<_> = completing
        .into_iter()
        .map(|c| tokio::spawn(c.send()))
        .collect();
    let mut outcomes = Vec::new();
    for complete in running {
        outcomes.push(outcome(complete.await.unwrap()));
    }
    outcomes.sort_unstable();
    assert_eq!(outcomes[..5], ["412 PreconditionFailed"; 5]);
    assert_eq!(outcomes[5], "ok");
}

#[tokio::test]
async fn parts_must_be_in_order_and_large_enough() {
    let server = Server::start().await;
    let upload = server.create("k").await;
    let one = upload.part(1, b"hello").await;
    let two = upload.part(2, b"other").await;
    let reversed = upload.complete(&[two.clone(), one.clone()]).send().await;
    assert_eq!(outcome(reversed), "400 InvalidPartOrder");
    let small = upload.complete(&[one, two]).send().await;
    assert_eq!(outcome(small), "400 EntityTooSmall");
}
