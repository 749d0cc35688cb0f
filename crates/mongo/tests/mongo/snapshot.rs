//! Scans at a point in the past return the documents as they were, or report that they cannot.

use bson::{RawDocumentBuf, doc};
use lob_mongo::{ClusterTime, Error, RangeSize, ScanOptions, ScanRange};
use lob_testkit::mongo::{Moment, MongoOptions, Verdict};

use crate::fixture::{Fixture, first, numbered, raw, read, read_with, small_replies};

const LONG_AGO: ClusterTime = ClusterTime {
    seconds: 1,
    increment: 1,
};

fn at(time: ClusterTime) -> ScanOptions {
    ScanOptions {
        at: Some(time),
        ..small_replies()
    }
}

#[tokio::test]
async fn every_range_is_read_as_of_the_snapshot() {
    let Some(fixture) = Fixture::alone().await else {
        return;
    };
    let documents = numbered(200);
    let collection = fixture.collection("split_1_input", &documents).await;
    let ranges = collection
        .cuts(0, RangeSize::Count(4))
        .await
        .unwrap()
        .ranges();
    let time = match collection.snapshot_time().await {
        Err(error) if !fixture.version.reads_snapshots() => {
            assert!(matches!(error, Error::NoSnapshots { .. }), "{error:?}");
            return fixture.close().await;
        }
        time => time.unwrap(),
    };

    let written = fixture.driver.collection::<RawDocumentBuf>("split_1_input");
    let changed = doc! { "$set": { "text": "changed" } };
    written
        .update_many(doc! { "_id": { "$mod": [3, 0] } }, changed)
        .await
        .unwrap();
    written
        .delete_many(doc! { "_id": { "$mod": [5, 0] } })
        .await
        .unwrap();
    written
        .insert_many((200..300).map(|id| raw(doc! { "_id": id })))
        .await
        .unwrap();

    // A lost cursor is reopened at the same time.
    let lost = fixture
        .fail(
            "split_1_input",
            &["find", "getMore"],
            5,
            doc! { "errorCode": 43 },
        )
        .await;
    let mut found = Vec::new();
    for range in ranges {
        let part = ScanRange { range, after: None };
        found.extend(read_with(&collection, part, at(time)).await.unwrap());
    }
    lost.end().await;
    assert_eq!(found, documents);
    assert_eq!(read(&collection).await.unwrap().len(), 200 - 40 + 100);
    fixture.close().await;
}

#[tokio::test]
async fn an_expired_snapshot_is_an_immediate_error() {
    let collection;
    let fixture;
    match Fixture::alone_if_real().await {
        Some(real) => {
            collection = real.collection("split_1_input", &numbered(10)).await;
            fixture = real;
        }
        None => {
            let forgotten = first("find", Moment::Arrived, 1, Verdict::Answer { code: 239 });
            fixture = Fixture::with_gate(forgotten).await;
            collection = fixture.collection("split_1_input", &numbered(10)).await;
        }
    }
    let scan = read_with(&collection, ScanRange::default(), at(LONG_AGO));
    let error = scan.await.unwrap_err();
    if fixture.version.reads_snapshots() {
        assert!(matches!(error, Error::SnapshotGone { .. }), "{error:?}");
        let hint = error.hint().unwrap();
        assert!(hint.contains("minSnapshotHistoryWindowInSeconds"));
    } else {
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    }
    fixture.close().await;
    lob_testkit::fault_fired("E6");
}

/// It may also be lost between two replies: then half the documents have been read.
#[tokio::test]
async fn a_snapshot_that_is_lost_during_a_scan_is_an_error_and_not_resumed() {
    for code in [239, 246] {
        let lost = first("getMore", Moment::Arrived, 1, Verdict::Answer { code });
        let fixture = Fixture::with_gate(lost).await;
        let collection = fixture.collection("split_1_input", &numbered(100)).await;
        let mut scan = collection.scan(ScanRange::default(), small_replies());
        assert!(scan.next().await.unwrap().is_some());
        let error = loop {
            match scan.next().await {
                Ok(batch) => assert!(batch.is_some(), "{code} is taken for the end"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::SnapshotGone { .. }), "{error:?}");
        let commands = fixture.testkit().commands();
        let finds = commands.iter().filter(|command| command.name == "find");
        assert_eq!(finds.count(), 1);
    }
    lob_testkit::fault_fired("E6");
}

#[tokio::test]
async fn a_server_without_snapshots_says_so() {
    let fixture = Fixture::with(MongoOptions::default()).await;
    let collection = fixture.collection("split_1_input", &numbered(1)).await;
    let error = collection.snapshot_time().await.unwrap_err();
    assert!(matches!(error, Error::NoSnapshots { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("--snapshot"));
}

#[test]
fn a_snapshot_time_reads_back_as_written() {
    let time = ClusterTime {
        seconds: 1_795_276_523,
        increment: 1018,
    };
    assert_eq!(time.to_string(), "Timestamp(1795276523, 1018)");
    let text = serde_json::to_string(&time).unwrap();
    assert_eq!(text, r#"{"seconds":1795276523,"increment":1018}"#);
    assert_eq!(serde_json::from_str::<ClusterTime>(&text).unwrap(), time);
}
