//! A real server interrupts scans. `scan.rs` shows on the testkit's server what it can be made to
//! do; this shows that a real one does nothing else.

use bson::{RawDocumentBuf, doc};
use lob_mongo::{Scan, ScanOptions};

use crate::fixture::{Fixture, numbered, read, read_with, small_replies};

/// The next documents of a scan, `None` at its end.
async fn next_documents(scan: &mut Scan) -> Option<Vec<RawDocumentBuf>> {
    let batch = scan.next().await.unwrap()?;
    let documents = batch.documents().unwrap();
    Some(documents.map(|d| d.unwrap().to_owned()).collect())
}

#[tokio::test]
async fn scans_survive_errors_and_closed_connections_of_a_real_server() {
    let Some(fixture) = Fixture::alone().await else {
        return;
    };
    let documents = numbered(60);
    let collection = fixture.collection("split_1_input", &documents).await;
    for fault in [
        doc! { "errorCode": 43 },
        doc! { "errorCode": 91 },
        doc! { "errorCode": 189 },
        doc! { "errorCode": 11602 },
        doc! { "errorCode": 50 },
        doc! { "errorCode": 136 },
        doc! { "errorCode": 462, "errorLabels": ["SystemOverloadedError", "RetryableError"] },
        doc! { "closeConnection": true },
    ] {
        for command in ["find", "getMore"] {
            let point = fixture
                .fail(collection.name(), &[command], 2, fault.clone())
                .await;
            assert_eq!(read(&collection).await.unwrap(), documents, "{fault}");
            point.end().await;
        }
    }
    fixture.close().await;
}

#[tokio::test]
async fn a_primary_that_steps_down_is_waited_for() {
    let Some(fixture) = Fixture::alone().await else {
        return;
    };
    let documents = numbered(400);
    let collection = fixture.collection("split_1_input", &documents).await;
    let at = match fixture.version.reads_snapshots() {
        true => Some(collection.snapshot_time().await.unwrap()),
        false => None,
    };
    let mut scan = collection.scan(<_>::default(), small_replies());
    let mut found = next_documents(&mut scan).await.unwrap();
    let admin = fixture.driver.client().database("admin");
    let step_down = doc! { "replSetStepDown": 2, "secondaryCatchUpPeriodSecs": 0, "force": true };
    admin.run_command(step_down).await.unwrap();

    assert_eq!(read(&collection).await.unwrap(), documents);
    let options = ScanOptions {
        at,
        ..small_replies()
    };
    let before = read_with(&collection, <_>::default(), options).await;
    assert_eq!(before.unwrap(), documents);
    while let Some(documents) = next_documents(&mut scan).await {
        found.extend(documents);
    }
    assert_eq!(found, documents);
    fixture.close().await;
    lob_testkit::fault_fired("E1");
}

/// What an administrator does to a slow consumer, and what the server does to a session that has
/// been idle for 30 minutes.
#[tokio::test]
async fn a_scan_whose_session_the_server_ends_goes_on() {
    let Some(fixture) = Fixture::alone().await else {
        return;
    };
    let documents = numbered(400);
    let collection = fixture.collection("split_1_input", &documents).await;
    let mut scan = collection.scan(<_>::default(), small_replies());
    let mut found = next_documents(&mut scan).await.unwrap();
    let admin = fixture.driver.client().database("admin");
    let open = async || {
        let status = admin.run_command(doc! { "serverStatus": 1 }).await.unwrap();
        let cursors = status
            .get_document("metrics")
            .unwrap()
            .get_document("cursor")
            .unwrap();
        let open = cursors.get_document("open").unwrap();
        open.get_i64("total").unwrap()
    };
    assert!(open().await > 0, "no cursor to lose");
    let all = doc! { "killAllSessions": [] };
    admin.run_command(all).await.unwrap();
    while let Some(documents) = next_documents(&mut scan).await {
        found.extend(documents);
    }
    assert_eq!(found, documents);
    fixture.close().await;
    lob_testkit::fault_fired("E5");
}
