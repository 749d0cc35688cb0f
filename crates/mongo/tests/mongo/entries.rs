//! The next process learns what an import has done, but only if it runs the same import.

use bson::rawdoc;
use lob_core::checksum::Documents;
use lob_mongo::FinishedFiles;
use lob_testkit::mongo::Moment;

use crate::fixture::{Fixture, batch, disconnect, numbered};
use crate::imports::{STAGING, TARGET, import_of};

/// The collection that holds the entries.
const ENTRIES: &str = "__lob_progress";

fn documents() -> Documents {
    let mut documents = Documents::default();
    for document in numbered(20) {
        documents.add(document.as_bytes());
    }
    documents
}

/// Data files with [`documents`] each.
fn files(keys: &[&str]) -> FinishedFiles {
    let keys = keys.iter().map(|key| (*key).to_owned());
    keys.map(|key| (key, documents())).collect()
}

#[tokio::test]
async fn staging_is_resumed_with_the_data_files_it_already_holds() {
    let fixture = Fixture::new().await;
    let import = import_of("manifest");
    let (staging, finished) = fixture.staging_of(&import).await;
    assert_eq!(finished, files(&[]));
    staging.insert(&batch(&numbered(20))).await.unwrap();
    let entries = fixture.entries();
    for key in ["a", "b", "b"] {
        entries.add_file(&staging, key, documents()).await.unwrap();
    }
    let (again, finished) = fixture.staging_of(&import).await;
    assert_eq!(
        (again.uuid(), finished),
        (staging.uuid(), files(&["a", "b"]))
    );
    assert_eq!(again.count().await.unwrap(), 20);
    fixture.close().await;
}

#[tokio::test]
async fn the_entry_of_a_data_file_names_staging_file_count_and_digest() {
    let fixture = Fixture::new().await;
    let staging = fixture.staging().await;
    let entries = fixture.entries();
    entries.add_file(&staging, "a", documents()).await.unwrap();
    let uuid = staging.uuid().unwrap().to_string();
    let entry = rawdoc! {
        "_id": format!("{uuid}/a"),
        "staging": uuid,
        "file": "a",
        "documents": 20_i64,
        "digest": documents().digest.to_string(),
    };
    assert!(fixture.contents(ENTRIES).await.contains(&entry));
    fixture.close().await;
}

#[tokio::test]
async fn entries_of_another_staging_are_ignored() {
    let fixture = Fixture::new().await;
    let import = import_of("manifest");
    let old = fixture.staging().await;
    let entries = fixture.entries();
    entries.add_file(&old, "a", documents()).await.unwrap();
    old.drop().await.unwrap();
    let (new, finished) = fixture.staging_of(&import).await;
    assert_ne!(new.uuid(), old.uuid());
    assert_eq!(finished, files(&[]));
    // Those of the staging that is gone are removed on the way.
    entries.forget(&[new.uuid().unwrap()]).await.unwrap();
    assert_eq!(fixture.contents(ENTRIES).await, []);
    fixture.close().await;
}

#[tokio::test]
async fn the_collection_of_entries_outlives_the_last_entry() {
    let fixture = Fixture::new().await;
    let staging = fixture.staging().await;
    let before = fixture.find(ENTRIES).await.uuid();
    let entries = fixture.entries();
    entries.forget(&[staging.uuid().unwrap()]).await.unwrap();
    assert_eq!(fixture.contents(ENTRIES).await, []);
    // Whoever is about to write to it finds the same collection.
    assert_eq!(fixture.find(ENTRIES).await.uuid(), before);
    fixture.close().await;
}

#[tokio::test]
async fn an_unrecorded_collection_named_like_staging_is_dropped_unless_empty() {
    let fixture = Fixture::new().await;
    let stranger = fixture.collection(STAGING, &numbered(3)).await;
    let staging = fixture.staging().await;
    assert_ne!(staging.uuid(), stranger.uuid());
    staging.drop().await.unwrap();
    let empty = fixture.collection(STAGING, &[]).await;
    assert_eq!(fixture.staging().await.uuid(), empty.uuid());
    fixture.close().await;
}

#[tokio::test]
async fn a_lost_reply_to_a_write_of_an_entry_is_settled() {
    for name in ["insert", "delete", "find"] {
        for moment in [Moment::Arrived, Moment::Executed] {
            let fixture = Fixture::with_gate(disconnect(name, moment, 1)).await;
            let staging = fixture.staging().await;
            let entries = fixture.entries();
            entries.add_file(&staging, "a", documents()).await.unwrap();
            let (_, finished) = fixture.staging_of(&import_of("manifest")).await;
            assert_eq!(finished, files(&["a"]));
            entries.forget(&[staging.uuid().unwrap()]).await.unwrap();
            assert_eq!(fixture.contents(ENTRIES).await, []);
        }
    }
}

#[tokio::test]
async fn two_processes_of_one_import_share_a_staging() {
    let fixture = Fixture::new().await;
    let import = import_of("manifest");
    let ((one, _), (two, _)) =
        tokio::join!(fixture.staging_of(&import), fixture.staging_of(&import));
    assert_eq!(one.uuid(), two.uuid());
    let documents = numbered(20);
    let all = batch(&documents);
    let (first, second) = tokio::join!(one.insert(&all), two.insert(&all));
    assert_eq!((first.unwrap(), second.unwrap()), (20, 20));
    assert_eq!(one.count().await.unwrap(), 20);
    one.swap_into(TARGET, lob_mongo::ExistingTarget::Replace)
        .await
        .unwrap();
    assert!(two.is_at(TARGET).await.unwrap());
    two.swap_into(TARGET, lob_mongo::ExistingTarget::Replace)
        .await
        .unwrap();
    assert_eq!(fixture.contents(TARGET).await, documents);
    fixture.close().await;
}
