//! Replacing and deleting documents.

use bson::{Document, doc};

use crate::subject::{Subject, numbered, raw};

#[tokio::test]
async fn documents_are_deleted_by_equality() {
    let subject = Subject::new().await;
    let documents: Vec<_> = (0..6)
        .map(|id| doc! { "_id": id, "owner": id % 2 })
        .collect();
    subject.insert("c", &documents).await;
    let delete = |query: Document, limit: i32| {
        subject.run(raw(
            &doc! { "delete": "c", "deletes": [{ "q": query, "limit": limit }] },
        ))
    };
    assert_eq!(
        delete(doc! { "_id": { "$in": [0, 1, 9] } }, 0)
            .await
            .get_i32("n")
            .unwrap(),
        2
    );
    assert_eq!(
        delete(doc! { "owner": 0 }, 1).await.get_i32("n").unwrap(),
        1
    );
    assert_eq!(delete(doc! {}, 0).await.get_i32("n").unwrap(), 3);
    assert_eq!(subject.stored("c").await.len(), 0);
    subject.drop().await;
}

#[tokio::test]
async fn a_document_is_replaced_by_another_with_the_same_id() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(3)).await;
    let update = |query: Document, replacement: Document| {
        raw(&doc! { "update": "c", "updates": [{ "q": query, "u": replacement }] })
    };
    for (query, replacement, changed) in [
        (doc! { "_id": 1 }, doc! { "x": 1 }, 1),
        (doc! { "_id": 2 }, doc! { "x": 1, "_id": 2 }, 1),
        (doc! { "_id": 1 }, doc! { "x": 1 }, 1),
        (doc! { "_id": 7 }, doc! { "x": 1 }, 0),
    ] {
        let reply = subject.run(update(query, replacement)).await;
        let number = |name| reply.get_i32(name).unwrap();
        assert_eq!((number("n"), number("nModified")), (changed, changed));
    }
    let expected = [
        doc! { "_id": 0 },
        doc! { "_id": 1, "x": 1 },
        doc! { "_id": 2, "x": 1 },
    ];
    assert_eq!(
        subject.stored("c").await,
        expected.map(|d| raw(&d).into_bytes())
    );
    subject.drop().await;
}
