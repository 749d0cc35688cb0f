//! A real server interrupts inserts: every document is stored exactly once, or the insert fails.

use bson::{Document, RawDocumentBuf, doc};
use futures::StreamExt as _;
use lob_mongo::{Error, Staging};

use crate::fixture::{Fixture, batch, numbered};
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

/// Inserts while a real server does this to a fifth of the commands, repeating until one of them
/// fails.
async fn under(fixture: &Fixture, commands: &[&str], fault: Document) {
    let documents = numbered(500);
    for _ in 0..50 {
        let staging = fixture.staging().await;
        let point = fixture.fail(STAGING, commands, fault.clone()).await;
        let inserted = insert_all(&staging, &documents).await;
        let failures = point.end().await;
        assert_eq!(inserted.unwrap(), 500, "{fault}");
        assert_eq!(staging.count().await.unwrap(), 500, "{fault}");
        assert!(fixture.contents(STAGING).await == documents, "{fault}");
        staging.drop().await.unwrap();
        if failures > 0 {
            return;
        }
    }
    panic!("no {fault} on {commands:?}");
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
    ] {
        under(&fixture, &["insert"], fault.clone()).await;
    }
    let lost = doc! { "closeConnection": true };
    under(&fixture, &["insert", "find", "getMore", "count"], lost).await;
    fixture.close().await;
}

#[tokio::test]
async fn an_unconfirmed_write_concern_on_a_real_server_is_an_error() {
    let Some(fixture) = Fixture::alone().await else {
        return;
    };
    let staging = fixture.staging().await;
    let late = doc! { "writeConcernError": { "code": 100, "errmsg": "not enough members" } };
    let documents = numbered(500);
    let mut refused = 0;
    while refused == 0 {
        let point = fixture.fail(STAGING, &["insert"], late.clone()).await;
        let inserted = insert_all(&staging, &documents).await;
        if point.end().await > 0 {
            let error = inserted.unwrap_err();
            assert!(matches!(error, Error::WriteConcern { .. }), "{error:?}");
            refused += 1;
        }
    }
    assert_eq!(insert_all(&staging, &documents).await.unwrap(), 500);
    assert!(fixture.contents(STAGING).await == documents);
    fixture.close().await;
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
    let stepping = async {
        // Not before the first batches are stored.
        while staging.count().await.unwrap() == 0 {}
        admin.run_command(step_down).await.unwrap();
    };
    let (inserted, ()) = tokio::join!(insert_all(&staging, &documents), stepping);
    assert_eq!(inserted.unwrap(), 20_000);
    assert_eq!(staging.count().await.unwrap(), 20_000);
    assert!(fixture.contents(STAGING).await == documents);
    fixture.close().await;
}
