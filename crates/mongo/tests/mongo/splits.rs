//! Which collections are splits, and what is known about them.

use std::collections::BTreeSet;

use bson::doc;
use lob_core::byte_size::ByteSize;
use lob_mongo::{CollectionPattern, Error, SampleSize};

use crate::fixture::{Fixture, numbered};

#[tokio::test]
async fn splits_are_found_by_number_and_in_its_order() {
    let fixture = Fixture::new().await;
    for name in ["split_10_input", "split_2_input", "split_02_input", "other"] {
        fixture.collection(name, &[]).await;
    }
    let pattern = CollectionPattern::default();
    let splits = fixture.database.splits(&pattern, None).await.unwrap();
    let found: Vec<_> = splits
        .iter()
        .map(|split| (split.split, split.collection.name()))
        .collect();
    assert_eq!(found, [(2, "split_2_input"), (10, "split_10_input")]);
    assert!(splits.iter().all(|split| split.collection.uuid().is_some()));

    let ten = fixture
        .database
        .splits(&pattern, Some(&BTreeSet::from([10])))
        .await
        .unwrap();
    assert_eq!(ten.len(), 1);
    let missing = fixture
        .database
        .splits(&pattern, Some(&BTreeSet::from([3, 10, 4])))
        .await;
    let missing = missing.unwrap_err();
    assert!(
        missing
            .to_string()
            .ends_with("has no `split_3_input`, `split_4_input`"),
        "{missing}"
    );
    assert_eq!(
        missing.hint().unwrap(),
        "there are: split_2_input, split_10_input"
    );
    let none = fixture
        .database
        .splits(&"nothing_{N}".parse().unwrap(), None)
        .await;
    assert!(matches!(none, Err(Error::NoSplits { .. })));
    fixture.close().await;
}

#[tokio::test]
async fn a_view_and_a_time_series_are_refused_unless_they_are_not_wanted() {
    let fixture = Fixture::new().await;
    fixture.collection("split_1_input", &[]).await;
    let create = doc! { "create": "split_2_input", "viewOn": "split_1_input", "pipeline": [] };
    fixture.driver.run_command(create).await.unwrap();
    let create = doc! { "create": "split_3_input", "timeseries": { "timeField": "t" } };
    fixture.driver.run_command(create).await.unwrap();
    let pattern = CollectionPattern::default();
    let splits = |wanted| {
        let (pattern, database) = (&pattern, &fixture.database);
        async move {
            database
                .splits(pattern, Some(&BTreeSet::from([wanted])))
                .await
        }
    };
    assert_eq!(splits(1).await.unwrap().len(), 1);
    assert!(matches!(splits(2).await, Err(Error::View { .. })));
    assert!(matches!(splits(3).await, Err(Error::TimeSeries { .. })));
    fixture.close().await;
}

#[tokio::test]
async fn a_collation_is_noticed() {
    let fixture = Fixture::new().await;
    let create = doc! { "create": "split_1_input", "collation": { "locale": "en" } };
    fixture.driver.run_command(create).await.unwrap();
    assert!(fixture.find("split_1_input").await.is_collated());
    assert!(!fixture.collection("split_2_input", &[]).await.is_collated());
    fixture.close().await;
}

#[tokio::test]
async fn a_sample_holds_the_first_documents_and_random_ones() {
    let fixture = Fixture::new().await;
    let documents = numbered(500);
    let collection = fixture.collection("split_1_input", &documents).await;
    assert_eq!(collection.exact_count().await.unwrap(), 500);
    assert_eq!(collection.estimated_count().await.unwrap(), 500);

    let size = SampleSize {
        first: 40,
        random: 20,
        limit: ByteSize::mib(1),
    };
    let sample = collection.sample(size).await.unwrap();
    assert_eq!(sample.documents[..40], documents[..40]);
    assert_eq!(sample.documents[40..].len(), 20);
    assert!(
        sample
            .documents
            .iter()
            .all(|document| documents.contains(document))
    );
    assert_eq!(
        sample.mean_document_size().as_u64(),
        documents[0].as_bytes().len() as u64
    );

    let little = SampleSize {
        first: 40,
        random: 0,
        limit: ByteSize::b(150),
    };
    assert!(collection.sample(little).await.unwrap().documents.len() < 40);
    let empty = fixture
        .collection("split_2_input", &[])
        .await
        .sample(size)
        .await
        .unwrap();
    assert!(empty.documents.is_empty() && empty.mean_document_size() == ByteSize::b(0));
    fixture.close().await;
}
