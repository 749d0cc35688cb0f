//! Cursors, their batches and how they end.

use bson::{Bson, RawDocumentBuf, doc, rawdoc};

use crate::subject::{Subject, batch, cursor_id, first_batch, numbered};

/// Asks for everything that a cursor has left.
fn get_more(id: i64, collection: &str) -> RawDocumentBuf {
    rawdoc! { "getMore": id, "collection": collection }
}

#[tokio::test]
async fn batches_have_the_requested_size_and_the_last_closes_the_cursor() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(5)).await;
    let first = subject
        .run(rawdoc! { "find": "c", "sort": { "_id": 1 }, "batchSize": 2 })
        .await;
    assert_eq!(first_batch(&first), numbered(2));
    let id = cursor_id(&first);
    assert_ne!(id, 0);
    let more = |batch_size: i32| {
        subject.run(rawdoc! { "getMore": id, "collection": "c", "batchSize": batch_size })
    };
    let second = more(1).await;
    assert_eq!(batch(&second, "nextBatch"), [doc! { "_id": 2 }]);
    assert_eq!(cursor_id(&second), id);
    // Exactly what is left, so the server does not know yet that this is the end.
    let third = more(2).await;
    assert_eq!(batch(&third, "nextBatch").len(), 2);
    assert_eq!(cursor_id(&third), id);
    let last = more(2).await;
    assert_eq!(batch(&last, "nextBatch"), []);
    assert_eq!(cursor_id(&last), 0);
    assert_eq!(subject.refusal(get_more(id, "c")).await, 43);
    subject.drop().await;
}

#[tokio::test]
async fn a_limit_closes_the_cursor_and_a_batch_size_of_zero_leaves_it_open() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(200)).await;
    let limited = subject
        .run(rawdoc! { "find": "c", "limit": 2, "batchSize": 2 })
        .await;
    assert_eq!((first_batch(&limited).len(), cursor_id(&limited)), (2, 0));
    let unsaid = subject.run(rawdoc! { "find": "c" }).await;
    assert_eq!(first_batch(&unsaid).len(), 101);
    let none = subject.run(rawdoc! { "find": "c", "batchSize": 0 }).await;
    assert_eq!(first_batch(&none), []);
    let id = cursor_id(&none);
    let rest = subject.run(get_more(id, "c")).await;
    assert_eq!(
        (batch(&rest, "nextBatch").len(), cursor_id(&rest)),
        (200, 0)
    );
    let single = rawdoc! { "find": "c", "batchSize": 2, "singleBatch": true };
    assert_eq!(cursor_id(&subject.run(single).await), 0);
    subject.drop().await;
}

#[tokio::test]
async fn a_reply_ends_before_16_mebibytes() {
    let subject = Subject::new().await;
    let text = "x".repeat(7 << 20);
    for id in 0..3 {
        subject
            .insert("c", &[doc! { "_id": id, "text": &text }])
            .await;
    }
    let first = subject
        .run(rawdoc! { "find": "c", "sort": { "_id": 1 }, "batchSize": 100 })
        .await;
    assert_eq!(first_batch(&first).len(), 2);
    let id = cursor_id(&first);
    let rest = subject.run(get_more(id, "c")).await;
    assert_eq!((batch(&rest, "nextBatch").len(), cursor_id(&rest)), (1, 0));
    let too_large = doc! { "_id": 9, "text": "x".repeat(16 << 20) };
    assert_eq!(subject.write_errors("c", &[too_large]).await, [(0, 2)]);
    subject.drop().await;
}

#[tokio::test]
async fn cursors_are_closed_on_request_and_belong_to_their_collection() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(5)).await;
    let find = rawdoc! { "find": "c", "batchSize": 1 };
    let id = cursor_id(&subject.run(find).await);
    assert_eq!(subject.refusal(get_more(id, "d")).await, 13);
    let killed = subject
        .run(rawdoc! { "killCursors": "c", "cursors": [id, 5_i64] })
        .await;
    assert_eq!(
        killed.get_array("cursorsKilled").unwrap(),
        &[Bson::from(id)]
    );
    assert_eq!(
        killed.get_array("cursorsNotFound").unwrap(),
        &[Bson::from(5_i64)]
    );
    assert_eq!(subject.refusal(get_more(id, "c")).await, 43);
    subject.drop().await;
}

#[tokio::test]
async fn a_scan_fails_when_its_collection_is_dropped_renamed_or_replaced() {
    let subject = Subject::new().await;
    let open = async || {
        subject.insert("c", &numbered(5)).await;
        cursor_id(&subject.run(rawdoc! { "find": "c", "batchSize": 1 }).await)
    };
    let id = open().await;
    subject.run(rawdoc! { "drop": "c" }).await;
    assert_eq!(subject.refusal(get_more(id, "c")).await, 175);
    assert_eq!(subject.refusal(get_more(id, "c")).await, 43);
    let id = open().await;
    subject.rename("c", "d", doc! {}).await.unwrap();
    assert_eq!(subject.refusal(get_more(id, "c")).await, 175);
    let id = open().await;
    subject
        .rename("d", "c", doc! { "dropTarget": true })
        .await
        .unwrap();
    assert_eq!(subject.refusal(get_more(id, "c")).await, 175);
    subject.drop().await;
}
