//! Which documents a query finds.

use bson::raw::RawDocumentBuf;
use bson::{Bson, DateTime, Document, Timestamp, doc, rawdoc};

use crate::subject::{Subject, first_batch, numbered, raw};

#[tokio::test]
async fn a_read_can_ask_for_a_time_the_server_has_reached_but_no_later_one() {
    let subject = Subject::new().await;
    let inserted = subject.insert("c", &numbered(3)).await;
    let hello = subject.run(rawdoc! { "hello": 1 }).await;
    let time = hello.get_timestamp("operationTime").unwrap();
    assert!(time >= inserted.get_timestamp("operationTime").unwrap());
    let find = |concern: RawDocumentBuf| rawdoc! { "find": "c", "readConcern": concern };
    for level in ["local", "majority"] {
        let concern = rawdoc! { "level": level, "afterClusterTime": time };
        let found = subject.run(find(concern.clone())).await;
        assert_eq!(first_batch(&found), numbered(3));
        let count = rawdoc! { "count": "c", "query": {}, "readConcern": concern };
        assert_eq!(subject.run(count).await.get_i32("n").unwrap(), 3);
    }
    let future = Timestamp {
        time: u32::MAX,
        increment: 0,
    };
    let zero = Timestamp {
        time: 0,
        increment: 0,
    };
    for (concern, code) in [
        (rawdoc! { "afterClusterTime": future }, 72),
        (rawdoc! { "afterClusterTime": zero }, 72),
        (
            rawdoc! { "level": "available", "afterClusterTime": time },
            72,
        ),
        (rawdoc! { "afterClusterTime": 5 }, 14),
    ] {
        assert_eq!(subject.refusal(find(concern)).await, code);
    }
    subject.drop().await;
}

#[tokio::test]
async fn a_missing_collection_is_empty_and_not_an_error() {
    let subject = Subject::new().await;
    let find = doc! { "find": "c", "hint": { "_id": 1 }, "min": { "_id": 1 } };
    assert_eq!(subject.ids(find).await, []);
    let count = subject.run(rawdoc! { "count": "c", "query": {} }).await;
    assert_eq!(count.get_i32("n").unwrap(), 0);
    let statistics = subject.run(rawdoc! { "collStats": "c" }).await;
    assert_eq!(statistics.get_i32("count").unwrap(), 0);
    assert!(!statistics.contains_key("avgObjSize"));
    assert_eq!(subject.refusal(rawdoc! { "drop": "c" }).await, 26);
    assert_eq!(subject.refusal(rawdoc! { "listIndexes": "c" }).await, 26);
    subject.drop().await;
}

#[tokio::test]
async fn queries_by_id_find_the_requested_documents() {
    let subject = Subject::new().await;
    let documents: Vec<_> = (0..6)
        .map(|id| doc! { "_id": id, "owner": id % 2 })
        .collect();
    subject.insert("c", &documents).await;
    let find = |options: Document| {
        let mut find = doc! { "find": "c", "sort": { "_id": 1 } };
        find.extend(options);
        subject.ids(find)
    };
    assert_eq!(
        find(doc! { "filter": { "_id": 3.0 } }).await,
        [Bson::from(3)]
    );
    let some = find(doc! { "filter": { "_id": { "$in": [5, 1, 9, 1] } } }).await;
    assert_eq!(some, [1.into(), 5.into()] as [Bson; 2]);
    assert_eq!(find(doc! { "filter": { "owner": 1 } }).await.len(), 3);
    assert_eq!(find(doc! { "limit": 2 }).await.len(), 2);
    let third = doc! { "skip": 2, "limit": 1, "hint": { "_id": 1 }, "min": { "_id": 1 } };
    assert_eq!(find(third.clone()).await, [Bson::from(3)]);
    let end = doc! { "max": { "_id": 3 } };
    assert!(
        find(third.into_iter().chain(end).collect())
            .await
            .is_empty()
    );
    let projected = rawdoc! { "find": "c", "filter": { "_id": 4 }, "projection": { "_id": 1 } };
    assert_eq!(
        first_batch(&subject.run(projected).await),
        [doc! { "_id": 4 }]
    );
    let count = |query: Document| {
        let command = doc! { "count": "c", "query": query, "hint": { "_id": 1 } };
        let reply = subject.run(raw(&command));
        async { reply.await.get_i32("n").unwrap() }
    };
    assert_eq!(count(doc! {}).await, 6);
    assert_eq!(count(doc! { "owner": 0 }).await, 3);
    subject.drop().await;
}

#[tokio::test]
async fn only_dates_up_to_the_bound_are_counted() {
    let subject = Subject::new().await;
    let date = DateTime::from_millis;
    let documents = [
        doc! { "_id": 0, "t": date(1000) },
        doc! { "_id": 1, "t": date(1001) },
        doc! { "_id": 2, "t": 1000_i64 },
        doc! { "_id": 3, "t": Bson::Null, "u": date(-1) },
        doc! { "_id": 4, "t": [date(2000), date(500)] },
        doc! { "_id": 5, "t": [] },
        doc! { "_id": 6, "t": Timestamp { time: 1, increment: 1 } },
    ];
    subject.insert("c", &documents).await;
    let until = |field: &str, millis| doc! { field: { "$lte": date(millis) } };
    let count = |any: Vec<Document>| {
        let command = raw(&doc! { "count": "c", "query": { "$or": any } });
        let reply = subject.run(command);
        async { reply.await.get_i32("n").unwrap() }
    };
    assert_eq!(count(vec![until("t", 1000)]).await, 2);
    assert_eq!(count(vec![until("t", 1000), until("u", 0)]).await, 3);
    assert_eq!(count(vec![until("u", -2)]).await, 0);
    assert_eq!(
        subject
            .refusal(rawdoc! { "count": "c", "query": { "$or": [] } })
            .await,
        2
    );
    subject.drop().await;
}

#[tokio::test]
async fn a_sample_holds_distinct_documents_of_the_collection() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(300)).await;
    let sample = |size: i64| {
        let pipeline = rawdoc! { "$sample": { "size": size } };
        subject.run(
            rawdoc! { "aggregate": "c", "pipeline": [pipeline], "cursor": { "batchSize": 400 } },
        )
    };
    assert_eq!(first_batch(&sample(5).await).len(), 5);
    let mut all = first_batch(&sample(1000).await);
    all.sort_by_key(|document| document.get_i32("_id").unwrap());
    assert_eq!(all, numbered(300));
    subject.insert("long", &[doc! { "_id": 1, "x": 2 }]).await;
    let ids = doc! {
        "aggregate": "long",
        "pipeline": [{ "$sample": { "size": 5_i64 } }, { "$project": { "_id": 1 } }],
        "cursor": { "batchSize": 1000_i64 },
    };
    assert_eq!(
        first_batch(&subject.run(raw(&ids)).await),
        [doc! { "_id": 1 }]
    );
    let command = rawdoc! { "aggregate": "c", "pipeline": [] };
    assert_eq!(subject.refusal(command).await, 9);
    subject.drop().await;
}
