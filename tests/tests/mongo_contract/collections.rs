//! Creating, renaming, listing, measuring and dropping collections.

use bson::{Bson, doc, rawdoc};

use crate::subject::{Subject, code, first_batch, fresh_uuid, numbered, raw, write_errors};

#[tokio::test]
async fn a_command_with_another_collections_uuid_does_nothing() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(2)).await;
    let own = subject.uuid("c").await;
    if !subject.version.takes_collection_uuid() {
        // Only `drop` silently ignores it: the tools never send it to such a server.
        for (unknown, mut command) in [
            (9, doc! { "find": "c" }),
            (40415, doc! { "insert": "c", "documents": [{ "_id": 7 }] }),
            (9, doc! { "aggregate": "c", "pipeline": [], "cursor": {} }),
        ] {
            command.insert("collectionUUID", fresh_uuid());
            assert_eq!(subject.refusal(raw(&command)).await, unknown, "{command}");
        }
        let other = doc! { "collectionUUID": fresh_uuid() };
        let refused = subject.rename("c", "d", other.clone()).await;
        assert_eq!(code(&refused.unwrap_err()), 40415);
        assert_eq!(subject.stored("c").await.len(), 2);
        let mut drop = doc! { "drop": "c" };
        drop.extend(other);
        subject.run(raw(&drop)).await;
        assert_eq!(subject.stored("c").await.len(), 0);
        subject.drop().await;
        return;
    }
    subject
        .run(raw(&doc! { "find": "c", "collectionUUID": &own }))
        .await;
    let insert = doc! { "insert": "c", "documents": [{ "_id": 7 }], "collectionUUID": &own };
    subject.run(raw(&insert)).await;
    let sample =
        doc! { "aggregate": "c", "pipeline": [{ "$sample": { "size": 1 } }], "cursor": {} };
    for collection in ["c", "missing"] {
        let other = fresh_uuid();
        for mut command in [
            doc! { "find": collection },
            doc! { "drop": collection },
            sample.clone(),
        ] {
            command.insert("collectionUUID", &other);
            assert_eq!(subject.refusal(raw(&command)).await, 361, "{command}");
        }
        let rename = subject
            .rename(collection, "d", doc! { "collectionUUID": &other })
            .await;
        assert_eq!(code(&rename.unwrap_err()), 361);
        for (ordered, expected) in [(true, vec![(0, 361)]), (false, vec![(0, 361), (1, 361)])] {
            let documents = doc! { "insert": collection, "ordered": ordered, "documents": [{ "_id": 8 }, { "_id": 9 }], "collectionUUID": &other };
            let reply = subject.run(raw(&documents)).await;
            assert_eq!(reply.get_i32("n").unwrap(), 0);
            assert_eq!(write_errors(&reply), expected);
        }
    }
    assert_eq!(subject.stored("c").await.len(), 3);
    let names = subject.database.list_collection_names().await.unwrap();
    assert_eq!(names, ["c"]);
    subject
        .rename("c", "d", doc! { "collectionUUID": &own })
        .await
        .unwrap();
    subject
        .run(raw(&doc! { "drop": "d", "collectionUUID": &own }))
        .await;
    subject.drop().await;
}

#[tokio::test]
async fn a_rename_keeps_the_uuid_and_replaces_only_on_request() {
    let subject = Subject::new().await;
    subject.insert("staging", &numbered(3)).await;
    subject.insert("target", &numbered(1)).await;
    let uuid = subject.uuid("staging").await;
    let refused = subject
        .rename("staging", "target", doc! { "dropTarget": false })
        .await;
    assert_eq!(code(&refused.unwrap_err()), 48);
    assert_eq!(subject.stored("target").await.len(), 1);
    let options = doc! { "dropTarget": true, "writeConcern": { "w": "majority" } };
    subject.rename("staging", "target", options).await.unwrap();
    assert_eq!(subject.uuid("target").await, uuid);
    assert_eq!(subject.stored("target").await.len(), 3);
    let gone = subject
        .rename("staging", "target", doc! { "dropTarget": true })
        .await;
    assert_eq!(code(&gone.unwrap_err()), 26);
    let itself = subject.rename("target", "target", doc! {}).await;
    assert_eq!(code(&itself.unwrap_err()), subject.since_5_0(20, 48));
    let elsewhere = rawdoc! { "renameCollection": "a.b", "to": "a.c" };
    assert_eq!(subject.refusal(elsewhere).await, 13);
    subject.drop().await;
}

