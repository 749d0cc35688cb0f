//! Indexes and options of a collection are restored with its documents.

use bson::{Document, doc};
use futures::TryStreamExt as _;
use lob_tests::servers::Servers;

use super::{out_and_back, split_documents};

/// Indexes and options of a collection, as the server lists them.
async fn definition(servers: &Servers, collection: &str) -> (Vec<Document>, Document) {
    let database = servers.mongo.database(&servers.database);
    let listed = database
        .run_cursor_command(doc! { "listIndexes": collection })
        .await;
    let indexes = listed.unwrap().try_collect().await.unwrap();
    let named = doc! { "listCollections": 1, "filter": { "name": collection } };
    let listed = database.run_cursor_command(named).await.unwrap();
    let listed: Vec<Document> = listed.try_collect().await.unwrap();
    let options = listed[0].get_document("options").unwrap().clone();
    (indexes, options)
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_and_validator_come_back_with_the_documents() {
    let servers = Servers::start().await;
    let database = servers.mongo.database(&servers.database);
    let create = doc! {
        "create": "split_0_input",
        "validator": { "role": { "$exists": true }, "a": { "$exists": false } },
        "validationLevel": "moderate",
        "validationAction": "warn",
    };
    database.run_command(create).await.unwrap();
    if let Some(doubles) = &servers.doubles {
        // The double does not validate, and refuses inserts that do not ask to bypass validation.
        let documents = split_documents(300, 8);
        let loaded = doubles
            .mongo
            .load(&servers.database, "split_0_input", documents);
        loaded.unwrap();
    } else {
        servers
            .insert("split_0_input", &split_documents(300, 8))
            .await;
    }
    let indexes = vec![
        doc! { "key": { "timestamp": 1, "role": -1, "a": 1_i64 }, "name": "three" },
        doc! { "key": { "timestamp": 1 }, "name": "old", "expireAfterSeconds": 1_000_000_000 },
        doc! { "key": { "role": 1, "_id": 1 }, "name": "unique", "unique": true },
    ];
    let build = doc! { "createIndexes": "split_0_input", "indexes": indexes };
    database.run_command(build).await.unwrap();
    out_and_back(&servers).await;
    let sorted = |(mut indexes, options): (Vec<Document>, Document)| {
        indexes.sort_by_key(|index| index.get_str("name").unwrap().to_owned());
        (indexes, options)
    };
    assert_eq!(
        sorted(definition(&servers, "back_0").await),
        sorted(definition(&servers, "split_0_input").await)
    );
}
