//! Whatever a collection had besides its documents is back after an import, or the import fails.

use std::time::Duration;

use bson::{DateTime, Document, doc, rawdoc};
use lob_mongo::{Blueprint, Definition, Error, ExistingTarget, Opened, Staging};

use crate::fixture::{Fixture, batch, numbered};
use crate::imports::{TARGET, import_of};

const SOURCE: &str = "split_0_input";

/// A collection with these options and indexes, as an export finds it.
async fn source(fixture: &Fixture, options: Document, indexes: Vec<Document>) -> Definition {
    let mut create = doc! { "create": SOURCE };
    create.extend(options);
    fixture.driver.run_command(create).await.unwrap();
    let build = doc! { "createIndexes": SOURCE, "indexes": indexes };
    fixture.driver.run_command(build).await.unwrap();
    fixture.find(SOURCE).await.definition().await.unwrap()
}

/// A staging collection with 20 documents, built from a blueprint.
async fn filled(fixture: &Fixture, blueprint: &Blueprint) -> Staging {
    let opened = fixture.open_as(&import_of("manifest"), blueprint).await;
    let Opened::Staging(staging, _) = opened.unwrap() else {
        panic!("it is in its place")
    };
    staging.insert(&batch(&numbered(20))).await.unwrap();
    staging
}

#[tokio::test]
async fn indexes_are_restored_and_ttl_indexes_only_after_the_swap() {
    let fixture = Fixture::new().await;
    let indexes = vec![
        doc! { "key": { "z": 1, "a": -1_i64, "m": 1.0 }, "name": "three" },
        doc! { "key": { "text": 1, "_id": 1 }, "name": "unique", "unique": true },
        doc! { "key": { "t": 1 }, "name": "expiring", "expireAfterSeconds": 60, "sparse": true },
    ];
    let definition = source(&fixture, doc! {}, indexes).await;
    let blueprint = Blueprint::read(&definition).unwrap();
    assert_eq!((blueprint.indexes(), blueprint.expiring()), (2, 1));
    let staging = filled(&fixture, &blueprint).await;
    // Twice, as after a lost reply or by another process.
    for _ in 0..2 {
        staging.build_indexes(&blueprint).await.unwrap();
    }
    let early = staging.build_expiring_at(TARGET, &blueprint).await;
    assert!(matches!(early, Err(Error::Replaced { .. })), "{early:?}");
    let swapped = staging.swap_into(TARGET, ExistingTarget::Replace).await;
    swapped.unwrap();
    let target = fixture.find(TARGET).await;
    assert_eq!(target.definition().await.unwrap().indexes.len(), 3);
    for _ in 0..2 {
        staging.build_expiring_at(TARGET, &blueprint).await.unwrap();
    }
    assert_eq!(target.definition().await.unwrap(), definition);
    fixture.close().await;
}

#[tokio::test]
async fn a_violated_unique_index_is_refused_and_staging_stays() {
    let fixture = Fixture::new().await;
    let indexes = vec![
        doc! { "key": { "a": 1 }, "name": "good" },
        doc! { "key": { "text": 1 }, "name": "violated", "unique": true },
    ];
    let definition = source(&fixture, doc! {}, indexes).await;
    let blueprint = Blueprint::read(&definition).unwrap();
    let staging = filled(&fixture, &blueprint).await;
    let error = staging.build_indexes(&blueprint).await.unwrap_err();
    assert!(matches!(error, Error::IndexRefused { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("--no-indexes"));
    assert_eq!(staging.count().await.unwrap(), 20);
    fixture.close().await;
}

#[tokio::test]
async fn a_validator_is_restored_without_refusing_existing_documents() {
    let fixture = Fixture::new().await;
    let options = doc! {
        "validator": { "z": { "$exists": true }, "a": 1 },
        "validationLevel": "strict",
        "validationAction": "error",
    };
    let definition = source(
        &fixture,
        options,
        vec![doc! { "key": { "a": 1 }, "name": "a" }],
    )
    .await;
    let blueprint = Blueprint::read(&definition).unwrap();
    assert_eq!(blueprint.left_out(), [""; 0]);
    let staging = filled(&fixture, &blueprint).await;
    staging.build_indexes(&blueprint).await.unwrap();
    let swapped = staging.swap_into(TARGET, ExistingTarget::Replace).await;
    swapped.unwrap();
    let target = fixture.find(TARGET).await;
    assert_eq!(target.definition().await.unwrap(), definition);
    fixture.close().await;
}

#[tokio::test]
async fn documents_old_enough_to_expire_are_counted() {
    let fixture = Fixture::new().await;
    let ago = |seconds: i64| {
        let millis = DateTime::now().timestamp_millis() - seconds * 1000;
        DateTime::from_millis(millis)
    };
    let documents = [
        rawdoc! { "_id": 0, "t": ago(7200), "u": ago(0) },
        rawdoc! { "_id": 1, "t": [ago(-9000), ago(9000)] },
        rawdoc! { "_id": 2, "t": ago(600) },
        rawdoc! { "_id": 3, "t": "2020-01-01", "u": ago(1800) },
        rawdoc! { "_id": 4 },
    ];
    let staging = fixture.staging().await;
    staging.insert(&batch(&documents)).await.unwrap();
    let index = |field: &str, seconds: i64| {
        let filter = "\"partialFilterExpression\":{\"x\":1}";
        format!(
            r#"{{"key":{{"{field}":1}},"name":"{field}","expireAfterSeconds":{seconds},{filter}}}"#
        )
    };
    let count = async |indexes: &[(&str, i64)]| {
        let indexes = indexes.iter().map(|(field, age)| index(field, *age));
        let blueprint = Blueprint::read(&Definition {
            indexes: indexes.collect(),
            options: None,
        });
        let hour = Duration::from_secs(3600);
        staging
            .expiring_within(&blueprint.unwrap(), hour)
            .await
            .unwrap()
    };
    assert_eq!(count(&[("t", 7200)]).await.documents, 2);
    assert_eq!(count(&[("t", 7200), ("u", 4800)]).await.documents, 3);
    assert_eq!(count(&[("t", 86_400), ("$t", 0)]).await.documents, 0);
    assert_eq!(count(&[]).await.documents, 0);
    fixture.close().await;
}
