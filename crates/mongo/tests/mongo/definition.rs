//! A collection's indexes and options are reported exactly, including the order of fields.

use bson::doc;
use lob_mongo::{Definition, Error};

use crate::fixture::{Fixture, numbered};

const NAME: &str = "split_0_input";

#[tokio::test]
async fn indexes_and_options_are_reported_with_their_field_order() {
    let fixture = Fixture::new().await;
    let options = doc! { "create": NAME, "validator": { "z": { "$exists": true }, "a": 1 } };
    fixture.driver.run_command(options).await.unwrap();
    let indexes = doc! { "createIndexes": NAME, "indexes": [
        { "key": { "z": 1, "a": -1_i64, "m": 1.0 }, "name": "three" },
        { "key": { "t": 1 }, "name": "old", "expireAfterSeconds": 60, "sparse": true },
    ] };
    fixture.driver.run_command(indexes).await.unwrap();
    let definition = fixture.find(NAME).await.definition().await.unwrap();
    let three = r#"{"z":{"$numberInt":"1"},"a":{"$numberLong":"-1"},"m":{"$numberDouble":"1.0"}}"#;
    assert_eq!(definition.indexes.len(), 3);
    assert!(definition.indexes[0].contains(r#""name":"_id_""#));
    assert!(definition.indexes[1].contains(three), "{definition:?}");
    assert!(definition.indexes[2].contains("expireAfterSeconds"));
    let validator = r#"{"validator":{"z":{"$exists":true},"a":{"$numberInt":"1"}}"#;
    assert!(
        definition.options.as_ref().unwrap().starts_with(validator),
        "{definition:?}"
    );
    fixture.close().await;
}

#[tokio::test]
async fn a_collection_that_is_gone_has_no_definition() {
    let fixture = Fixture::new().await;
    let collection = fixture.collection(NAME, &numbered(1)).await;
    let plain = collection.definition().await.unwrap();
    assert_eq!((plain.indexes.len(), plain.options), (1, None));
    fixture.drop_collection(NAME).await;
    let gone: Result<Definition, _> = collection.definition().await;
    assert!(matches!(gone, Err(Error::Replaced { .. })), "{gone:?}");
    fixture.collection(NAME, &numbered(1)).await;
    let other = collection.definition().await;
    assert!(matches!(other, Err(Error::Replaced { .. })), "{other:?}");
    fixture.close().await;
}
