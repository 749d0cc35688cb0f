//! Single-request writes: checksum, signature and condition.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use lob_testkit::s3::crc64nvme;

use crate::server::{Forge, Server, WRONG_CRC, body, outcome};

#[tokio::test]
async fn every_checksum_algorithm_is_verified_on_put() {
    let server = Server::start().await;
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ] {
        let put = server
            .computing()
            .put_object()
            .bucket(&server.bucket)
            .key(algorithm.as_str());
        let sent = put
            .checksum_algorithm(algorithm.clone())
            .body(body(b"hello"))
            .send()
            .await;
        assert_eq!(outcome(sent), "ok", "{algorithm}");
    }
    let put = || server.put_object("wrong").body(body(b"hello"));
    let wrong = server.either("400 BadDigest", "400 XAmzContentChecksumMismatch");
    assert_eq!(
        outcome(put().checksum_crc64_nvme(WRONG_CRC).send().await),
        wrong
    );
    assert_eq!(
        outcome(put().checksum_crc32("AAAAAA==").send().await),
        wrong
    );
    assert_eq!(
        outcome(put().checksum_crc32_c("AAAAAA==").send().await),
        wrong
    );
    assert_eq!(
        outcome(put().content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await),
        "400 BadDigest"
    );
    let malformed = server.either("400 InvalidRequest", "400 InvalidArgument");
    assert_eq!(
        outcome(put().checksum_crc64_nvme("AAAA").send().await),
        malformed
    );
    assert!(!server.exists("wrong").await);
}

#[tokio::test]
async fn an_announced_checksum_that_is_not_sent_is_refused() {
    let server = Server::start().await;
    let put = server.put_object("k").body(body(b"hello"));
    let sent = put
        .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
        .send()
        .await;
    assert_eq!(outcome(sent), server.either("400 InvalidRequest", "ok"));
}

#[tokio::test]
async fn a_body_that_was_not_signed_is_refused() {
    let server = Server::start().await;
    let put = server.put_object("k").body(body(b"hello"));
    let sent = put.customize().interceptor(Forge).send().await;
    assert_eq!(outcome(sent), "400 XAmzContentSHA256Mismatch");
    assert!(!server.exists("k").await);
}

#[tokio::test]
async fn exactly_one_of_racing_writers_creates_the_object() {
    let server = Server::start().await;
    let writers: Vec<_> = (0..12)
        .map(|writer| {
            let put = server.put_object("plan.json");
            tokio::spawn(
                put.if_none_match("*")
                    .body(body(format!("{writer}").as_bytes()))
                    .send(),
            )
        })
        .collect();
    let mut outcomes = Vec::new();
    for writer in writers {
        outcomes.push(outcome(writer.await.unwrap()));
    }
    let winner = outcomes.iter().position(|outcome| outcome == "ok").unwrap();
    assert_eq!(server.get("plan.json").await, winner.to_string().as_bytes());
    outcomes.remove(winner);
    assert_eq!(outcomes, vec!["412 PreconditionFailed"; 11]);
}

#[tokio::test]
async fn if_match_replaces_only_the_object_that_was_seen() {
    let server = Server::start().await;
    let put = |text: &str, etag: &str| {
        let put = server.put_object("record.json");
        put.if_match(etag).body(body(text.as_bytes())).send()
    };
    let absent = put("zero", "\"5d41402abc4b2a76b9719d911017c592\"").await;
    assert_eq!(outcome(absent), "404 NoSuchKey");
    server.put("record.json", b"one").await;
    let seen = server.e_tag("record.json").await;
    assert_eq!(outcome(put("two", &seen).await), "ok");
    assert_eq!(outcome(put("three", &seen).await), "412 PreconditionFailed");
    assert_eq!(server.get("record.json").await, b"two");
}

#[tokio::test]
async fn chunked_transfer_leaves_no_trace_in_the_object() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed");
    let bytes = vec![b'x'; 200_000];
    std::fs::write(&path, &bytes).unwrap();
    // For a body read from a file, the SDK sends signed chunks followed by a checksum.
    let file = ByteStream::from_path(&path).await.unwrap();
    let put = server
        .computing()
        .put_object()
        .bucket(&server.bucket)
        .key("k")
        .body(file);
    let sent = put
        .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.checksum_crc64_nvme, Some(crc64nvme(&bytes)));
    assert!(server.get("k").await == bytes);
}
