//! A bucket in another region, replies without a body, unresolvable names: the obstacle is found or
//! named.

use lob_testkit::command_line::nowhere;
use lob_testkit::fault_fired;
use lob_testkit::s3::{HomeRegion, Moment, Operation, Request, S3Options, Verdict};

use crate::bed::Bed;

#[tokio::test]
async fn the_bucket_region_is_learned_from_the_reply_and_reported_once() {
    for refusal in [
        ("PermanentRedirect", 301),
        ("AuthorizationHeaderMalformed", 400),
    ] {
        let name = "ap-south-2";
        let bed = Bed::on(S3Options {
            region: Some(HomeRegion { name, refusal }),
            ..S3Options::default()
        })
        .await;
        let feeds = bed.feeds();
        let finished = bed.run(&["--run-id", "run-1"]).await.expect(0);
        bed.assert_whole(&feeds);
        let told = finished.stderr.matches("the bucket is in another region");
        assert_eq!(told.count(), 1, "{}", finished.stderr);
        let refused = bed.s3.requests().into_iter();
        let refused = refused.filter(|request| request.status == Some(refusal.1));
        assert_eq!(refused.count(), 1);
        assert_eq!(bed.manifest()["s3_config"]["region"], name);
    }
}

#[tokio::test]
async fn an_invalid_region_in_a_reply_is_not_followed() {
    let name = "eu.example.com";
    let refusal = ("PermanentRedirect", 301);
    let bed = Bed::on(S3Options {
        region: Some(HomeRegion { name, refusal }),
        ..S3Options::default()
    })
    .await;
    bed.feeds();
    let finished = bed.upload(&[]).await.expect(1);
    assert!(finished.stderr.contains("--region"), "{}", finished.stderr);
    assert_eq!(bed.operations(), [Operation::HeadBucket]);
}

#[tokio::test]
async fn a_token_that_expires_midway_is_named_even_without_an_error_code() {
    for status in [400, 403] {
        let bed = Bed::gated(move |moment: Moment, request: &Request| {
            let reads = [Operation::HeadObject, Operation::GetObject];
            let is_data = request.key.ends_with("small.parquet");
            if moment == Moment::Arrived && is_data && reads.contains(&request.operation) {
                let code = "ExpiredToken";
                return Verdict::Answer { status, code };
            }
            Verdict::Pass
        })
        .await;
        bed.feeds();
        let finished = bed.upload(&[]).await.expect(1);
        for told in ["ExpiredToken", "renew the credentials"] {
            assert!(finished.stderr.contains(told), "{}", finished.stderr);
        }
        bed.assert_nothing_published();
    }
}

#[tokio::test]
async fn an_unresolvable_name_is_named() {
    let bed = Bed::new().await;
    bed.feeds();
    let args = [
        "--run-id",
        "run-1",
        "--endpoint-url",
        "http://s3.nowhere.invalid:9000",
    ];
    let finished = bed.run(&args).await.expect(1);
    let told = "the name `s3.nowhere.invalid` cannot be resolved";
    assert!(finished.stderr.contains(told), "{}", finished.stderr);
    fault_fired("B16");
}

#[tokio::test]
async fn an_unanswered_request_is_logged_with_server_and_cause() {
    let bed = Bed::new().await;
    bed.feeds();
    let address = nowhere();
    let endpoint = format!("http://{address}");
    let args = ["--run-id", "run-1", "--endpoint-url", &endpoint];
    let finished = bed.run(&args).await.expect(1);
    let log = &finished.stderr;
    for told in [
        format!("server=\"{address}\""),
        "Connection refused".to_owned(),
    ] {
        assert!(log.contains(&told), "{log}");
    }
}
