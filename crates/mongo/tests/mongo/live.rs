//! What a scan promises during concurrent writes: a document that exists throughout comes exactly
//! once, in a version that it had, and any other at most once.

use std::collections::BTreeMap;
use std::sync::Arc;

use bson::{Document, RawDocumentBuf, doc};
use lob_mongo::{RangeSize, ScanRange};
use lob_testkit::mongo::{MongoOptions, RandomFaults};

use crate::fixture::{Fixture, raw, small_replies};

const IDS: i32 = 600;
const COLLECTION: &str = "split_1_input";

/// What happens to a document during the scan, by its `_id`.
#[derive(Clone, Copy, PartialEq)]
enum Life {
    Stays,
    Changes,
    Ends,
    Begins,
}

fn life(id: i32) -> Life {
    [Life::Stays, Life::Changes, Life::Ends, Life::Begins][id as usize % 4]
}

/// A document in one of its versions, which differ in size.
fn document(id: i32, version: i32) -> RawDocumentBuf {
    raw(doc! { "_id": id, "version": version, "text": "x".repeat(60 + version as usize % 50) })
}

/// The next write command; `step` becomes the version.
fn write(step: i32) -> Option<Document> {
    // Every `_id` in turn, far from the previous one.
    let id = step * 37 % IDS;
    let new = Document::try_from(document(id, step)).unwrap();
    Some(match life(id) {
        Life::Stays => return None,
        Life::Changes => {
            doc! { "update": COLLECTION, "updates": [{ "q": { "_id": id }, "u": new }] }
        }
        Life::Ends => {
            doc! { "delete": COLLECTION, "deletes": [{ "q": { "_id": id }, "limit": 1 }] }
        }
        // The second time it is a duplicate, which is a reply as good as any.
        Life::Begins => doc! { "insert": COLLECTION, "documents": [new] },
    })
}

#[tokio::test]
async fn a_document_comes_once_if_it_exists_throughout_else_at_most_once() {
    let faults = Arc::new(RandomFaults::new(1, 0.1).on(&["getMore"]));
    let gate = Some(Arc::clone(&faults) as _);
    let real = Fixture::alone_if_real().await;
    let is_real = real.is_some();
    let fixture = match real {
        Some(real) => real,
        None => {
            Fixture::patient(MongoOptions {
                gate,
                ..<_>::default()
            })
            .await
        }
    };
    let first = (0..IDS).filter(|&id| life(id) != Life::Begins);
    let first: Vec<_> = first.map(|id| document(id, 0)).collect();
    let collection = fixture.collection(COLLECTION, &first).await;
    let ranges = collection
        .cuts(0, RangeSize::Count(5))
        .await
        .unwrap()
        .ranges();
    let lost_cursor = doc! { "errorCode": 43 };
    let real_faults = match is_real {
        true => Some(fixture.fail(COLLECTION, &["getMore"], 5, lost_cursor).await),
        false => None,
    };

    let scan = |range| collection.scan(ScanRange { range, after: None }, small_replies());
    let mut scans: Vec<_> = ranges.into_iter().map(scan).collect();
    let (mut found, mut step) = (BTreeMap::<i32, Vec<i32>>::new(), 0);
    // In turn: the next documents of a range, then some writes anywhere.
    while !scans.is_empty() {
        let mut left = Vec::new();
        for mut scan in scans {
            if let Some(batch) = scan.next().await.unwrap() {
                for document in batch.documents().unwrap() {
                    let document = document.unwrap();
                    let number = |field| document.get_i32(field).unwrap();
                    let (id, version) = (number("_id"), number("version"));
                    assert_eq!(*document, *self::document(id, version));
                    found.entry(id).or_default().push(version);
                }
                left.push(scan);
            }
            for _ in 0..8 {
                step += 1;
                if let Some(write) = write(step) {
                    fixture.driver.run_command(write).await.unwrap();
                }
            }
        }
        scans = left;
    }
    match real_faults {
        Some(real) => real.end().await,
        None => assert!(faults.counts().faults() > 0),
    }
    assert!(step > IDS, "{step} writes");

    for id in 0..IDS {
        let versions = found.remove(&id).unwrap_or_default();
        let had = |&version: &i32| version == 0 || version <= step && version * 37 % IDS == id;
        assert!(versions.iter().all(had), "{id}: {versions:?}");
        match life(id) {
            Life::Stays => assert_eq!(versions, [0], "{id}"),
            Life::Changes => assert_eq!(versions.len(), 1, "{id}: {versions:?}"),
            Life::Ends | Life::Begins => assert!(versions.len() <= 1, "{id}: {versions:?}"),
        }
    }
    assert!(found.is_empty(), "{found:?}");
    fixture.close().await;
    lob_testkit::fault_fired("E13");
}
