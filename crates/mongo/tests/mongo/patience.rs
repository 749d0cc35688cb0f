//! What passes by itself is waited for: by its code, or by the label that the server gives it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use lob_mongo::Error;
use lob_testkit::mongo::{Command, Moment, MongoOptions, Verdict};

use crate::fixture::{Fixture, batch, disconnect, first, numbered, read};

const NAME: &str = "split_1_input";
/// Locks and writes in the way, times that are over, members that do not answer, too many requests.
const PASSING: [i32; 10] = [24, 50, 64, 112, 117, 133, 202, 384, 462, 16500];
const LABELS: [&str; 3] = [
    "RetryableError",
    "RetryableWriteError",
    "SystemOverloadedError",
];
/// A code that says nothing of whether it passes.
const UNKNOWN: i32 = 8000;

/// A scan and an insert, each of whose kinds of commands is answered so once.
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
async fn what_passes_by_itself_is_waited_for() {
    for code in PASSING {
        survives(Verdict::Answer { code }).await.unwrap();
    }
}

#[tokio::test]
async fn a_label_of_the_server_says_that_a_command_may_be_sent_again() {
    for label in LABELS {
        let code = UNKNOWN;
        survives(Verdict::Labelled { code, label }).await.unwrap();
    }
    let error = survives(Verdict::Answer { code: UNKNOWN }).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    let label = "NoWritesPerformed";
    let other = survives(Verdict::Labelled {
        code: UNKNOWN,
        label,
    })
    .await;
    assert!(matches!(other, Err(Error::Refused { .. })), "{other:?}");
}

/// For how long, the unit tests of the pauses hold.
#[tokio::test]
async fn the_tools_wait_for_mongodb_as_long_as_for_s3() {
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
async fn a_drop_that_is_not_confirmed_in_time_is_repeated() {
    let late = first("drop", Moment::Executed, 1, Verdict::Answer { code: 64 });
    let fixture = Fixture::with_gate(late).await;
    fixture.staging().await.drop().await.unwrap();
    let dropped = fixture.testkit().commands().into_iter();
    assert_eq!(dropped.filter(|command| command.name == "drop").count(), 2);
}
