//! Ctrl-C and SIGTERM: open uploads are aborted and nothing is published.

use lob_testkit::parquet_files::FeedSize;
use lob_testkit::s3::{Moment, Operation, Request, Verdict};
use tokio::sync::mpsc::unbounded_channel;

use crate::bed::{Bed, Finished, assert_shown, finish};

/// Sends `signal` while one request of this operation is held for ever.
async fn interrupted(signal: &str, operation: Operation, size: FeedSize) -> (Bed, Finished) {
    let (arrived, mut arrivals) = unbounded_channel();
    let hold = move |moment: Moment, request: &Request| {
        let data = request.key.ends_with(".parquet") && request.operation == operation;
        if data && moment == Moment::Arrived {
            arrived.send(()).unwrap();
            return Verdict::Hold;
        }
        Verdict::Pass
    };
    let bed = Bed::gated(hold).await;
    bed.feed("a.parquet", size);
    let child = bed.start(&[]);
    arrivals.recv().await.unwrap();
    let pid = child.id().unwrap().to_string();
    let killed = tokio::process::Command::new("kill")
        .args([signal, &pid])
        .status()
        .await
        .unwrap();
    assert!(killed.success());
    let finished = finish(child).await;
    bed.assert_nothing_published();
    (bed, finished)
}

#[tokio::test]
async fn an_interrupt_aborts_what_is_open() {
    let size = FeedSize::Bytes(6 << 20);
    let (bed, finished) = interrupted("-INT", Operation::UploadPart, size).await;
    assert_shown!(finished, @r#"
    exit status: 130
    ----- stdout -----
    ----- stderr -----
    error: interrupted
    "#);
    assert_eq!(
        bed.operations().last(),
        Some(&Operation::AbortMultipartUpload)
    );
}

#[tokio::test]
async fn a_termination_has_its_own_status() {
    let size = FeedSize::Bytes(6 << 20);
    let (_, finished) = interrupted("-TERM", Operation::UploadPart, size).await;
    finished.expect(143);
}

#[tokio::test]
async fn an_interrupt_does_not_wait_for_a_file_of_one_request() {
    let (_, finished) = interrupted("-INT", Operation::PutObject, FeedSize::Rows(10)).await;
    finished.expect(130);
}
