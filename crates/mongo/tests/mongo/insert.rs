//! An insert returns only once every document is stored, unchanged and exactly once.

use std::sync::Arc;

use bson::{RawDocumentBuf, doc};
use lob_core::failure::ExitStatus;
use lob_mongo::{Blueprint, Entries, Error, Staging, WriteSettings};
use lob_testkit::mongo::{Command, Deployment, Moment, MongoOptions, Verdict};

use crate::fixture::{Fixture, batch, disconnect, every_id, hard_to_keep, numbered, raw};
use crate::imports::{STAGING, import_of};

#[tokio::test]
async fn documents_are_stored_byte_for_byte() {
    let fixture = Fixture::new().await;
    for (manifest, mut documents) in [("a", hard_to_keep()), ("b", every_id())] {
        documents.retain(|document| fixture.version.keeps(document));
        let (empty, _) = fixture.staging_of(&import_of(manifest)).await;
        assert_eq!(
            empty.insert(&batch(&documents)).await.unwrap(),
            documents.len() as u64
        );
        assert_eq!(empty.count().await.unwrap(), documents.len() as u64);
        assert_eq!(fixture.contents(STAGING).await, documents);
    }
    fixture.close().await;
}

#[tokio::test]
async fn a_document_that_the_server_would_not_preserve_is_refused() {
    let fixture = Fixture::new().await;
    for (number, document) in hard_to_keep().iter().enumerate() {
        let (staging, _) = fixture.staging_of(&import_of(&number.to_string())).await;
        let inserted = staging.insert(&batch([document])).await;
        let is_kept = fixture.version.keeps(document);
        assert_eq!(inserted.is_ok(), is_kept, "{inserted:?}");
        assert_eq!(staging.count().await.unwrap(), u64::from(is_kept));
    }
    fixture.close().await;
}

#[tokio::test]
async fn an_id_that_is_not_utf_8_is_read_back_after_a_lost_reply() {
    let gate = second_insert(Moment::Executed, Verdict::Disconnect);
    let fixture = Fixture::with_gate(gate).await;
    let mut bytes = raw(doc! { "_id": "ab" }).into_bytes();
    let at = bytes.windows(2).position(|two| two == b"ab").unwrap();
    bytes[at] = 0xff;
    let documents = [
        RawDocumentBuf::from_bytes(bytes).unwrap(),
        raw(doc! { "_id": 1 }),
    ];
    let staging = fixture.staging().await;
    assert_eq!(staging.insert(&batch(&documents)).await.unwrap(), 2);
    assert_eq!(staging.count().await.unwrap(), 2);
}

#[tokio::test]
async fn a_document_of_16_mebibytes_is_stored() {
    let fixture = Fixture::new().await;
    let frame = raw(doc! { "_id": 1, "text": "" }).as_bytes().len();
    let document = raw(doc! { "_id": 1, "text": "x".repeat(16 * 1024 * 1024 - frame) });
    let staging = fixture.staging().await;
    staging.insert(&batch([&document])).await.unwrap();
    // Again, as after a lost reply: it is compared with what is stored.
    staging.insert(&batch([&document])).await.unwrap();
    assert!(fixture.contents(STAGING).await == [document]);
    fixture.close().await;
}

#[tokio::test]
async fn a_hundred_thousand_documents_fit_into_one_command() {
    let fixture = Fixture::new().await;
    let documents: Vec<RawDocumentBuf> = (0..100_000).map(|i| raw(doc! { "_id": i })).collect();
    let staging = fixture.staging().await;
    assert_eq!(staging.insert(&batch(&documents)).await.unwrap(), 100_000);
    assert_eq!(staging.insert(&batch(&documents)).await.unwrap(), 100_000);
    assert_eq!(staging.count().await.unwrap(), 100_000);
    fixture.close().await;
}

#[tokio::test]
async fn a_lost_reply_is_settled_whether_or_not_the_insert_took_effect() {
    for moment in [Moment::Arrived, Moment::Executed] {
        // The very first insert asks what the server knows.
        let fixture = Fixture::with_gate(second_insert(moment, Verdict::Disconnect)).await;
        let documents = numbered(50);
        let staging = fixture.staging().await;
        assert_eq!(staging.insert(&batch(&documents)).await.unwrap(), 50);
        assert_eq!(fixture.contents(STAGING).await, documents);
    }
    lob_testkit::fault_fired("E3");
}

