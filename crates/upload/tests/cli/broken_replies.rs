//! Replies of S3 that are wrong in themselves: none is taken for a success, and none costs memory.

use std::time::Duration;

use jiff::Timestamp;
use lob_testkit::fault_fired;
use lob_testkit::parquet_files::FeedSize;
use lob_testkit::s3::{Moment, Operation, Request, Verdict, first};

use crate::bed::{Bed, RUN, writes};

#[tokio::test]
async fn a_part_acknowledged_without_an_etag_is_not_taken_as_stored() {
    let nameless = first(1, Moment::Executed, Verdict::Without("etag"), |request| {
        request.operation == Operation::UploadPart && request.key.ends_with("big.parquet")
    });
    let bed = Bed::gated(nameless).await;
    bed.feeds();
    let told = bed.upload(&[]).await.expect(1).stderr;
    assert!(told.contains("without an ETag"), "{told}");
    assert!(!bed.has_manifest());
    fault_fired("A8");
}

#[tokio::test]
async fn another_runs_manifest_is_a_conflict_and_stays_as_it_is() {
    let bed = Bed::new().await;
    bed.feeds();
    let commits = |moment: Moment, request: &Request| {
        moment == Moment::Arrived && writes(request, "manifest.json")
    };
    let mut catch = bed.trap.set(commits);
    let child = bed.start(&[]);
    catch.request().await;
    let key = format!("{RUN}/manifest.json");
    bed.s3.put_raw("lob-test", &key, "another's");
    catch.release();
    let told = crate::bed::finish(child).await.expect(1).stderr;
    for words in ["manifest.json", "use a new --run-id"] {
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(bed.object("manifest.json").bytes, "another's");
    fault_fired("A9");
}

/// The time of a server whose clock is ahead by less than S3 itself tolerates, but by more than the
/// gate does.
fn ahead() -> Timestamp {
    Timestamp::now() + Duration::from_secs(12 * 60)
}

/// Refuses what is signed with a time before the middle between the two clocks.
fn strict_about_time(moment: Moment, request: &Request) -> Verdict {
    let earliest = ahead() - Duration::from_secs(6 * 60);
    let earliest = earliest.strftime("%Y%m%dT%H%M%SZ").to_string();
    let is_early = request.header("x-amz-date").unwrap() < &*earliest;
    let now = ahead().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    match moment {
        Moment::Executed => return Verdict::With("date", now),
        Moment::Arrived if !is_early => return Verdict::Pass,
        Moment::Arrived => {}
    }
    Verdict::AnswerWith {
        status: 403,
        code: "RequestTimeTooSkewed",
        header: ("date", now),
    }
}

#[tokio::test]
async fn a_clock_that_differs_from_the_servers_is_corrected() {
    let bed = Bed::gated(strict_about_time).await;
    let feeds = bed.feeds();
    bed.upload(&[]).await.expect(0);
    bed.assert_whole(&feeds);
    let requests = bed.s3.requests();
    assert!(requests.iter().any(|request| request.status == Some(403)));
    fault_fired("A17");
}

#[tokio::test]
async fn a_clock_that_cannot_be_corrected_is_named() {
    let bed = Bed::gated(|_: Moment, _: &Request| Verdict::Answer {
        status: 403,
        code: "RequestTimeTooSkewed",
    })
    .await;
    bed.feeds();
    let told = bed
        .upload(&["--retry-timeout", "300ms"])
        .await
        .expect(1)
        .stderr;
    assert!(told.contains("clock"), "{told}");
    assert!(bed.keys().is_empty());
}

/// Bodies that are no XML, or XML made to do harm.
fn bombs() -> [String; 6] {
    let entities: String = (1..12)
        .map(|level| {
            let inner = format!("&e{};", level - 1).repeat(10);
            format!("<!ENTITY e{level} \"{inner}\">")
        })
        .collect();
    let attributes: String = (0..5000).map(|number| format!(" a{number}=\"\"")).collect();
    [
        "<?xml version=\"1.0\"?><Error><Code>AccessDenied".to_owned(),
        "\0\u{1}{\"error\": \"no XML\"}".to_owned(),
        "<a>".repeat(2_000_000),
        format!("<Error>{}</Error>", "<a></a>".repeat(1_000_000)),
        format!("<!DOCTYPE e [<!ENTITY e0 \"lol\">{entities}]><Error><Code>&e11;</Code></Error>"),
        format!("<Error{attributes}><Code>A</Code></Error>"),
    ]
}

#[tokio::test]
async fn broken_xml_and_bombs_take_up_neither_memory_nor_log_space() {
    for body in bombs() {
        for status in [200, 403, 500] {
            let reply = Verdict::Reply {
                status,
                body: body.clone().into(),
            };
            let bed = Bed::gated(move |moment: Moment, request: &Request| {
                match moment == Moment::Arrived && request.method != "HEAD" {
                    true => reply.clone(),
                    false => Verdict::Pass,
                }
            })
            .await;
            bed.feed("a.parquet", FeedSize::Rows(10));
            let args = ["--retry-timeout", "200ms", "--metrics-file", "metrics"];
            let failed = bed.upload(&args).await;
            let name = format!("{status} with {body:.40}");
            let ended = failed.status.code();
            assert!(matches!(ended, Some(1 | 3)), "{name}: {}", failed.shown());
            assert!(failed.stderr.len() < 100_000, "{name}");
            let peak = bed.peak_memory("metrics");
            assert!(peak < 100e6, "{name}: {peak}");
            let replied = bed.s3.requests().iter().any(|r| r.response_bytes > 0);
            assert!(replied, "{name}");
        }
    }
    fault_fired("A26");
}
