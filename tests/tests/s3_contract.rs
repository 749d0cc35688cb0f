//! What lob-tools rely on in an S3 server, asked of the testkit's server and of a real one alike.
//!
//! A lax double would hide a bug. Each test makes a bucket of its own on the server that
//! `LOB_E2E_S3_ENDPOINT`, `LOB_E2E_S3_ACCESS_KEY` and `LOB_E2E_S3_SECRET_KEY` name (a MinIO), or on
//! a testkit server where they are not set. The testkit answers as AWS documents; where MinIO is
//! known to answer otherwise, both answers are written down side by side.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::fmt::Debug;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, ConfigBag, Credentials, Intercept, Region, RequestChecksumCalculation,
    RuntimeComponents,
};
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
};
use lob_testkit::s3::{S3Options, S3Server, crc64nvme};

/// The smallest part that need not be the last.
const PART: usize = 5 << 20;
const WRONG_CRC: &str = "AAAAAAAAAAA=";
const SHA256_OF_HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// A server, an empty bucket on it, and a client.
struct Server {
    client: Client,
    bucket: String,
    /// `None` for the real server.
    testkit: Option<S3Server>,
    endpoint: String,
}

impl Server {
    async fn start() -> Self {
        let Ok(endpoint) = env::var("LOB_E2E_S3_ENDPOINT") else {
            let testkit = S3Server::start(S3Options::default()).await.unwrap();
            let endpoint = testkit.endpoint();
            let client = client(&endpoint, testkit.access_key(), testkit.secret_key());
            return Self::with_bucket(client, endpoint, Some(testkit)).await;
        };
        let access_key = env::var("LOB_E2E_S3_ACCESS_KEY").unwrap();
        let secret_key = env::var("LOB_E2E_S3_SECRET_KEY").unwrap();
        let client = client(&endpoint, &access_key, &secret_key);
        Self::with_bucket(client, endpoint, None).await
    }

    async fn with_bucket(client: Client, endpoint: String, testkit: Option<S3Server>) -> Self {
        static BUCKETS: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let count = BUCKETS.fetch_add(1, Ordering::Relaxed);
        let bucket = format!("contract-{}-{now}-{count}", process::id());
        client.create_bucket().bucket(&bucket).send().await.unwrap();
        Self {
            client,
            bucket,
            testkit,
            endpoint,
        }
    }

    /// What this server answers where the two are known to differ.
    fn either<T>(&self, testkit: T, minio: T) -> T {
        if self.testkit.is_some() {
            testkit
        } else {
            minio
        }
    }

    /// A client that computes checksums itself.
    fn computing(&self) -> Client {
        let computes = RequestChecksumCalculation::WhenSupported;
        let config = self.client.config().to_builder();
        Client::from_conf(config.request_checksum_calculation(computes).build())
    }

    async fn put(&self, key: &str, bytes: &[u8]) {
        let crc = crc64nvme(bytes);
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .checksum_crc64_nvme(crc);
        put.body(body(bytes)).send().await.unwrap();
    }

    async fn get(&self, key: &str) -> Vec<u8> {
        let reply = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await
            .unwrap();
        reply.body.collect().await.unwrap().to_vec()
    }

    async fn exists(&self, key: &str) -> bool {
        let head = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await;
        let outcome = outcome(head);
        assert!(
            ["ok", "404 NotFound"].contains(&outcome.as_str()),
            "{outcome}"
        );
        outcome == "ok"
    }

    /// Creates an upload that declares a CRC64NVME of the whole object.
    async fn create(&self, key: &str) -> Upload<'_> {
        let create = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key);
        let create = create.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme);
        let create = create
            .checksum_type(ChecksumType::FullObject)
            .metadata("token", "t1");
        let id = create.send().await.unwrap().upload_id.unwrap();
        Upload {
            server: self,
            key: key.to_owned(),
            id,
        }
    }
}

/// An open multipart upload.
struct Upload<'a> {
    server: &'a Server,
    key: String,
    id: String,
}

