//! A real server interrupts inserts: every document is stored exactly once, or the insert fails.

use std::sync::atomic::{AtomicBool, Ordering};

use bson::{Document, RawDocumentBuf, doc};
use futures::StreamExt as _;
use lob_mongo::{Error, Server, Shared, Staging};
use lob_testkit::mongo::LosingProxy;
use lob_testkit::wait::until;

use crate::fixture::{Fixture, batch, numbered, patient_settings, real_server};
use crate::imports::STAGING;

/// Inserts all documents in small batches, some of them concurrently.
async fn insert_all(staging: &Staging, documents: &[RawDocumentBuf]) -> lob_mongo::Result<u64> {
    let batches: Vec<_> = documents.chunks(25).map(batch).collect();
    let mut inserting = futures::stream::iter(&batches)
        .map(|batch| staging.insert(batch))
        .buffer_unordered(4);
    let mut sum = 0;
    while let Some(inserted) = inserting.next().await {
        sum += inserted?;
    }
    Ok(sum)
}

/// Inserts while a real server does this to as many commands.
async fn under(fixture: &Fixture, commands: &[&str], times: i32, fault: Document) {
    let documents = numbered(500);
    let staging = fixture.staging().await;
    let point = fixture.fail(STAGING, commands, times, fault.clone()).await;
    let inserted = insert_all(&staging, &documents).await;
    point.end().await;
    assert_eq!(inserted.unwrap(), 500, "{fault}");
    assert_eq!(staging.count().await.unwrap(), 500, "{fault}");
    assert!(fixture.contents(STAGING).await == documents, "{fault}");
    staging.drop().await.unwrap();
}

#[tokio::test]
async fn inserts_survive_errors_and_closed_connections_of_a_real_server() {
    let Some(fixture) = Fixture::alone().await else {
        return;
    };
    for fault in [
        doc! { "errorCode": 91 },
        doc! { "errorCode": 189 },
        doc! { "errorCode": 11602 },
        doc! { "closeConnection": true },
        // Done, but not confirmed.
        doc! { "writeConcernError": { "code": 91, "errmsg": "going down" } },
        doc! { "writeConcernError": { "code": 64, "errmsg": "waiting timed out" } },
        doc! { "errorCode": 462, "errorLabels": ["SystemOverloadedError", "RetryableError"] },
        doc! { "errorCode": 8000, "errorLabels": ["RetryableError"] },
        doc! { "errorCode": 112, "errorLabels": ["RetryableWriteError"] },
        doc! { "errorCode": 24 },
        doc! { "errorCode": 50 },
        doc! { "errorCode": 202 },
    ] {
        under(&fixture, &["insert"], 3, fault).await;
    }
    // Four inserts at once, and then what looks for their documents.
    let lost = doc! { "closeConnection": true };
    under(&fixture, &["insert", "find"], 6, lost).await;
    fixture.close().await;
}

/// The server executes the inserts, whose connections then end without a word.
#[tokio::test]
async fn inserts_survive_lost_replies_of_a_real_server() {
    let Some(mut fixture) = Fixture::alone().await else {
        return;
    };
    let uri = real_server().unwrap();
    let address = uri.split('/').nth(2).unwrap();
    let address = address.rsplit('@').next().unwrap();
    let address = address.split(',').next().unwrap();
    let proxy = LosingProxy::start(address, "insert", 6).await.unwrap();
    let settings = patient_settings(&proxy.uri());
    let server = Server::connect(&settings, Shared::default()).await.unwrap();
    fixture.database = server.database(fixture.driver.name());
    let documents = numbered(500);
    let staging = fixture.staging().await;
    assert_eq!(insert_all(&staging, &documents).await.unwrap(), 500);
    assert_eq!(proxy.lost(), 6);
    assert_eq!(staging.count().await.unwrap(), 500);
    assert!(fixture.contents(STAGING).await == documents);
    fixture.close().await;
    lob_testkit::fault_fired("E3");
}

#[tokio::test]
async fn an_unconfirmed_write_concern_on_a_real_server_is_an_error() {
    let Some(fixture) = Fixture::alone().await else {
        return;
    };
    let staging = fixture.staging().await;
    let late = doc! { "writeConcernError": { "code": 100, "errmsg": "not enough members" } };
    let documents = numbered(500);
    let point = fixture.fail(STAGING, &["insert"], 1, late).await;
    let error = insert_all(&staging, &documents).await.unwrap_err();
    point.end().await;
    assert!(matches!(error, Error::WriteConcern { .. }), "{error:?}");
    assert_eq!(insert_all(&staging, &documents).await.unwrap(), 500);
    assert!(fixture.contents(STAGING).await == documents);
    fixture.close().await;
    lob_testkit::fault_fired("E7");
}

#[tokio::test]
async fn inserts_survive_a_primary_that_steps_down() {
    let Some(fixture) = Fixture::alone().await else {
        return;
    };
    let documents = numbered(20_000);
    let staging = fixture.staging().await;
    let admin = fixture.driver.client().database("admin");
    let step_down = doc! { "replSetStepDown": 2, "secondaryCatchUpPeriodSecs": 0, "force": true };
    let is_over = AtomicBool::new(false);
    let stepping = async {
        until("the first documents are stored", async || {
            staging.count().await.unwrap() > 0
        })
        .await;
        admin.run_command(step_down).await.unwrap();
        assert!(!is_over.load(Ordering::Relaxed), "nothing was left to do");
    };
    let inserting = async {
        let inserted = insert_all(&staging, &documents).await;
        is_over.store(true, Ordering::Relaxed);
        inserted
    };
    let (inserted, ()) = tokio::join!(inserting, stepping);
    assert_eq!(inserted.unwrap(), 20_000);
    assert_eq!(staging.count().await.unwrap(), 20_000);
    assert!(fixture.contents(STAGING).await == documents);
    fixture.close().await;
    lob_testkit::fault_fired("E1");
}
