//! A scan returns every document once, unchanged and in order, or it fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lob_mongo::{DocumentId, Error, IdRange, ScanRange};
use lob_testkit::mongo::{Command, Moment, MongoOptions, RandomFaults, Verdict};

use crate::fixture::{
    Fixture, disconnect, every_id, hard_to_keep, numbered, raw, read, read_part, small_replies,
};

#[tokio::test]
async fn an_id_of_every_type_comes_once_in_order_and_unchanged() {
    let fixture = Fixture::new().await;
    let documents = every_id();
    let shuffled: Vec<_> = documents.iter().rev().cloned().collect();
    let collection = fixture.collection("split_1_input", &shuffled).await;
    assert_eq!(read(&collection).await.unwrap(), documents);
    fixture.close().await;
}

#[tokio::test]
async fn an_empty_collection_ends_at_once() {
    let fixture = Fixture::new().await;
    let mut scan = fixture
        .collection("split_1_input", &[])
        .await
        .scan(ScanRange::default(), small_replies());
    while let Some(batch) = scan.next().await.unwrap() {
        assert_eq!(batch.documents().unwrap().count(), 0);
    }
    assert!(scan.next().await.unwrap().is_none());
    fixture.close().await;
}

#[tokio::test]
async fn a_lost_cursor_is_reopened_without_losing_or_repeating_a_document() {
    for verdict in [
        Verdict::Disconnect,
        Verdict::Answer { code: 43 },
        Verdict::Answer { code: 189 },
    ] {
        for moment in [Moment::Arrived, Moment::Executed] {
            let count = AtomicUsize::new(0);
            let gate = move |at: Moment, command: &Command| {
                let hit = at == moment && command.name == "getMore";
                let third = hit && count.fetch_add(1, Ordering::SeqCst) % 3 == 2;
                if third { verdict } else { Verdict::Pass }
            };
            let fixture = Fixture::with_gate(gate).await;
            let mut documents = numbered(45);
            documents.push(every_id().pop().unwrap());
            let collection = fixture.collection("split_1_input", &documents).await;
            assert_eq!(read(&collection).await.unwrap(), documents);
        }
    }
    lob_testkit::fault_fired("E2");
    lob_testkit::fault_fired("E4");
}

#[tokio::test]
async fn a_scan_resumes_after_an_id_of_any_type() {
    let count = AtomicUsize::new(0);
    let gate = move |at: Moment, command: &Command| {
        let hit = at == Moment::Arrived && command.name == "getMore";
        let second = hit && count.fetch_add(1, Ordering::SeqCst) % 2 == 1;
        if second {
            Verdict::Disconnect
        } else {
            Verdict::Pass
        }
    };
    let fixture = Fixture::with_gate(gate).await;
    let documents = every_id();
    let collection = fixture.collection("split_1_input", &documents).await;
    assert_eq!(read(&collection).await.unwrap(), documents);

    let decimals = |i: i32| raw(bson::doc! { "_id": decimal_id(i), "t": "x".repeat(90) });
    let decimals: Vec<_> = (0..40).map(decimals).collect();
    let collection = fixture.collection("split_2_input", &decimals).await;
    assert_eq!(read(&collection).await.unwrap(), decimals);
}

fn decimal_id(i: i32) -> bson::Decimal128 {
    format!("{i}.25").parse().unwrap()
}

#[tokio::test]
async fn a_clustered_collection_is_read_like_any_other() {
    let Some(fixture) = Fixture::alone().await else {
        return;
    };
    fixture.create_clustered("split_1_input").await;
    let documents = every_id();
    let written = fixture
        .driver
        .collection::<bson::RawDocumentBuf>("split_1_input");
    written.insert_many(&documents).await.unwrap();
    let collection = fixture.find("split_1_input").await;
    for (i, last) in documents.iter().enumerate() {
        let part = ScanRange {
            after: Some(DocumentId::of(last).unwrap()),
            ..<_>::default()
        };
        let rest = read_part(&collection, part).await.unwrap();
        assert_eq!(rest, documents[i + 1..], "after {last:?}");
    }
    fixture.close().await;
    lob_testkit::fault_fired("E15");
}

#[tokio::test]
async fn a_capped_collection_is_read_like_any_other() {
    let Some(fixture) = Fixture::alone().await else {
        return;
    };
    let capped = bson::doc! { "create": "split_1_input", "capped": true, "size": 100_000 };
    fixture.driver.run_command(capped).await.unwrap();
    let documents = numbered(200);
    let written = fixture
        .driver
        .collection::<bson::RawDocumentBuf>("split_1_input");
    written.insert_many(&documents).await.unwrap();
    let collection = fixture.find("split_1_input").await;
    assert_eq!(read(&collection).await.unwrap(), documents);
    fixture.close().await;
    lob_testkit::fault_fired("E15");
}