impl Upload<'_> {
    /// Sends a part with its CRC and returns what Complete must say about it.
    async fn part(&self, number: i32, bytes: &[u8]) -> CompletedPart {
        let part = self
            .server
            .client
            .upload_part()
            .bucket(&self.server.bucket)
            .key(&self.key);
        let part = part
            .upload_id(&self.id)
            .part_number(number)
            .body(body(bytes));
        let sent = part
            .checksum_crc64_nvme(crc64nvme(bytes))
            .send()
            .await
            .unwrap();
        assert_eq!(sent.checksum_crc64_nvme, Some(crc64nvme(bytes)));
        CompletedPart::builder()
            .part_number(number)
            .checksum_crc64_nvme(crc64nvme(bytes))
            .set_e_tag(sent.e_tag)
            .build()
    }

    fn complete(&self, parts: &[CompletedPart]) -> CompleteMultipartUploadFluentBuilder {
        let list = CompletedMultipartUpload::builder()
            .set_parts(Some(parts.to_vec()))
            .build();
        let complete = self
            .server
            .client
            .complete_multipart_upload()
            .bucket(&self.server.bucket);
        complete
            .key(&self.key)
            .upload_id(&self.id)
            .multipart_upload(list)
    }

    /// Numbers of the parts that the server has, asked in pages of `page`; or the error.
    async fn parts(&self, page: i32) -> Result<Vec<i32>, String> {
        let mut numbers = Vec::new();
        let mut marker = None;
        loop {
            let list = self
                .server
                .client
                .list_parts()
                .bucket(&self.server.bucket)
                .key(&self.key);
            let list = list
                .upload_id(&self.id)
                .max_parts(page)
                .set_part_number_marker(marker);
            let reply = match list.send().await {
                Ok(reply) => reply,
                Err(error) => return Err(outcome::<(), _>(Err(error))),
            };
            assert!(reply.parts().len() <= page as usize);
            assert_eq!(
                reply.checksum_algorithm(),
                Some(&ChecksumAlgorithm::Crc64Nvme)
            );
            assert!(
                reply
                    .parts()
                    .iter()
                    .all(|part| part.checksum_crc64_nvme().is_some())
            );
            numbers.extend(reply.parts().iter().filter_map(|part| part.part_number()));
            if reply.is_truncated() != Some(true) {
                return Ok(numbers);
            }
            marker = reply.next_part_number_marker;
        }
    }
}

fn client(endpoint: &str, access_key: &str, secret_key: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(lob_testkit::http_client())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(
            access_key, secret_key, None, None, "contract",
        ))
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .build();
    Client::from_conf(config)
}

fn body(bytes: &[u8]) -> ByteStream {
    ByteStream::from(bytes.to_vec())
}

/// `ok`, or the status and the error code.
fn outcome<T, E: ProvideErrorMetadata + Debug>(result: Result<T, SdkError<E>>) -> String {
    let Err(error) = result else {
        return "ok".to_owned();
    };
    let Some(reply) = error.raw_response() else {
        panic!("no reply: {error:?}")
    };
    format!(
        "{} {}",
        reply.status().as_u16(),
        error.code().unwrap_or("-")
    )
}

#[tokio::test]
async fn an_object_comes_back_with_its_bytes_metadata_and_checksum() {
    let server = Server::start().await;
    for (key, bytes) in [("run/a b/ü+.parquet", &b"hello"[..]), ("empty", b"")] {
        let put = server
            .client
            .put_object()
            .bucket(&server.bucket)
            .key(key)
            .body(body(bytes));
        let put = put
            .metadata("token", "t1")
            .checksum_crc64_nvme(crc64nvme(bytes));
        let sent = put.send().await.unwrap();
        let got = server
            .client
            .get_object()
            .bucket(&server.bucket)
            .key(key)
            .send()
            .await
            .unwrap();
        let head = server.client.head_object().bucket(&server.bucket).key(key);
        let head = head
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .unwrap();

        assert_eq!(sent.e_tag, head.e_tag);
        assert_eq!(sent.e_tag, got.e_tag);
        assert_eq!(head.content_length, Some(bytes.len() as i64));
        assert_eq!(head.checksum_crc64_nvme, Some(crc64nvme(bytes)));
        assert_eq!(head.checksum_type, Some(ChecksumType::FullObject));
        assert_eq!(head.metadata.unwrap()["token"], "t1");
        assert_eq!(got.body.collect().await.unwrap().to_vec(), bytes);
    }
    let head = server
        .client
        .head_object()
        .bucket(&server.bucket)
        .key("run/a b/ü+.parquet");
    let head = head.send().await.unwrap();
    assert_eq!(
        head.e_tag.as_deref(),
        Some("\"5d41402abc4b2a76b9719d911017c592\"")
    );
    assert_eq!(head.checksum_crc64_nvme, None);
}

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
    let put = || {
        server
            .client
            .put_object()
            .bucket(&server.bucket)
            .key("wrong")
            .body(body(b"hello"))
    };
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
    let put = server
        .client
        .put_object()
        .bucket(&server.bucket)
        .key("k")
        .body(body(b"hello"));
    let sent = put
        .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
        .send()
        .await;
    assert_eq!(outcome(sent), server.either("400 InvalidRequest", "ok"));
}

