//! Uploads lost after their record was written: the documents are scanned again, whatever has
//! become of them meanwhile and whoever else does the same.

use bson::{RawDocumentBuf, rawdoc};
use lob_testkit::s3::{Moment, Operation, Request, Verdict};
use lob_testkit::split_documents::SplitDocuments;

use crate::bed::{BUCKET, Bed, RUN, SMALL, arrives, assert_not_resumed_midway, is};

const FIRST: &str = "split_0.parquet/part-00000-00000.parquet";

fn completes(moment: Moment, request: &Request) -> bool {
    moment == Moment::Arrived && is(request, Operation::CompleteMultipartUpload, FIRST)
}

/// Gives the document with the smallest `_id` another value.
fn change_first(bed: &Bed) {
    let first = SplitDocuments::new(0, 4).next().unwrap();
    let id = first.get("_id").unwrap().unwrap();
    let id = bson::RawBson::from(id);
    let mut changed = RawDocumentBuf::new();
    changed.append(bson::raw::cstr!("_id"), id.clone());
    changed.append(
        bson::raw::cstr!("changed"),
        "a text that no other document has",
    );
    bed.mongo.run(&rawdoc! {
        "update": "split_0_input",
        "updates": [{ "q": { "_id": id }, "u": changed }],
        "$db": "raw",
    });
}

#[tokio::test]
async fn a_worker_whose_upload_is_always_lost_does_not_claim_success() {
    let bed = Bed::gated(|moment: Moment, request: &Request| {
        if completes(moment, request) {
            let (status, code) = (404, "NoSuchUpload");
            return Verdict::Answer { status, code };
        }
        Verdict::Pass
    })
    .await;
    bed.export(&[&SMALL[..], &["plan"]].concat())
        .await
        .expect(0);
    let output = bed.export(&["work"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", output.shown());
}

#[tokio::test]
async fn a_process_overtaken_with_changed_documents_continues() {
    let bed = Bed::new().await;
    let mut overtaken = bed.trap.set(completes);
    let slow = bed.start(&SMALL);
    overtaken.request().await;
    change_first(&bed);
    let mut lost = bed.trap.set(completes);
    let fast = bed.start(&SMALL);
    lost.request().await;
    lost.answer(404, "NoSuchUpload");
    crate::bed::finish(fast).await.expect(0);
    let manifest = bed.manifest();
    overtaken.release();
    crate::bed::finish(slow).await.expect(0);
    bed.assert_whole(&manifest);
}

#[tokio::test]
async fn a_commit_that_sees_a_record_replaced_uses_the_new_one() {
    let bed = Bed::new().await;
    let committing = arrives(Operation::PutObject, "manifest.json");
    bed.kill_at(&SMALL, committing).await.unwrap();
    assert!(bed.s3.remove(BUCKET, &format!("{RUN}/{FIRST}")));
    change_first(&bed);
    let mut asking = bed.trap.set(arrives(Operation::HeadObject, FIRST));
    let commit = bed.start(&["commit"]);
    asking.request().await;
    bed.export(&["work"]).await.expect(0);
    asking.release();
    crate::bed::finish(commit).await.expect(0);
    bed.assert_whole(&bed.manifest());
}

#[tokio::test]
async fn a_collection_readable_only_in_one_piece_is_not_partly_rescanned() {
    let bed = Bed::in_one_piece().await;
    let mut lost = bed.trap.set(completes);
    let export = bed.start(&SMALL[2..]);
    lost.request().await;
    lost.answer(404, "NoSuchUpload");
    assert_not_resumed_midway(crate::bed::finish(export).await);
    bed.assert_no_manifest();
}
