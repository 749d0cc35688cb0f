//! What the S3 server offers tests beyond S3: the log, the gate, inspecting and tampering with
//! objects, and being weaker than S3.
//!
//! How it behaves as an S3 server is covered by the contract suite (`tests/tests/s3_contract`),
//! which also runs against a real server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "s3_server/faults.rs"]
mod faults;
#[path = "s3_server/weaknesses.rs"]
mod weaknesses;

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, RequestChecksumCalculation};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use lob_testkit::s3::{Gate, Moment, Operation, Request, S3Options, S3Server, Verdict};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

const BUCKET: &str = "lob-data";

async fn start(options: S3Options) -> (S3Server, Client) {
    let buckets = vec![BUCKET.to_owned()];
    let server = S3Server::start(S3Options { buckets, ..options })
        .await
        .unwrap();
    let credentials =
        Credentials::new(server.access_key(), server.secret_key(), None, None, "test");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(lob_testkit::http_client())
        .endpoint_url(server.endpoint())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .build();
    (server, Client::from_conf(config))
}

fn gated(gate: impl Gate) -> S3Options {
    S3Options {
        gate: Some(Arc::new(gate)),
        ..S3Options::default()
    }
}

async fn put(client: &Client, key: &str, bytes: &'static [u8]) -> Result<(), Option<String>> {
    let body = ByteStream::from_static(bytes);
    let sent = client
        .put_object()
        .bucket(BUCKET)
        .key(key)
        .metadata("token", "t1")
        .body(body);
    sent.if_none_match("*")
        .send()
        .await
        .map(drop)
        .map_err(|e| e.code().map(str::to_owned))
}

#[tokio::test]
async fn every_request_is_logged_with_its_arguments_and_outcome() {
    let (server, client) = start(S3Options::default()).await;
    put(&client, "a b/ü.parquet", b"hello").await.unwrap();
    assert_eq!(
        put(&client, "a b/ü.parquet", b"other")
            .await
            .unwrap_err()
            .as_deref(),
        Some("PreconditionFailed")
    );
    client
        .get_object()
        .bucket(BUCKET)
        .key("a b/ü.parquet")
        .send()
        .await
        .unwrap();
    client
        .head_object()
        .bucket(BUCKET)
        .key("missing")
        .send()
        .await
        .unwrap_err();

    let log = server.requests();
    let outline: Vec<_> = log
        .iter()
        .map(|r| {
            (
                r.operation,
                r.key.as_str(),
                r.status,
                r.request_bytes,
                r.response_bytes,
            )
        })
        .collect();
    assert_eq!(
        outline[0],
        (Operation::PutObject, "a b/ü.parquet", Some(200), 5, 0)
    );
    assert_eq!(outline[1].2, Some(412));
    assert_eq!(
        outline[2],
        (Operation::GetObject, "a b/ü.parquet", Some(200), 0, 5)
    );
    assert_eq!(
        outline[3],
        (Operation::HeadObject, "missing", Some(404), 0, 0)
    );
    assert_eq!(log[0].header("if-none-match"), Some("*"));
    assert_eq!(log[0].header("x-amz-meta-token"), Some("t1"));
    assert_eq!(log[0].header("authorization"), None);
}

#[tokio::test]
async fn each_operation_is_recognised_with_its_upload_and_part() {
    let (server, client) = start(S3Options::default()).await;
    let create = client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    let id = create.upload_id.unwrap();
    let part = client
        .upload_part()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id)
        .part_number(7);
    part.body(ByteStream::from_static(b"hello"))
        .send()
        .await
        .unwrap();
    client
        .list_parts()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id)
        .send()
        .await
        .unwrap();
    let complete = client
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id);
    complete.send().await.unwrap_err();
    let abort = client
        .abort_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id);
    abort.send().await.unwrap();
    client
        .list_multipart_uploads()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
    client
        .list_objects_v2()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
    client.head_bucket().bucket(BUCKET).send().await.unwrap();
    client
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    client.create_bucket().bucket("other").send().await.unwrap();
    client.list_buckets().send().await.unwrap();
    client
        .get_bucket_acl()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap_err();

    let log = server.requests();
    let operations: Vec<_> = log.iter().map(|r| r.operation).collect();
    assert_eq!(
        operations,
        [
            Operation::CreateMultipartUpload,
            Operation::UploadPart,
            Operation::ListParts,
            Operation::CompleteMultipartUpload,
            Operation::AbortMultipartUpload,
            Operation::ListMultipartUploads,
            Operation::ListObjectsV2,
            Operation::HeadBucket,
            Operation::DeleteObject,
            Operation::CreateBucket,
            Operation::ListBuckets,
            Operation::Other,
        ]
    );
    assert_eq!(
        (&log[1].upload_id, log[1].part_number),
        (&Some(id), Some(7))
    );
    assert_eq!(log[11].status, Some(501));
}