/// A standalone has no retryable writes: what it executed shows only in what it stores.
#[tokio::test]
async fn a_lost_reply_of_a_standalone_is_settled_too() {
    for moment in [Moment::Arrived, Moment::Executed] {
        let gate = second_insert(moment, Verdict::Disconnect);
        let fixture = Fixture::with(MongoOptions {
            deployment: Deployment::Standalone,
            gate: Some(Arc::new(gate)),
            ..<_>::default()
        })
        .await;
        let documents = numbered(50);
        let staging = fixture.staging().await;
        assert_eq!(staging.insert(&batch(&documents)).await.unwrap(), 50);
        assert_eq!(fixture.contents(STAGING).await, documents);
        let commands = fixture.testkit().commands();
        let inserts: Vec<_> = commands.iter().filter(|c| is_insert(c)).collect();
        assert!(inserts.len() > 1, "it was sent once only");
        for insert in inserts {
            assert!(insert.arguments.get("txnNumber").unwrap().is_none());
        }
    }
    lob_testkit::fault_fired("E3");
}

#[tokio::test]
async fn a_full_disk_is_an_error_with_a_hint_about_it() {
    let full = Verdict::Answer { code: 14031 };
    let fixture = Fixture::with_gate(second_insert(Moment::Arrived, full)).await;
    let staging = fixture.staging().await;
    let error = staging.insert(&batch(&numbered(3))).await.unwrap_err();
    assert_eq!(error.exit_status(), ExitStatus::Failed);
    assert!(error.hint().unwrap().contains("free space"), "{error:?}");
    // Once there is room, the same command goes on.
    assert_eq!(staging.insert(&batch(&numbered(3))).await.unwrap(), 3);
    lob_testkit::fault_fired("E14");
}

#[tokio::test]
async fn an_insert_is_retried_if_the_server_changes_its_role() {
    for code in [91, 189, 10107, 11600, 11602] {
        let gate = second_insert(Moment::Executed, Verdict::Answer { code });
        let fixture = Fixture::with_gate(gate).await;
        let documents = numbered(50);
        assert_eq!(
            fixture
                .staging()
                .await
                .insert(&batch(&documents))
                .await
                .unwrap(),
            50
        );
        assert_eq!(fixture.contents(STAGING).await, documents);
    }
    lob_testkit::fault_fired("E1");
}

/// Whether the command inserts documents into staging.
fn is_insert(command: &Command) -> bool {
    command.name == "insert"
        && command.documents > 0
        && command.collection.as_deref() == Some(STAGING)
}

/// Gives this verdict to the first insert that has documents.
fn second_insert(moment: Moment, verdict: Verdict) -> impl Fn(Moment, &Command) -> Verdict {
    let once = std::sync::atomic::AtomicBool::new(true);
    move |at, command| {
        let hit = at == moment && is_insert(command);
        if hit && once.swap(false, std::sync::atomic::Ordering::SeqCst) {
            verdict
        } else {
            Verdict::Pass
        }
    }
}

#[tokio::test]
async fn an_insert_that_is_never_answered_has_an_unknown_outcome() {
    let fixture = Fixture::with_gate(|at: Moment, command: &Command| {
        let hit = at == Moment::Executed && is_insert(command);
        if hit {
            Verdict::Disconnect
        } else {
            Verdict::Pass
        }
    })
    .await;
    let error = fixture
        .staging()
        .await
        .insert(&batch(&numbered(3)))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error:?}");
    assert_eq!(error.exit_status(), ExitStatus::Unknown);
}

#[tokio::test]
async fn an_insert_without_a_primary_fails_and_an_interrupted_one_is_unknown() {
    for (code, status) in [
        (10107, ExitStatus::Failed),
        (13435, ExitStatus::Failed),
        (91, ExitStatus::Unknown),
        (11602, ExitStatus::Unknown),
    ] {
        let fixture = Fixture::with_gate(move |at: Moment, command: &Command| {
            let hit = at == Moment::Arrived && is_insert(command);
            if hit {
                Verdict::Answer { code }
            } else {
                Verdict::Pass
            }
        })
        .await;
        let staging = fixture.staging().await;
        let error = staging.insert(&batch(&numbered(3))).await.unwrap_err();
        assert_eq!(error.exit_status(), status, "{code}: {error:?}");
    }
}

#[tokio::test]
async fn a_different_stored_document_is_an_error_and_an_equal_one_is_not() {
    let fixture = Fixture::new().await;
    let staging = fixture.staging().await;
    let mut documents = numbered(10);
    staging.insert(&batch(&documents[..5])).await.unwrap();
    assert_eq!(staging.insert(&batch(&documents)).await.unwrap(), 10);

    documents[7] = raw(doc! { "_id": 7_i64, "text": "x".repeat(80) });
    let error = staging.insert(&batch(&documents)).await.unwrap_err();
    assert!(
        matches!(&error, Error::DifferentDocument { id, .. } if id == "7"),
        "{error:?}"
    );
    assert_eq!(error.exit_status(), ExitStatus::Integrity);
    fixture.close().await;
    lob_testkit::fault_fired("E8");
}

