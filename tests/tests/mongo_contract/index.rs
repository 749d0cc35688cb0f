//! Indexes, and data that violate them.

use bson::{Document, doc, rawdoc};

use crate::subject::{Subject, first_batch, numbered, raw};

#[tokio::test]
async fn a_unique_index_is_refused_if_the_data_violate_it() {
    let subject = Subject::new().await;
    subject
        .insert(
            "c",
            &[
                doc! { "_id": 1, "a": 1, "b": 1 },
                doc! { "_id": 2, "a": 1, "b": 2 },
            ],
        )
        .await;
    let create = |index: Document| raw(&doc! { "createIndexes": "c", "indexes": [index] });
    let unique = |key: Document| create(doc! { "key": key, "name": "u", "unique": true });
    assert_eq!(subject.refusal(unique(doc! { "a": 1 })).await, 11000);
    assert_eq!(subject.refusal(unique(doc! { "missing": 1 })).await, 11000);
    let made = subject.run(unique(doc! { "a": 1, "b": -1 })).await;
    assert_eq!(made.get_i32("numIndexesBefore").unwrap(), 1);
    assert_eq!(made.get_i32("numIndexesAfter").unwrap(), 2);
    let again = subject.run(unique(doc! { "a": 1, "b": -1 })).await;
    assert_eq!(again.get_i32("numIndexesAfter").unwrap(), 2);
    let plain = |name: &str, key: Document| create(doc! { "key": key, "name": name });
    assert_eq!(subject.refusal(plain("u", doc! { "z": 1 })).await, 86);
    subject.run(plain("z", doc! { "z": 1 })).await;
    assert_eq!(subject.refusal(plain("y", doc! { "z": 1 })).await, 85);
    let nonsense = create(doc! { "key": { "q": 1 }, "name": "q", "nonsense": 1 });
    assert_eq!(subject.refusal(nonsense).await, 197);
    let ttl = create(doc! { "key": { "t": 1 }, "name": "t", "expireAfterSeconds": 3600 });
    subject.run(ttl).await;
    let listed = first_batch(&subject.run(rawdoc! { "listIndexes": "c" }).await);
    assert_eq!(
        listed[0],
        doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }
    );
    assert_eq!(
        listed[1],
        doc! { "v": 2, "key": { "a": 1, "b": -1 }, "name": "u", "unique": true }
    );
    assert_eq!(listed.len(), 4);
    subject.drop().await;
}

#[tokio::test]
async fn indexes_survive_a_rename() {
    let subject = Subject::new().await;
    let index = rawdoc! { "key": { "a": 1 }, "name": "a" };
    let made = subject
        .run(rawdoc! { "createIndexes": "staging", "indexes": [index] })
        .await;
    assert!(made.get_bool("createdCollectionAutomatically").unwrap());
    subject.insert("target", &numbered(1)).await;
    subject
        .rename("staging", "target", doc! { "dropTarget": true })
        .await
        .unwrap();
    let listed = first_batch(&subject.run(rawdoc! { "listIndexes": "target" }).await);
    assert_eq!(listed.len(), 2);
    subject.drop().await;
}
