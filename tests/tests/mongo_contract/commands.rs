//! What holds for every command.

use bson::raw::RawDocumentBuf;
use bson::{Bson, doc, rawdoc};
use futures::TryStreamExt;
use lob_testkit::split_documents::SplitDocuments;

use crate::subject::{Subject, numbered, raw};

#[tokio::test]
async fn hello_reports_a_replica_set_primary_its_version_and_limits() {
    let subject = Subject::new().await;
    let hello = subject.run(rawdoc! { "hello": 1 }).await;
    assert!(hello.get_bool("isWritablePrimary").unwrap());
    assert!(hello.contains_key("setName"));
    assert_eq!(hello.get_i32("maxBsonObjectSize").unwrap(), 16_777_216);
    assert_eq!(hello.get_i32("maxMessageSizeBytes").unwrap(), 48_000_000);
    assert_eq!(hello.get_i32("maxWriteBatchSize").unwrap(), 100_000);
    let build = subject.run(rawdoc! { "buildInfo": 1 }).await;
    let version = build.get_str("version").unwrap();
    assert_eq!(version.split('.').count(), 3, "{version}");
    subject.run(rawdoc! { "ping": 1 }).await;
    subject.drop().await;
}

#[tokio::test]
async fn unknown_commands_and_options_are_refused() {
    let subject = Subject::new().await;
    let unparsed = |code| subject.since_5_0(code, 9);
    let negative = subject.since_5_0(51024, 2);
    for (code, command) in [
        (59, rawdoc! { "nonsense": 1 }),
        (unparsed(40415), rawdoc! { "find": "c", "nonsense": 1 }),
        (40415, rawdoc! { "create": "c", "nonsense": 1 }),
        (40415, rawdoc! { "count": "c", "collectionUUID": 1 }),
        (40415, rawdoc! { "insert": "c", "documents": [{}], "x": 1 }),
        (unparsed(14), rawdoc! { "find": "c", "batchSize": "1" }),
        (negative, rawdoc! { "find": "c", "batchSize": -1 }),
        (73, rawdoc! { "find": "" }),
    ] {
        assert_eq!(subject.refusal(command.clone()).await, code, "{command:?}");
    }
    subject.drop().await;
}

#[tokio::test]
async fn max_time_ms_must_be_a_whole_number_in_range() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(4)).await;
    for (command, name) in [
        (doc! { "find": "c" }, "find"),
        (
            doc! { "aggregate": "c", "pipeline": [{ "$sample": { "size": 1 } }], "cursor": {} },
            "aggregate",
        ),
    ] {
        let within = |time: Bson| {
            let mut command = command.clone();
            command.insert("maxTimeMS", time);
            raw(&command)
        };
        subject.run(within(60_000_i64.into())).await;
        for wrong in [1.5.into(), Bson::from(1_i64 << 40)] {
            assert_eq!(subject.refusal(within(wrong)).await, 2, "{name}");
        }
    }
    subject.drop().await;
}

#[tokio::test]
async fn the_drivers_own_helpers_work() {
    let subject = Subject::new().await;
    let collection = subject.database.collection::<RawDocumentBuf>("c");
    let documents: Vec<_> = SplitDocuments::new(1, 768).take(250).collect();
    collection
        .insert_many(&documents)
        .ordered(false)
        .await
        .unwrap();
    assert_eq!(collection.estimated_document_count().await.unwrap(), 250);
    assert_eq!(collection.count_documents(doc! {}).await.unwrap(), 250);
    let mut batches = collection
        .find(doc! {})
        .sort(doc! { "_id": 1 })
        .batch_size(70)
        .batch()
        .await
        .unwrap();
    let mut stored = Vec::new();
    while let Some(batch) = batches.try_next().await.unwrap() {
        for document in batch.doc_slices().unwrap() {
            stored.push(document.unwrap().as_document().unwrap().to_owned());
        }
    }
    assert_eq!(stored, documents);
    subject.drop().await;
}
