//! Transient failures are waited out, recognized by their code or by the server's label.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lob_core::metrics::Commands;
use lob_core::settings::ByteSize;
use lob_core::store::Bandwidth;
use lob_mongo::{Error, Server, Shared};
use lob_testkit::mongo::{Command, Moment, MongoOptions, Verdict};

use crate::fixture::{Fixture, batch, disconnect, first, numbered, read, settings};

const NAME: &str = "split_1_input";
/// Conflicting locks and writes, expired time limits, members that do not answer, lost positions,
/// too many requests.
const PASSING: [i32; 11] = [24, 50, 64, 112, 117, 133, 136, 202, 384, 462, 16500];
const LABELS: [&[&str]; 4] = [
    &["RetryableError"],
    &["RetryableWriteError"],
    &["SystemOverloadedError"],
    &[
        "NoWritesPerformed",
        "SystemOverloadedError",
        "RetryableError",
    ],
];
/// A code that does not tell whether the failure is transient.
const UNKNOWN: i32 = 8000;

/// Runs a scan and an insert; each kind of command in them gets this answer once.
async fn survives(verdict: Verdict) -> lob_mongo::Result<()> {
    let answered = Mutex::new(HashSet::new());
    let gate = move |moment: Moment, command: &Command| {
        let is_data = command.collection.as_deref() == Some(NAME)
            || command.arguments.get_bool("ordered").is_ok();
        let is_first = moment == Moment::Arrived
            && is_data
            && ["find", "getMore", "insert"].contains(&command.name.as_str())
            && answered.lock().unwrap().insert(command.name.clone());
        if is_first { verdict } else { Verdict::Pass }
    };
    let fixture = Fixture::with(MongoOptions {
        gate: Some(Arc::new(gate)),
        ..<_>::default()
    });
    let fixture = fixture.await;
    let documents = numbered(60);
    fixture
        .testkit()
        .load(fixture.database.name(), NAME, documents.clone())
        .unwrap();
    let found = read(&fixture.find(NAME).await).await?;
    assert!(found == documents, "{verdict:?}");
    let staging = fixture.staging().await;
    staging.insert(&batch(&documents)).await?;
    assert_eq!(staging.count().await.unwrap(), 60, "{verdict:?}");
    Ok(())
}

#[tokio::test]
async fn transient_failures_are_waited_out() {
    for code in PASSING {
        survives(Verdict::Answer { code }).await.unwrap();
    }
    lob_testkit::fault_fired("E10");
}

#[tokio::test]
async fn a_command_is_retried_if_the_server_labels_its_error_as_retryable() {
    for labels in LABELS {
        let code = UNKNOWN;
        survives(Verdict::Labelled { code, labels }).await.unwrap();
    }
    let error = survives(Verdict::Answer { code: UNKNOWN }).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    let other = survives(Verdict::Labelled {
        code: UNKNOWN,
        labels: &["NoWritesPerformed"],
    })
    .await;
    assert!(matches!(other, Err(Error::Refused { .. })), "{other:?}");
    lob_testkit::fault_fired("E10");
}

/// The unit tests of the pauses cover how long.
#[tokio::test]
async fn the_tools_wait_as_long_for_mongodb_as_for_s3() {
    let settings = lob_mongo::MongoSettings::default();
    assert_eq!(settings.mongodb_retry_timeout.as_secs(), 20 * 60);
    let fixture = Fixture::patient(MongoOptions {
        gate: Some(Arc::new(disconnect("count", Moment::Arrived, 3))),
        ..<_>::default()
    });
    let fixture = fixture.await;
    let collection = fixture.collection(NAME, &numbered(3)).await;
    assert_eq!(collection.exact_count().await.unwrap(), 3);
}

#[tokio::test]
async fn a_drop_that_is_not_confirmed_in_time_is_retried() {
    let late = first("drop", Moment::Executed, 1, Verdict::Answer { code: 64 });
    let fixture = Fixture::with_gate(late).await;
    fixture.staging().await.drop().await.unwrap();
    let dropped = fixture.testkit().commands().into_iter();
    assert_eq!(dropped.filter(|command| command.name == "drop").count(), 2);
}

#[tokio::test]
async fn every_command_is_counted_with_its_retries_documents_and_bytes() {
    let is_answered = AtomicBool::new(false);
    let fixture = Fixture::with_gate(move |moment: Moment, command: &Command| {
        let is_find = moment == Moment::Arrived && command.name == "find";
        match is_find && !is_answered.swap(true, Ordering::Relaxed) {
            true => Verdict::Answer { code: 91 },
            false => Verdict::Pass,
        }
    });
    let fixture = fixture.await;
    let documents = numbered(60);
    let (testkit, name) = (fixture.testkit(), fixture.database.name());
    testkit.load(name, NAME, documents.clone()).unwrap();
    let commands = Commands::default();
    let server = Server::connect(&settings(&testkit.uri()), Shared::default())
        .await
        .unwrap();
    let database = server.counted_by(&commands).database(name);
    let collection = database.collection(NAME).await.unwrap().unwrap();
    let found = read(&collection).await.unwrap();
    assert!(found == documents);

    let counted = commands.snapshot();
    let find = &counted["find"];
    assert_eq!((find.documents, find.retries), (60, 1));
    assert_eq!(find.errors["ShutdownInProgress"], 1);
    // One that fails, one that opens the cursor, and further replies.
    assert!(find.requests > 3, "{find:?}");
    let bytes: usize = documents.iter().map(|d| d.as_bytes().len()).sum();
    assert!(find.bytes_received > bytes as u64, "{find:?}");
    // Whether the collection exists, and whether it is still the same at the end.
    assert_eq!(counted["listCollections"].documents, 2);
}

#[tokio::test]
async fn the_bandwidth_limit_holds_for_scans_and_inserts() {
    let mut fixture = Fixture::with(MongoOptions::default()).await;
    let documents: Vec<_> = (0..60)
        .map(|i| bson::rawdoc! { "_id": i, "text": "x".repeat(5000) })
        .collect();
    let (uri, name) = (fixture.testkit().uri(), fixture.database.name().to_owned());
    let loaded = fixture.testkit().load(&name, NAME, documents.clone());
    loaded.unwrap();
    let bandwidth = Bandwidth::of(Some(ByteSize::b(1_000_000))).unwrap();
    let server = Server::connect(&settings(&uri), Shared::default())
        .await
        .unwrap();
    fixture.database = server.paced_by(bandwidth).database(&name);
    let collection = fixture.find(NAME).await;
    // 300 kB, of which the first slice goes at once.
    let begin = Instant::now();
    assert!(read(&collection).await.unwrap() == documents);
    assert!(begin.elapsed() >= Duration::from_millis(240));
    let staging = fixture.staging().await;
    let begin = Instant::now();
    staging.insert(&batch(&documents)).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(240));
}