/// Replaces the body after it has been signed.
#[derive(Debug)]
struct Forge;

impl Intercept for Forge {
    fn name(&self) -> &'static str {
        "Forge"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let signed = context.request().headers().get("x-amz-content-sha256");
        assert_eq!(signed, Some(SHA256_OF_HELLO));
        *context.request_mut().body_mut() = SdkBody::from("hellO");
        Ok(())
    }
}

#[tokio::test]
async fn a_body_that_was_not_signed_is_refused() {
    let server = Server::start().await;
    let put = server
        .client
        .put_object()
        .bucket(&server.bucket)
        .key("k")
        .body(body(b"hello"));
    let sent = put.customize().interceptor(Forge).send().await;
    assert_eq!(outcome(sent), "400 XAmzContentSHA256Mismatch");
    assert!(!server.exists("k").await);
}

#[tokio::test]
async fn of_racing_writers_exactly_one_creates_the_object() {
    let server = Server::start().await;
    let writers: Vec<_> = (0..12)
        .map(|writer| {
            let put = server
                .client
                .put_object()
                .bucket(&server.bucket)
                .key("plan.json");
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
        let put = server
            .client
            .put_object()
            .bucket(&server.bucket)
            .key("record.json");
        put.if_match(etag).body(body(text.as_bytes())).send()
    };
    let absent = put("zero", "\"5d41402abc4b2a76b9719d911017c592\"").await;
    assert_eq!(outcome(absent), "404 NoSuchKey");
    server.put("record.json", b"one").await;
    let head = server
        .client
        .head_object()
        .bucket(&server.bucket)
        .key("record.json");
    let seen = head.send().await.unwrap().e_tag.unwrap();
    assert_eq!(outcome(put("two", &seen).await), "ok");
    assert_eq!(outcome(put("three", &seen).await), "412 PreconditionFailed");
    assert_eq!(server.get("record.json").await, b"two");
}

#[tokio::test]
async fn reads_answer_ranges_and_notice_another_object() {
    let server = Server::start().await;
    server.put("k", b"0123456789").await;
    let get = || server.client.get_object().bucket(&server.bucket).key("k");
    for (range, bytes, shown) in [
        ("bytes=2-4", &b"234"[..], "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=7-99", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
    ] {
        let reply = get().range(range).send().await.unwrap();
        assert_eq!(reply.content_range.as_deref(), Some(shown));
        assert_eq!(reply.content_length, Some(bytes.len() as i64));
        assert_eq!(reply.body.collect().await.unwrap().to_vec(), bytes);
    }
    assert_eq!(
        outcome(get().range("bytes=10-").send().await),
        "416 InvalidRange"
    );
    let etag = get().send().await.unwrap().e_tag.unwrap();
    assert_eq!(
        outcome(get().if_match(&etag).range("bytes=5-").send().await),
        "ok"
    );
    server.put("k", b"other").await;
    assert_eq!(
        outcome(get().if_match(etag).send().await),
        "412 PreconditionFailed"
    );
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let server = Server::start().await;
    let client = &server.client;
    let (bucket, id) = (&server.bucket, "00000000-not-an-upload");
    let get = client.get_object().bucket(bucket).key("k").send().await;
    assert_eq!(outcome(get), "404 NoSuchKey");
    let get = client
        .get_object()
        .bucket("no-such-bucket")
        .key("k")
        .send()
        .await;
    assert_eq!(outcome(get), "404 NoSuchBucket");
    let put = client
        .put_object()
        .bucket("no-such-bucket")
        .key("k")
        .send()
        .await;
    assert_eq!(outcome(put), "404 NoSuchBucket");
    let list = client
        .list_objects_v2()
        .bucket("no-such-bucket")
        .send()
        .await;
    assert_eq!(outcome(list), "404 NoSuchBucket");
    let head = client.head_bucket().bucket("no-such-bucket").send().await;
    assert_eq!(outcome(head), "404 NotFound");
    assert_eq!(
        outcome(client.head_bucket().bucket(bucket).send().await),
        "ok"
    );
    let parts = client
        .list_parts()
        .bucket(bucket)
        .key("k")
        .upload_id(id)
        .send()
        .await;
    assert_eq!(outcome(parts), "404 NoSuchUpload");
    let part = client
        .upload_part()
        .bucket(bucket)
        .key("k")
        .upload_id(id)
        .part_number(1);
    assert_eq!(
        outcome(part.body(body(b"x")).send().await),
        "404 NoSuchUpload"
    );
    let delete = client.delete_object().bucket(bucket).key("k").send().await;
    assert_eq!(outcome(delete), "ok");
}

#[tokio::test]
async fn wrong_keys_are_told_apart() {
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
async fn metadata_and_keys_have_their_limits() {
    let server = Server::start().await;
    let put = |key: &str, metadata: usize| {
        let put = server.client.put_object().bucket(&server.bucket).key(key);
        put.metadata("m", "x".repeat(metadata))
            .body(body(b"hello"))
            .send()
    };
    assert_eq!(outcome(put("k", 2000).await), "ok");
    assert_eq!(outcome(put("k", 2100).await), "400 MetadataTooLarge");
    // MinIO keeps objects as files, and so refuses a segment above 255 bytes earlier.
    let long = format!("{}/{}", "k/".repeat(450), "x".repeat(123));
    assert_eq!(outcome(put(&long[1..], 1).await), "ok");
    assert_eq!(
        outcome(put(&format!("x{long}"), 1).await),
        "400 KeyTooLongError"
    );
}

#[tokio::test]
async fn a_multipart_object_is_the_sum_of_its_parts() {
    let server = Server::start().await;
    let upload = server.create("k").await;
    let first: Vec<u8> = (0..PART).map(|i| (i % 251) as u8).collect();
    let second = b"and the rest";
    // Out of order, as parts arrive.
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

    let head = server.client.head_object().bucket(&server.bucket).key("k");
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
    let across = server.client.get_object().bucket(&server.bucket).key("k");
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
async fn a_refused_complete_leaves_the_upload_and_a_right_one_still_succeeds() {
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

    let head = server
        .client
        .head_object()
        .bucket(&server.bucket)
        .key("k")
        .send()
        .await
        .unwrap();
    let seen = head.e_tag.unwrap();
    server.put("k", b"other").await;
    let stale = upload.complete(&parts).if_match(&seen).send().await;
    assert_eq!(outcome(stale), "412 PreconditionFailed");
    let head = server
        .client
        .head_object()
        .bucket(&server.bucket)
        .key("k")
        .send()
        .await
        .unwrap();
    let seen = head.e_tag.unwrap();
    assert_eq!(
        outcome(upload.complete(&parts).if_match(seen).send().await),
        "ok"
    );
    assert_eq!(server.get("k").await, b"hello");
}

#[tokio::test]
async fn of_racing_uploads_exactly_one_completes() {
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
async fn a_part_that_is_sent_again_replaces_the_first() {
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

#[tokio::test]
async fn an_upload_without_an_algorithm_refuses_a_checksum_of_the_whole() {
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
async fn a_composite_checksum_is_of_the_parts_checksums_and_tells_their_number() {
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
        let head = server.client.head_object().bucket(&server.bucket).key(key);
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
async fn chunked_transfer_leaves_no_trace_in_the_object() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed");
    let bytes = vec![b'x'; 200_000];
    std::fs::write(&path, &bytes).unwrap();
    // A body that is read from a file makes the SDK send signed chunks with a checksum behind.
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

#[tokio::test]
async fn open_uploads_of_a_key_are_listed_in_pages() {
    let server = Server::start().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(server.create("run/k").await.id);
    }
    server.create("run/other").await;
    let mut found = Vec::new();
    let (mut key_marker, mut id_marker) = (None, None);
    loop {
        let list = server
            .client
            .list_multipart_uploads()
            .bucket(&server.bucket)
            .prefix("run/k");
        let list = list
            .max_uploads(2)
            .set_key_marker(key_marker)
            .set_upload_id_marker(id_marker);
        let reply = list.send().await.unwrap();
        assert!(
            reply
                .uploads()
                .iter()
                .all(|upload| upload.key() == Some("run/k"))
        );
        found.extend(
            reply
                .uploads()
                .iter()
                .filter_map(|upload| upload.upload_id.clone()),
        );
        if reply.is_truncated() != Some(true) {
            break;
        }
        (key_marker, id_marker) = (reply.next_key_marker, reply.next_upload_id_marker);
    }
    found.sort_unstable();
    ids.sort_unstable();
    assert_eq!(found, ids);
}

#[tokio::test]
async fn objects_are_listed_in_order_in_pages_and_by_folder() {
    let server = Server::start().await;
    let keys = [
        "a",
        "run/1.parquet",
        "run/_progress/plan.json",
        "run/_progress/z",
        "run/b",
        "z",
    ];
    for key in keys {
        server.put(key, key.as_bytes()).await;
    }
    for (prefix, delimiter, expected) in [
        ("", None, keys.to_vec()),
        ("run/", None, keys[1..5].to_vec()),
        (
            "run/",
            Some("/"),
            vec!["run/1.parquet", "run/_progress/", "run/b"],
        ),
        ("none/", None, vec![]),
    ] {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let list = server
                .client
                .list_objects_v2()
                .bucket(&server.bucket)
                .prefix(prefix);
            let list = list.set_delimiter(delimiter.map(str::to_owned)).max_keys(1);
            let reply = list.set_continuation_token(token).send().await.unwrap();
            assert!(reply.contents().len() + reply.common_prefixes().len() <= 1);
            for object in reply.contents() {
                let key = object.key().unwrap();
                assert_eq!(object.size(), Some(key.len() as i64));
                found.push(key.to_owned());
            }
            found.extend(
                reply
                    .common_prefixes()
                    .iter()
                    .filter_map(|folder| folder.prefix.clone()),
            );
            if reply.is_truncated() != Some(true) {
                break;
            }
            token = reply.next_continuation_token;
        }
        assert_eq!(found, expected, "{prefix} {delimiter:?}");
    }
}

#[tokio::test]
async fn every_part_is_listed_with_size_etag_and_crc_in_pages_of_any_size() {
    let server = Server::start().await;
    let upload = server.create("k").await;
    let contents: [&[u8]; 5] = [b"one", b"two", b"three", b"", b"five"];
    let numbers = [1, 2, 3, 7, 10_000];
    let mut sent = Vec::new();
    for (number, bytes) in numbers.into_iter().zip(contents) {
        let part = upload.part(number, bytes).await;
        let size = i64::try_from(bytes.len()).ok();
        sent.push((Some(number), size, part.e_tag, Some(crc64nvme(bytes))));
    }
    for page in [1, 2, 4, 5, 1000] {
        let mut found = Vec::new();
        let mut marker = None;
        loop {
            let list = server
                .client
                .list_parts()
                .bucket(&server.bucket)
                .key("k")
                .upload_id(&upload.id)
                .max_parts(page)
                .set_part_number_marker(marker);
            let reply = list.send().await.unwrap();
            found.extend(reply.parts().iter().map(|part| {
                let crc = part.checksum_crc64_nvme.clone();
                (part.part_number, part.size, part.e_tag.clone(), crc)
            }));
            if reply.is_truncated() != Some(true) {
                break;
            }
            marker = reply.next_part_number_marker;
        }
        assert_eq!(found, sent, "pages of {page}");
    }
}

#[tokio::test]
async fn a_key_as_prefix_finds_all_its_open_uploads_with_their_time() {
    let server = Server::start().await;
    let mut ids = vec![
        server.create("run/k").await.id,
        server.create("run/k").await.id,
    ];
    server.create("run/k.old").await;
    let list = server
        .client
        .list_multipart_uploads()
        .bucket(&server.bucket)
        .prefix("run/k");
    let reply = list.send().await.unwrap();
    // MinIO takes the prefix for a whole key; S3 finds the longer key as well.
    assert_eq!(reply.uploads().len(), server.either(3, 2));
    let of_key = reply.uploads().iter().filter(|u| u.key() == Some("run/k"));
    let now = i64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let mut found: Vec<_> = of_key
        .map(|upload| {
            let age = now - upload.initiated().unwrap().secs();
            assert!((-60..60).contains(&age), "{age}");
            upload.upload_id().unwrap()
        })
        .collect();
    found.sort_unstable();
    ids.sort_unstable();
    assert_eq!(found, ids);
}

#[tokio::test]
async fn a_part_is_held_against_the_hash_that_was_signed() {
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
    // The CRC is that of the forged body, so that only the hash can tell.
    let forged = part(b"hellO").interceptor(Forge).send().await;
    assert_eq!(outcome(forged), "400 XAmzContentSHA256Mismatch");
    assert_eq!(upload.parts(1000).await.unwrap(), [0; 0]);
    assert_eq!(outcome(part(b"hello").send().await), "ok");
    assert_eq!(upload.parts(1000).await.unwrap(), [1]);
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

#[tokio::test]
async fn a_bucket_of_another_owner_is_left_alone() {
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
