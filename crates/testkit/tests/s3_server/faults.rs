//! Faults beyond a single decision about a single request: resets, errors behind a 200, and random
//! faults.

use std::io;
use std::sync::Arc;

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use lob_testkit::s3::{FaultCounts, Gate, Moment, Operation, RandomFaults, Request, Verdict};
use lob_testkit::s3::{S3Options, S3Server};
use lob_testkit::wait::until;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{BUCKET, gated, put, start};

/// What a client reads that sends a request and waits for the answer.
async fn reply_to_raw_request(server: &S3Server) -> io::Result<Vec<u8>> {
    let address = server.endpoint().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET / HTTP/1.1\r\nhost: testkit\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.map(|_| reply)
}

#[tokio::test]
async fn a_client_can_tell_a_reset_connection_from_a_closed_one() {
    let (server, _client) = start(gated(|_: Moment, _: &Request| Verdict::Disconnect)).await;
    assert_eq!(reply_to_raw_request(&server).await.unwrap(), b"");
    let (server, _client) = start(gated(|_: Moment, _: &Request| Verdict::Reset)).await;
    let error = reply_to_raw_request(&server).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_complete_can_fail_with_status_200() {
    let gate = |moment: Moment, request: &Request| match (moment, request.operation) {
        (Moment::Arrived, Operation::CompleteMultipartUpload) => Verdict::AnswerOk {
            code: "InternalError",
        },
        _ => Verdict::Pass,
    };
    let (server, client) = start(gated(gate)).await;
    let create = client.create_multipart_upload().bucket(BUCKET).key("k");
    let id = create.send().await.unwrap().upload_id.unwrap();
    let part = client.upload_part().bucket(BUCKET).key("k").upload_id(&id);
    let part = part.part_number(1).send().await.unwrap();
    let part = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.e_tag)
        .build();
    let complete = client
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id)
        .multipart_upload(CompletedMultipartUpload::builder().parts(part).build());
    let error = complete.send().await.unwrap_err();
    assert_eq!(error.code(), Some("InternalError"));
    assert_eq!(server.requests()[2].status, Some(200));
    assert_eq!(server.open_uploads(BUCKET).len(), 1);
}

/// The verdicts of a gate on the first 2,000 requests of a run.
async fn faults_of(seed: u64, share: f64) -> (Vec<Verdict>, FaultCounts) {
    let (server, client) = start(S3Options::default()).await;
    put(&client, "k", b"hello").await.unwrap();
    let mut request = server.requests().remove(0);
    let faults = RandomFaults::new(seed, share);
    let mut verdicts = Vec::new();
    for number in 0..2000 {
        request.number = number;
        let arrived = faults.decide(Moment::Arrived, &request).await;
        if arrived == Verdict::Pass {
            verdicts.push(faults.decide(Moment::Executed, &request).await);
        } else {
            verdicts.push(arrived);
        }
    }
    (verdicts, faults.counts())
}

#[tokio::test]
async fn random_faults_hit_a_share_of_all_requests_and_repeat_by_seed() {
    let (first, counts) = faults_of(7, 0.2).await;
    assert_eq!(faults_of(7, 0.2).await, (first.clone(), counts));
    assert_ne!(faults_of(8, 0.2).await.0, first);

    let disturbed = first.iter().filter(|v| **v != Verdict::Pass).count() as u64;
    assert_eq!((counts.requests, counts.faults()), (2000, disturbed));
    assert!((300..500).contains(&disturbed), "{disturbed}");
    for kind in [
        counts.slow_downs,
        counts.resets,
        counts.lost_replies,
        counts.stalls + counts.stalls_after,
    ] {
        assert!((50..150).contains(&kind), "{counts:?}");
    }
    assert!(counts.stalls > 0 && counts.stalls_after > 0);
    assert_eq!(faults_of(7, 0.0).await.1.faults(), 0);
}

#[tokio::test]
async fn random_faults_reach_real_clients() {
    let faults = Arc::new(RandomFaults::new(1, 1.0));
    let options = S3Options {
        gate: Some(Arc::clone(&faults) as Arc<dyn Gate>),
        ..S3Options::default()
    };
    let (_server, client) = start(options).await;
    let mut failing = tokio::task::JoinSet::new();
    for number in 0..20 {
        let client = client.clone();
        failing.spawn(async move { put(&client, &number.to_string(), b"hello").await });
    }
    // Stalled requests never finish; all others fail.
    until("all requests have failed", async || {
        faults.counts().faults() == 20
    })
    .await;
    let counts = faults.counts();
    for _ in 0..20 - counts.stalls - counts.stalls_after {
        failing.join_next().await.unwrap().unwrap().unwrap_err();
    }
}
