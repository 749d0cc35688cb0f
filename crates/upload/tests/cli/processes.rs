//! Two processes of one run at once: whatever their order, there is one manifest with the right
//! bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use lob_testkit::s3::{
    Conditions, Gate, Moment, Operation, Request, S3Options, Verdict, Weaknesses,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::bed::{Bed, RUN, finish};

const BIG: &str = "2025/big.parquet";
/// How many beds run concurrently.
const AT_ONCE: usize = 3;

/// Holds the requests of one operation for one object until there are two, or one process has
/// ended.
struct Together {
    operation: Operation,
    name: &'static str,
    at: Moment,
    seen: Arc<AtomicUsize>,
    open: Arc<Semaphore>,
}

#[async_trait]
impl Gate for Together {
    async fn decide(&self, moment: Moment, request: &Request) -> Verdict {
        let chosen = moment == self.at
            && request.operation == self.operation
            && request.key == format!("{RUN}/{}", self.name);
        if chosen {
            if self.seen.fetch_add(1, Ordering::Relaxed) == 1 {
                self.open.add_permits(1);
            }
            self.open.acquire().await.unwrap().forget();
            self.open.add_permits(1);
        }
        Verdict::Pass
    }

    /// The test looks at what was seen.
    fn must_strike(&self) -> bool {
        false
    }
}

/// Asserts that two processes succeed and that the run is whole.
async fn both_succeed(bed: &Bed, met: &str, open: &Semaphore) {
    let feeds = &bed.feeds();
    let process = async || {
        let finished = finish(bed.start(&[])).await;
        open.add_permits(1);
        finished
    };
    let (one, other) = tokio::join!(process(), process());
    for finished in [one, other] {
        assert_eq!(
            finished.status.code(),
            Some(0),
            "{met}: {}",
            finished.shown()
        );
    }
    bed.assert_whole(feeds);
    let commits = bed.asked(Operation::PutObject, "manifest.json", 0);
    let published = commits.iter().filter(|put| put.status == Some(200));
    assert_eq!(published.count(), 1);
    let copy = std::fs::read(bed.path("artifacts/lob_data_uploads/manifest_run-1.json"));
    assert_eq!(copy.unwrap(), bed.object("manifest.json").bytes);
}

#[tokio::test]
async fn two_processes_of_one_run_both_succeed() {
    let bed = Bed::new().await;
    both_succeed(&bed, "anywhere", &Semaphore::new(0)).await;
}

#[tokio::test]
async fn two_processes_that_meet_at_any_step_both_succeed() {
    for (operation, name, at) in [
        // Both see that there is no plan.
        (
            Operation::GetObject,
            "_progress/plan.json",
            Moment::Executed,
        ),
        (Operation::PutObject, "_progress/plan.json", Moment::Arrived),
        (
            Operation::CreateMultipartUpload,
            "_progress/plan.json",
            Moment::Executed,
        ),
        // Two uploads of one object, or one that both resume.
        (Operation::CreateMultipartUpload, BIG, Moment::Executed),
        (Operation::UploadPart, BIG, Moment::Arrived),
        (Operation::CompleteMultipartUpload, BIG, Moment::Arrived),
        (Operation::PutObject, "none.parquet", Moment::Arrived),
        (Operation::HeadObject, "none.parquet", Moment::Executed),
        (Operation::PutObject, "manifest.json", Moment::Arrived),
    ] {
        let open = Arc::new(Semaphore::new(0));
        let seen = Arc::new(AtomicUsize::new(0));
        let together = Together {
            operation,
            name,
            at,
            seen: Arc::clone(&seen),
            open: Arc::clone(&open),
        };
        let bed = Bed::gated(together).await;
        both_succeed(&bed, &format!("{operation:?} of {name}"), &open).await;
        let seen = seen.load(Ordering::Relaxed);
        assert!(seen > 0, "no {operation:?} of {name}");
    }
    lob_testkit::fault_fired("C9");
}

#[tokio::test]
async fn a_process_overtaken_at_any_request_succeeds() {
    let requests = {
        let bed = Bed::new().await;
        bed.feeds();
        bed.upload(&[]).await.expect(0);
        bed.operations().len()
    };
    let mut beds = JoinSet::new();
    for position in 0..requests {
        if beds.len() == AT_ONCE {
            beds.join_next().await.unwrap().unwrap();
        }
        let mut count = 0;
        beds.spawn(overtaken_at(Weaknesses::default(), move |_| {
            count += 1;
            count == position + 1
        }));
    }
    beds.join_all().await;
}

#[tokio::test]
async fn an_overtaken_process_leaves_no_upload_if_complete_ignores_conditions() {
    let weak = Weaknesses {
        conditions: Conditions::IgnoredOnComplete,
        ..Weaknesses::default()
    };
    let create = |request: &Request| {
        request.operation == Operation::CreateMultipartUpload && request.key.ends_with(BIG)
    };
    overtaken_at(weak, create).await;
}

/// Holds the first process at a request until the second one has done everything.
async fn overtaken_at(
    weaknesses: Weaknesses,
    mut chosen: impl FnMut(&Request) -> bool + Send + 'static,
) {
    let bed = Bed::on(S3Options {
        weaknesses,
        ..S3Options::default()
    })
    .await;
    let feeds = bed.feeds();
    let mut held = bed
        .trap
        .set(move |moment, request| moment == Moment::Arrived && chosen(request));
    let slow = bed.start(&[]);
    let request = held.request().await;
    let fast = bed.upload(&[]).await;
    held.release();
    let slow = finish(slow).await;
    for finished in [fast, slow] {
        let shown = finished.shown();
        assert_eq!(finished.status.code(), Some(0), "{request:?}: {shown}");
    }
    bed.assert_whole(&feeds);
}
