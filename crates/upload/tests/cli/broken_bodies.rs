//! Connections that break, stall or damage bytes in the middle of a message, in either direction:
//! the bytes come out right, or nothing is published.

use lob_testkit::fault_fired;
use lob_testkit::parquet_files::FeedSize;
use lob_testkit::proxy::{Act, Place, Proxy, Rule};
use lob_testkit::s3::{Moment, Operation, Request, Verdict};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

use crate::bed::{Bed, RUN};

/// Gives an attempt up quickly.
const IMPATIENT: [&str; 2] = ["--attempt-timeout", "1s"];

/// A committed run of the file `a.parquet`, the network in front of its server, and the file's size.
async fn uploaded() -> (Bed, Proxy, u64) {
    let bed = Bed::new().await;
    let size = bed.feed("a.parquet", FeedSize::Bytes(1 << 20)).len() as u64;
    bed.upload(&[]).await.expect(0);
    let proxy = Proxy::start(&bed.s3.endpoint()).unwrap();
    (bed, proxy, size)
}

/// Where the requests for `a.parquet` since number `from` begin to read; 0 without a range.
fn read_from(bed: &Bed, from: usize) -> Vec<u64> {
    let begins = |get: &Request| {
        let range = get.header("range").unwrap_or("bytes=0-");
        let begin = range.strip_prefix("bytes=").unwrap().split('-').next();
        begin.unwrap().parse().unwrap()
    };
    let gets = bed.asked(Operation::GetObject, "a.parquet", from);
    gets.iter().map(begins).collect()
}

#[tokio::test]
async fn a_download_that_breaks_or_stalls_anywhere_is_read_on_from_there() {
    let (bed, proxy, size) = uploaded().await;
    let half = size / 2;
    for (case, after, act) in [
        ("B6", Place::Body(half), Act::Reset),
        ("B7", Place::Body(half), Act::Close),
        ("B7", Place::Body(size - 1), Act::Close),
        ("B10", Place::Start(0), Act::Stall),
        ("B10", Place::Body(half), Act::Stall),
        ("B10", Place::Body(size - 1), Act::Stall),
    ] {
        let (before, struck) = (bed.s3.requests().len(), proxy.struck());
        let request = format!("GET /lob-test/{RUN}/a.parquet");
        proxy.apply(Rule::down(&request, after, act));
        let endpoint = proxy.endpoint();
        let verify = ["verify", "run-1", "--full", "--endpoint-url", &endpoint];
        bed.run(&[&verify[..], &IMPATIENT].concat()).await.expect(0);
        assert_eq!(proxy.struck(), struck + 1, "{after:?} {act:?}");
        let begins = read_from(&bed, before);
        assert_eq!((begins.len(), begins[0]), (2, 0), "{after:?} {act:?}");
        match (after, act) {
            (Place::Body(passed), Act::Close | Act::Stall) => assert_eq!(begins[1], passed),
            // A reset may overtake bytes that have passed.
            (Place::Body(passed), _) => assert!(begins[1] <= passed),
            (Place::Start(_), _) => assert_eq!(begins[1], 0),
        }
        fault_fired(case);
    }
}

#[tokio::test]
async fn bytes_beyond_the_announced_length_are_ignored() {
    let (bed, proxy, size) = uploaded().await;
    let request = format!("GET /lob-test/{RUN}/a.parquet");
    proxy.apply(Rule::down(&request, Place::Body(size), Act::Pad(1000)));
    let endpoint = proxy.endpoint();
    let verify = ["verify", "run-1", "--full", "--endpoint-url", &endpoint];
    bed.run(&verify).await.expect(0);
    assert_eq!(proxy.struck(), 1);
    assert_eq!(read_from(&bed, 0), [0]);
    fault_fired("B9");
}

#[tokio::test]
async fn a_list_that_breaks_off_between_two_chunks_is_asked_for_again() {
    let bed = Bed::gated(|moment: Moment, request: &Request| {
        let is_list = request.operation == Operation::ListObjectsV2;
        match is_list && moment == Moment::Executed {
            true => Verdict::Chunked,
            false => Verdict::Pass,
        }
    })
    .await;
    bed.feeds();
    bed.upload(&[]).await.expect(0);
    let lists = || {
        let operations = bed.operations();
        let lists = operations
            .iter()
            .filter(|o| **o == Operation::ListObjectsV2);
        lists.count()
    };
    let before = lists();
    bed.run(&["list"]).await.expect(0);
    let whole = lists() - before;
    let proxy = Proxy::start(&bed.s3.endpoint()).unwrap();
    // The first chunk is whole, or cut off.
    for passed in [20, 200] {
        let before = lists();
        proxy.apply(Rule::down("list-type=2", Place::Body(passed), Act::Close));
        let listed = bed
            .run(&["list", "--endpoint-url", &proxy.endpoint()])
            .await;
        assert!(listed.expect(0).stdout.contains("run-1"));
        assert_eq!(lists() - before, whole + 1);
    }
    assert_eq!(proxy.struck(), 2);
    fault_fired("B8");
}

#[tokio::test]
async fn a_part_whose_connection_breaks_in_its_body_is_sent_again() {
    for act in [Act::Reset, Act::Close] {
        let bed = Bed::new().await;
        let feeds = bed.feeds();
        let proxy = Proxy::start(&bed.s3.endpoint()).unwrap();
        let request = format!("PUT /lob-test/{RUN}/2025/big.parquet");
        proxy.apply(Rule::up(&request, Place::Body(500_000), act));
        let endpoint = proxy.endpoint();
        let finished = bed.upload(&["--json", "--endpoint-url", &endpoint]).await;
        let result: Value = serde_json::from_str(&finished.expect(0).stdout).unwrap();
        let parts = &result["metrics"]["operations"]["UploadPart"];
        assert_eq!(
            (proxy.struck(), &parts["retries"]),
            (1, &1.into()),
            "{act:?}"
        );
        bed.assert_whole(&feeds);
        fault_fired("B4");
    }
}

#[tokio::test]
async fn a_bit_flipped_anywhere_in_a_head_never_publishes_wrong_bytes() {
    for seed in 0..24 {
        let mut random = StdRng::seed_from_u64(seed);
        let request = format!("PUT /lob-test/{RUN}/a.parquet");
        let rule = match random.random_bool(0.5) {
            true => Rule::up(
                &request,
                Place::Start(random.random_range(0..600)),
                Act::Flip,
            ),
            false => Rule::down(
                &request,
                Place::Start(random.random_range(0..200)),
                Act::Flip,
            ),
        };
        let bed = Bed::new().await;
        let bytes = bed.feed("a.parquet", FeedSize::Rows(1000));
        let proxy = Proxy::start(&bed.s3.endpoint()).unwrap();
        proxy.apply(rule.clone());
        let endpoint = proxy.endpoint();
        let args = ["--retry-timeout", "3s", "--endpoint-url", &endpoint];
        let finished = bed.upload(&[&args[..], &IMPATIENT].concat()).await;
        assert_eq!(proxy.struck(), 1, "seed {seed}: {rule:?}");
        match finished.status.code() {
            Some(0) => {
                assert!(
                    bed.object("a.parquet").bytes == bytes,
                    "seed {seed}: {rule:?}"
                );
                bed.run(&["verify", "run-1", "--full"]).await.expect(0);
            }
            Some(1 | 3 | 4) => assert!(!bed.has_manifest(), "seed {seed}: {rule:?}"),
            _ => panic!("seed {seed}: {rule:?}: {}", finished.shown()),
        }
    }
    fault_fired("B15");
}