#[tokio::test]
async fn a_scan_of_a_server_that_ignores_bounds_is_not_resumed() {
    let documents = numbered(100);
    let options = || MongoOptions {
        ignore_bounds: true,
        ..<_>::default()
    };
    let fixture = Fixture::with(options()).await;
    let collection = fixture.collection("split_1_input", &documents).await;
    assert_eq!(read(&collection).await.unwrap(), documents);

    let gate = disconnect("getMore", Moment::Arrived, 1);
    let gate = Some(Arc::new(gate) as _);
    let fixture = Fixture::with(MongoOptions { gate, ..options() }).await;
    let collection = fixture.collection("split_1_input", &documents).await;
    let error = read(&collection).await.unwrap_err();
    assert!(matches!(error, Error::CannotResume { .. }), "{error}");
}

#[tokio::test]
async fn a_collection_dropped_or_replaced_during_the_scan_is_an_error() {
    let bound = |id: i32| DocumentId::of(&bson::rawdoc! { "_id": id }).ok();
    let part = IdRange {
        from: bound(10),
        to: bound(190),
    };
    let whole = IdRange::default();
    for (replace, range) in [
        (false, &whole),
        (true, &whole),
        (false, &part),
        (true, &part),
    ] {
        let fixture = Fixture::new().await;
        let documents = numbered(200);
        let collection = fixture.collection("split_1_input", &documents).await;
        let part = ScanRange {
            range: range.clone(),
            after: None,
        };
        let mut scan = collection.scan(part, small_replies());
        let first = scan.next().await.unwrap().unwrap();
        fixture.drop_collection("split_1_input").await;
        if replace {
            fixture.collection("split_1_input", &documents).await;
        }
        drop(first);
        let error = loop {
            match scan.next().await {
                Ok(batch) => assert!(batch.is_some(), "looks like the end"),
                Err(e) => break e,
            }
        };
        assert!(matches!(error, Error::Replaced { .. }), "{error:?}");
        assert!(
            scan.next().await.is_err(),
            "looks like the end when asked again"
        );
        fixture.close().await;
    }
    lob_testkit::fault_fired("E12");
}

#[tokio::test]
async fn a_collection_replaced_before_the_scan_is_an_error() {
    let fixture = Fixture::new().await;
    let collection = fixture.collection("split_1_input", &numbered(1)).await;
    fixture.drop_collection("split_1_input").await;
    fixture.collection("split_1_input", &numbered(2)).await;
    assert!(matches!(
        read(&collection).await,
        Err(Error::Replaced { .. })
    ));
    fixture.close().await;
}

#[tokio::test]
async fn a_scan_fails_if_the_server_stays_down() {
    let fixture = Fixture::with_gate(|_: Moment, command: &Command| {
        let reopened = command.arguments.get("min").unwrap().is_some();
        if command.name == "getMore" || reopened {
            Verdict::Disconnect
        } else {
            Verdict::Pass
        }
    })
    .await;
    let collection = fixture.collection("split_1_input", &numbered(100)).await;
    let error = read(&collection).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error:?}");
}

#[tokio::test]
async fn scans_under_random_faults_are_complete() {
    let mut disturbed = 0;
    for seed in 0..2 {
        let faults = Arc::new(RandomFaults::new(seed, 0.1).on(&["find", "getMore"]));
        let fixture = Fixture::patient(MongoOptions {
            gate: Some(Arc::clone(&faults) as _),
            ..<_>::default()
        })
        .await;
        let documents = numbered(400);
        let collection = fixture.collection("split_1_input", &documents).await;
        assert_eq!(read(&collection).await.unwrap(), documents);
        disturbed += faults.counts().faults();
    }
    assert!(disturbed > 10, "{disturbed}");
}

#[tokio::test]
async fn the_size_of_replies_follows_the_size_of_documents() {
    let fixture = Fixture::with(MongoOptions {
        uncapped_replies: true,
        ..<_>::default()
    })
    .await;
    let collection = fixture.collection("split_1_input", &numbered(100)).await;
    read(&collection).await.unwrap();
    let sizes: Vec<_> = fixture
        .testkit()
        .commands()
        .into_iter()
        .filter(|command| command.name == "find" || command.name == "getMore")
        .map(|command| command.batch_size)
        .collect();
    assert!(
        sizes.len() > 10 && sizes.iter().all(|&size| size == Some(5)),
        "{sizes:?}"
    );
}

#[tokio::test]
async fn documents_that_are_hard_to_preserve_are_read_unchanged() {
    let fixture = Fixture::with(MongoOptions::default()).await;
    let documents = hard_to_keep();
    let name = fixture.database.name().to_owned();
    fixture
        .testkit()
        .load(&name, "split_1_input", documents.clone())
        .unwrap();
    assert_eq!(fixture.contents("split_1_input").await, documents);
}