#[tokio::test]
async fn collections_are_created_listed_and_dropped() {
    let subject = Subject::new().await;
    subject
        .run(rawdoc! { "create": "plain", "writeConcern": { "w": "majority" } })
        .await;
    assert_eq!(subject.refusal(rawdoc! { "create": "plain" }).await, 48);
    subject
        .run(rawdoc! { "create": "view", "viewOn": "plain", "pipeline": [] })
        .await;
    let series = rawdoc! { "create": "series", "timeseries": { "timeField": "t" } };
    if subject.version.has_time_series() {
        subject.run(series).await;
    } else {
        assert_eq!(subject.refusal(series).await, 40415);
    }
    subject
        .run(rawdoc! { "create": "collated", "collation": { "locale": "en" } })
        .await;
    let listed = subject
        .run(rawdoc! { "listCollections": 1, "filter": { "name": "plain" } })
        .await;
    let plain = first_batch(&listed).remove(0);
    assert_eq!(plain.get_str("type").unwrap(), "collection");
    assert_eq!(plain["options"], doc! {}.into());
    assert_eq!(
        plain["idIndex"],
        doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }.into()
    );
    let uuid = &plain.get_document("info").unwrap()["uuid"];
    assert!(
        matches!(uuid, Bson::Binary(binary) if u8::from(binary.subtype) == 4 && binary.bytes.len() == 16)
    );
    let all = first_batch(
        &subject
            .run(rawdoc! { "listCollections": 1, "nameOnly": true })
            .await,
    );
    let kind = |name: &str| {
        let found = all.iter().find(|entry| entry["name"] == Bson::from(name));
        found.map(|entry| entry.get_str("type").unwrap())
    };
    assert_eq!(
        [kind("plain"), kind("view"), kind("series")],
        [
            Some("collection"),
            Some("view"),
            subject.since_5_0(Some("timeseries"), None)
        ]
    );
    let filter = rawdoc! { "listCollections": 1, "filter": { "name": "collated" } };
    let collated = first_batch(&subject.run(filter).await).remove(0);
    let collation = collated
        .get_document("options")
        .unwrap()
        .get_document("collation")
        .unwrap();
    assert_eq!(collation.get_str("locale").unwrap(), "en");
    assert_eq!(subject.write_errors("view", &numbered(1)).await, [(0, 166)]);
    assert_eq!(subject.refusal(rawdoc! { "collStats": "view" }).await, 166);
    subject.run(rawdoc! { "drop": "plain" }).await;
    assert_eq!(subject.refusal(rawdoc! { "drop": "plain" }).await, 26);
    let databases = subject.client.list_database_names().await.unwrap();
    assert!(databases.iter().any(|name| name == subject.database.name()));
    assert_eq!(subject.refusal(rawdoc! { "listDatabases": 1 }).await, 13);
    subject.drop().await;
}

#[tokio::test]
async fn statistics_report_the_mean_document_size() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(4)).await;
    let statistics = subject.run(rawdoc! { "collStats": "c" }).await;
    let number = |name| statistics.get_i32(name).unwrap();
    assert_eq!(
        (number("count"), number("size"), number("avgObjSize")),
        (4, 4 * 14, 14)
    );
    assert!(number("storageSize") >= 0 && number("totalIndexSize") >= 0);
    subject.drop().await;
}

#[tokio::test]
async fn database_statistics_report_how_full_the_disk_is() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(1)).await;
    let statistics = subject.run(rawdoc! { "dbStats": 1 }).await;
    let [used, total] = ["fsUsedSize", "fsTotalSize"].map(|n| statistics.get_f64(n).unwrap());
    assert!(0.0 < used && used < total, "{used} of {total}");
    assert_eq!(used.fract() + total.fract(), 0.0);
    assert_eq!(statistics.get_str("db").unwrap(), subject.database.name());
    subject.drop().await;
}