#[tokio::test]
async fn a_document_that_the_server_refuses_fails_the_batch() {
    let fixture = Fixture::new().await;
    let staging = fixture.staging().await;
    let two_ids = raw(doc! { "_id": 2, "x": 3 });
    let mut bytes = raw(doc! { "_id": 1, "_iz": 3 }).into_bytes();
    let at = bytes.windows(3).position(|name| name == b"_iz").unwrap();
    bytes[at + 2] = b'd';
    let refused = RawDocumentBuf::from_bytes(bytes).unwrap();
    let error = staging
        .insert(&batch([&two_ids, &refused]))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::DocumentsRefused {
                refused: 1,
                documents: 2,
                ..
            }
        ),
        "{error:?}"
    );
    fixture.close().await;
    lob_testkit::fault_fired("E8");
}

#[tokio::test]
async fn a_late_insert_does_not_revive_a_dropped_staging() {
    let fixture = Fixture::new().await;
    let old = fixture.staging().await;
    old.drop().await.unwrap();
    let late = async || old.insert(&batch(&numbered(1))).await;
    if fixture.version.takes_collection_uuid() {
        let error = late().await.unwrap_err();
        assert!(matches!(error, Error::Replaced { .. }), "{error:?}");
        assert!(!fixture.has(STAGING).await);
    } else {
        // The server creates a new collection with the name, which nobody takes for staging.
        assert_eq!(late().await.unwrap(), 1);
    }

    let new = fixture.staging().await;
    assert_eq!(new.count().await.unwrap(), 0);
    if fixture.version.takes_collection_uuid() {
        let error = late().await.unwrap_err();
        assert!(matches!(error, Error::Replaced { .. }), "{error:?}");
        assert_eq!(new.count().await.unwrap(), 0);
    }
    old.drop().await.unwrap();
    assert_eq!(fixture.find(STAGING).await.uuid(), new.uuid());
    fixture.close().await;
}

#[tokio::test]
async fn a_lost_reply_of_create_and_drop_is_settled() {
    for name in ["create", "drop"] {
        let fixture = Fixture::with_gate(disconnect(name, Moment::Executed, 1)).await;
        let staging = fixture.staging().await;
        staging.drop().await.unwrap();
        staging.drop().await.unwrap();
        assert!(!fixture.has(STAGING).await);
    }
}

#[tokio::test]
async fn no_zero_timestamp_goes_to_a_server_that_may_overwrite_it() {
    // The insert that asks is answered with an unknown field, and with a refusal that says nothing
    // about fields.
    for code in [40415, 20] {
        let gate = move |at: Moment, command: &Command| {
            let asks = command.name == "insert" && command.documents == 0;
            if asks && at == Moment::Arrived {
                Verdict::Answer { code }
            } else {
                Verdict::Pass
            }
        };
        let fixture = Fixture::with_gate(gate).await;
        let staging = fixture.staging().await;
        let error = staging
            .insert(&batch(&hard_to_keep()[..1]))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::ZeroTimestamp { .. }), "{error:?}");
        staging.insert(&batch(&hard_to_keep()[1..4])).await.unwrap();
        assert_eq!(fixture.contents(STAGING).await, hard_to_keep()[1..4]);
    }
}

#[tokio::test]
async fn every_write_states_its_durability_and_its_collection() {
    let fixture = Fixture::with(MongoOptions::default()).await;
    let staging = fixture.staging().await;
    staging.insert(&batch(&numbered(2))).await.unwrap();
    staging.drop().await.unwrap();
    let commands = fixture.testkit().commands();
    let writes: Vec<_> = commands
        .iter()
        .filter(|c| c.name == "drop" || is_insert(c))
        .collect();
    assert_eq!(writes.len(), 2);
    for write in writes {
        let concern = write.arguments.get_document("writeConcern").unwrap();
        assert_eq!(concern.get_str("w").unwrap(), "majority");
        assert!(concern.get_bool("j").unwrap());
        let uuid = write.arguments.get_binary("collectionUUID").unwrap();
        assert_eq!(uuid.bytes, staging.uuid().unwrap().as_bytes());
    }
}

#[tokio::test]
async fn a_write_concern_that_cannot_be_satisfied_is_named() {
    let fixture = Fixture::with(MongoOptions::default()).await;
    let settings = WriteSettings {
        write_concern: "3".parse().unwrap(),
        ..<_>::default()
    };
    let entries = Entries::new(&fixture.database, &settings);
    let blueprint = Blueprint::default();
    let opened = Staging::open(&entries, &import_of("manifest"), &blueprint, &settings).await;
    let error = opened.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the write concern of `create`"),
        "{error}"
    );
    lob_testkit::fault_fired("E7");
}
