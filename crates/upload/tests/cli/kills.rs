//! `kill -9` at every request, before and after it is executed: a run is whole or does not exist,
//! and the same command completes it.

use lob_testkit::manifests::without;
use lob_testkit::s3::{Checksums, Conditions, Moment, Operation, Request, S3Options, Weaknesses};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::bed::{Bed, RUN, writes};

/// How many beds run concurrently.
const AT_ONCE: usize = 3;
/// Requests of the rerun at which it is killed too.
const SECOND_KILLS: [usize; 4] = [3, 9, 14, 19];
/// What differs between two runs of the same files, anywhere in the manifest.
const OF_THE_RUN: [&str; 5] = [
    "upload_timestamp",
    "started",
    "finished",
    "write_token",
    "metrics",
];

#[tokio::test]
async fn a_run_killed_at_any_request_is_whole_or_does_not_exist() {
    let (requests, whole) = undisturbed(Weaknesses::default()).await;
    let mut beds = JoinSet::new();
    let mut published = 0;
    for position in 0..requests {
        for moment in [Moment::Arrived, Moment::Executed] {
            if beds.len() == AT_ONCE {
                published += usize::from(beds.join_next().await.unwrap().unwrap());
            }
            beds.spawn(killed_at(
                Weaknesses::default(),
                position,
                moment,
                whole.clone(),
            ));
        }
    }
    let rest = beds.join_all().await;
    published += rest.into_iter().filter(|published| *published).count();
    // Only once the manifest is written, which is the last request.
    assert_eq!(published, 1);
    lob_testkit::fault_fired("C1");
}

#[tokio::test]
async fn a_run_killed_on_a_weaker_server_is_completed_too() {
    let weak = Weaknesses {
        conditions: Conditions::IgnoredOnComplete,
        checksums: Checksums::Ignored,
        ..Weaknesses::default()
    };
    let (requests, whole) = undisturbed(weak).await;
    let mut beds = JoinSet::new();
    for position in (3..requests).step_by(3) {
        if beds.len() == AT_ONCE {
            beds.join_next().await.unwrap().unwrap();
        }
        beds.spawn(killed_at(weak, position, Moment::Executed, whole.clone()));
    }
    beds.join_all().await;
}

#[tokio::test]
async fn a_rerun_that_is_killed_too_is_completed_by_the_next() {
    let (requests, whole) = undisturbed(Weaknesses::default()).await;
    let mut beds = JoinSet::new();
    let mut killed = Vec::new();
    for second in SECOND_KILLS {
        for first in (2..requests).step_by(7) {
            if beds.len() == AT_ONCE {
                killed.push(beds.join_next().await.unwrap().unwrap());
            }
            beds.spawn(killed_twice(first, second, whole.clone()));
        }
    }
    killed.extend(beds.join_all().await);
    // A rerun late in the run has little left to do.
    let twice = killed.iter().filter(|twice| **twice).count();
    assert!(twice * 2 > killed.len(), "{twice} of {}", killed.len());
}

#[tokio::test]
async fn a_run_killed_after_its_manifest_is_checked_and_not_sent_again() {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    let committed = |moment: Moment, request: &Request| {
        moment == Moment::Executed && writes(request, "manifest.json")
    };
    bed.kill_at(&[], committed).await.unwrap();
    let copy = bed.path("artifacts/lob_data_uploads/manifest_run-1.json");
    assert!(!copy.exists());

    let before = bed.operations().len();
    bed.upload(&[]).await.expect(0);
    for request in &bed.s3.requests()[before..] {
        assert!(
            matches!(request.method.as_str(), "HEAD" | "GET"),
            "{request:?}"
        );
    }
    bed.assert_whole(&feeds);
    let copy = std::fs::read(copy).unwrap();
    assert_eq!(copy, bed.object("manifest.json").bytes);
}

async fn bed(weaknesses: Weaknesses) -> Bed {
    Bed::on(S3Options {
        weaknesses,
        ..S3Options::default()
    })
    .await
}

/// How many requests an undisturbed run takes, and its manifest.
async fn undisturbed(weaknesses: Weaknesses) -> (usize, Value) {
    let bed = bed(weaknesses).await;
    bed.feeds();
    bed.upload(&[]).await.expect(0);
    (bed.operations().len(), of_the_files(bed.manifest()))
}

/// Matches the `position`th request at this moment.
fn position(position: usize, at: Moment) -> impl FnMut(Moment, &Request) -> bool + Send + 'static {
    let mut count = 0;
    move |moment, _| {
        count += usize::from(moment == at);
        moment == at && count == position + 1
    }
}

/// Kills the process at a request and runs it again; returns whether the run existed before that.
async fn killed_at(weaknesses: Weaknesses, place: usize, at: Moment, whole: Value) -> bool {
    let bed = bed(weaknesses).await;
    let feeds = bed.feeds();
    let request = bed.kill_at(&[], position(place, at)).await;
    let request = request.unwrap();
    let published = bed.has_manifest();
    assert_eq!(
        published,
        writes(&request, "manifest.json") && at == Moment::Executed
    );
    completes(&bed, &feeds, &whole, &format!("{at:?} {request:?}")).await;
    published
}

/// Returns whether the rerun had as many requests as it takes to be killed too.
async fn killed_twice(first: usize, second: usize, whole: Value) -> bool {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    let mut killed = Vec::new();
    for place in [first, second] {
        killed.push(bed.kill_at(&[], position(place, Moment::Executed)).await);
    }
    assert!(killed[0].is_some(), "no request {first}");
    let was_killed_twice = killed[1].is_some();
    completes(&bed, &feeds, &whole, &format!("{killed:?}")).await;
    was_killed_twice
}

/// Runs the same command: the run must look as if nothing had happened.
async fn completes(bed: &Bed, feeds: &[(String, Vec<u8>)], whole: &Value, killed: &str) {
    let before = bed.operations().len();
    let rerun = bed.upload(&[]).await;
    let shown = format!("killed at {killed}: {}", rerun.shown());
    assert_eq!(rerun.status.code(), Some(0), "{shown}");
    bed.assert_whole(feeds);
    assert_eq!(of_the_files(bed.manifest()), *whole, "{shown}");
    // No part that the server already has is sent again.
    let requests = bed.s3.requests();
    let parts = |requests: &[Request]| -> Vec<(String, Option<u16>)> {
        let parts = requests.iter().filter(|request| {
            request.operation == Operation::UploadPart && request.status == Some(200)
        });
        parts
            .filter(|part| part.key.starts_with(RUN) && part.key.ends_with(".parquet"))
            .map(|part| (part.key.clone(), part.part_number))
            .collect()
    };
    let sent = parts(&requests[..before]);
    let again = parts(&requests[before..]);
    assert!(!again.iter().any(|part| sent.contains(part)), "{shown}");
}

fn of_the_files(manifest: Value) -> Value {
    without(manifest, &OF_THE_RUN)
}
