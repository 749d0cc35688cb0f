//! Which collections are splits, and what is known about them.

use std::collections::BTreeSet;

use bson::doc;
use lob_mongo::{CollectionPattern, Error};

use crate::fixture::Fixture;

#[tokio::test]
async fn splits_are_found_and_ordered_by_number() {
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
        "it has: split_2_input, split_10_input"
    );
    let none = fixture
        .database
        .splits(&"nothing_{N}".parse().unwrap(), None)
        .await;
    assert!(matches!(none, Err(Error::NoSplits { .. })));
    fixture.close().await;
}

#[tokio::test]
async fn a_view_or_a_time_series_is_refused_only_if_it_is_selected() {
    let fixture = Fixture::new().await;
    fixture.collection("split_1_input", &[]).await;
    let create = doc! { "create": "split_2_input", "viewOn": "split_1_input", "pipeline": [] };
    fixture.driver.run_command(create).await.unwrap();
    let create = doc! { "create": "split_3_input", "timeseries": { "timeField": "t" } };
    let created = fixture.driver.run_command(create).await;
    let has_time_series = fixture.version.has_time_series();
    assert_eq!(created.is_ok(), has_time_series, "{created:?}");
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
    let series = splits(3).await;
    match has_time_series {
        true => assert!(matches!(series, Err(Error::TimeSeries { .. }))),
        false => assert!(matches!(series, Err(Error::NoSuchSplits { .. }))),
    }
    fixture.close().await;
    lob_testkit::fault_fired("E15");
}

#[tokio::test]
async fn a_collation_is_detected() {
    let fixture = Fixture::new().await;
    let create = doc! { "create": "split_1_input", "collation": { "locale": "en" } };
    fixture.driver.run_command(create).await.unwrap();
    assert!(fixture.find("split_1_input").await.is_collated());
    assert!(!fixture.collection("split_2_input", &[]).await.is_collated());
    fixture.close().await;
}