#[tokio::test]
async fn a_test_can_read_put_and_remove_objects_without_a_request() {
    let (server, client) = start(S3Options::default()).await;
    put(&client, "k", b"hello").await.unwrap();
    let stored = server.object(BUCKET, "k").unwrap();
    assert_eq!(stored.bytes.as_ref(), b"hello");
    assert_eq!(stored.etag, "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(stored.metadata["token"], "t1");

    server.put_raw(BUCKET, "k", &b"lie"[..]);
    let lie = server.object(BUCKET, "k").unwrap();
    assert_eq!(
        (lie.bytes.as_ref(), lie.metadata),
        (&b"lie"[..], stored.metadata)
    );
    assert_ne!(lie.crc64nvme, stored.crc64nvme);
    assert_eq!(server.keys(BUCKET), ["k"]);
    assert!(server.remove(BUCKET, "k"));
    assert!(!server.remove(BUCKET, "k"));
    assert!(server.object(BUCKET, "k").is_none());
}

#[tokio::test]
async fn corrupting_an_object_flips_one_bit_and_leaves_its_head_unchanged() {
    let (server, client) = start(S3Options::default()).await;
    put(&client, "k", b"hello").await.unwrap();
    let before = server.object(BUCKET, "k").unwrap();
    assert!(server.corrupt(BUCKET, "k", 9));
    assert!(!server.corrupt(BUCKET, "k", 40));

    // A part of an object comes without a checksum that the SDK would look at.
    let part = client.get_object().bucket(BUCKET).key("k");
    let part = part.range("bytes=1-4").send().await.unwrap();
    let bytes = part.body.collect().await.unwrap().into_bytes();
    assert_eq!(bytes.as_ref(), b"gllo");
    let head = client
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .checksum_mode(ChecksumMode::Enabled);
    let head = head.send().await.unwrap();
    assert_eq!(head.checksum_crc64_nvme, before.crc64nvme);
    assert_eq!(head.e_tag.unwrap(), format!("\"{}\"", before.etag));
}

#[tokio::test]
async fn a_gate_answers_with_an_error_instead_of_executing() {
    let gate = |moment: Moment, request: &Request| match (moment, request.operation) {
        (Moment::Arrived, Operation::PutObject) => Verdict::Answer {
            status: 503,
            code: "SlowDown",
        },
        _ => Verdict::Pass,
    };
    let (server, client) = start(gated(gate)).await;
    assert_eq!(
        put(&client, "k", b"hello").await.unwrap_err().as_deref(),
        Some("SlowDown")
    );
    assert!(server.keys(BUCKET).is_empty());
    assert_eq!(server.requests()[0].status, Some(503));
}

#[tokio::test]
async fn a_lost_reply_leaves_the_request_executed_and_the_log_without_a_status() {
    let gate = |moment: Moment, _: &Request| match moment {
        Moment::Arrived => Verdict::Pass,
        Moment::Executed => Verdict::Disconnect,
    };
    let (server, client) = start(gated(gate)).await;
    assert_eq!(put(&client, "k", b"hello").await, Err(None));
    assert_eq!(server.keys(BUCKET), ["k"]);
    assert_eq!(server.requests()[0].status, None);
}

#[tokio::test]
async fn a_held_request_is_never_executed_and_other_requests_go_on() {
    let (arrived, mut arrivals) = unbounded_channel();
    let gate = move |moment: Moment, request: &Request| hold_first(&arrived, moment, request);
    let (server, client) = start(gated(gate)).await;
    let held = tokio::spawn({
        let client = client.clone();
        async move { put(&client, "held", b"hello").await }
    });
    assert_eq!(arrivals.recv().await.as_deref(), Some("held"));
    put(&client, "other", b"hello").await.unwrap();
    held.abort();
    assert!(held.await.unwrap_err().is_cancelled());
    assert_eq!(server.keys(BUCKET), ["other"]);
}

fn hold_first(arrived: &UnboundedSender<String>, moment: Moment, request: &Request) -> Verdict {
    match (moment, request.key.as_str()) {
        (Moment::Arrived, "held") => {
            arrived.send(request.key.clone()).unwrap();
            Verdict::Hold
        }
        _ => Verdict::Pass,
    }
}

#[tokio::test]
async fn a_dropped_server_stops_answering() {
    let (server, client) = start(S3Options::default()).await;
    put(&client, "k", b"hello").await.unwrap();
    drop(server);
    assert_eq!(put(&client, "l", b"hello").await, Err(None));
}
