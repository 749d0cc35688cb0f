//! A snapshot export: documents that change after the plan are exported as they were.
//!
//! Neither the double nor MongoDB before 5.0 has snapshots; they must refuse such an export.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bson::doc;
use lob_testkit::split_documents::SplitDocuments;
use lob_tests::servers::Servers;

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_export_has_every_document_as_it_was_when_the_run_was_planned() {
    let servers = Servers::start().await;
    let documents: Vec<_> = SplitDocuments::new(1, 8).take(300).collect();
    servers.insert("split_0_input", &documents).await;
    let run = ["--run-id", "r1"];
    let plan = [&run[..], &["plan", "--snapshot", "--ranges", "4"]].concat();
    let planned = servers.run("lob-export", &plan).await;
    if servers.doubles.is_some() || !servers.version.reads_snapshots() {
        let stderr = planned.with_status(1).stderr;
        assert!(stderr.contains("leave out --snapshot"), "{stderr}");
        assert_eq!(servers.keys().await, [""; 0]);
        return;
    }
    planned.with_status(0);

    let database = servers.mongo.database(&servers.database);
    let collection = database.collection::<bson::Document>("split_0_input");
    let changed = doc! { "$set": { "features": [0.0] } };
    let updated = collection.update_many(doc! { "fold_id": 1 }, changed).await;
    assert!(updated.unwrap().modified_count > 0);
    let deleted = collection.delete_many(doc! { "fold_id": 2 }).await;
    assert!(deleted.unwrap().deleted_count > 0);
    let new = (0..50).map(|id| doc! { "_id": id });
    collection.insert_many(new).await.unwrap();

    for command in [
        &["work", "--worker", "0/2"][..],
        &["work", "--worker", "1/2"],
        &["commit"],
    ] {
        let arguments = [command, &run].concat();
        servers.run("lob-export", &arguments).await.with_status(0);
    }
    let split = servers.manifest("r1").await["splits"][0].clone();
    assert_eq!(split["ranges"], 4);
    assert!(
        split["consistency"]["snapshot"]["seconds"]
            .as_u64()
            .unwrap()
            > 0,
        "{split:#}"
    );
    let import = [&run[..], &["--collection-pattern", "back_{N}"]].concat();
    servers.run("lob-import", &import).await.with_status(0);
    let back = servers.documents(&servers.database, "back_0").await;
    assert!(back == documents, "not as it was");
}
