//! An export from a lagging secondary of a real replica set waits or fails, and never misses what
//! the primary had when the run was planned.
//!
//! It needs the replica set in `LOB_E2E_MONGODB_PAIR`; `crates/mongo` tests the same on the double.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bson::{Document, doc};
use lob_tests::servers::{Gates, Servers};
use mongodb::Client;

/// Connects directly to the member that never becomes the primary.
async fn secondary(primary: &Client) -> (Client, String) {
    let hello = admin(primary, doc! { "hello": 1 }).await;
    let host = hello.get_array("passives").unwrap()[0].as_str().unwrap();
    let uri = format!("mongodb://{host}/?directConnection=true");
    (Client::with_uri_str(&uri).await.unwrap(), uri)
}

async fn admin(client: &Client, command: Document) -> Document {
    let admin = client.database("admin");
    admin.run_command(command).await.unwrap()
}

/// Inserts documents, and returns once `members` members of the set have them.
async fn insert(servers: &Servers, ids: std::ops::Range<i32>, members: i32) {
    let documents: Vec<_> = ids.map(|id| doc! { "_id": id }).collect();
    let concern = doc! { "w": members };
    let command =
        doc! { "insert": "split_0_input", "documents": documents, "writeConcern": concern };
    let database = servers.mongo.database(&servers.database);
    database.run_command(command).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_from_a_lagging_secondary_fails_until_it_catches_up() {
    let Ok(uri) = std::env::var("LOB_E2E_MONGODB_PAIR") else {
        return lob_testkit::skipped("no real replica set is named");
    };
    let mut servers = Servers::doubles(Gates::default()).await;
    servers.mongo = Client::with_uri_str(&uri).await.unwrap();
    servers.mongodb_uri = format!("{uri}&readPreference=secondary");
    let (secondary, direct) = secondary(&servers.mongo).await;
    insert(&servers, 0..100, 2).await;
    let stop = |mode| doc! { "configureFailPoint": "rsSyncApplyStop", "mode": mode };
    admin(&secondary, stop("alwaysOn")).await;
    insert(&servers, 100..200, 1).await;

    let soon = ["operation", "retry"].map(|what| format!("--mongodb-{what}-timeout=1s"));
    let soon = [soon[0].as_str(), soon[1].as_str()];
    for kind in [&[][..], &["--snapshot"]] {
        let arguments = [&["--run-id", "short"][..], kind, &soon].concat();
        servers.run("lob-export", &arguments).await.with_status(1);
        assert_eq!(servers.keys().await, [""; 0]);
    }
    let arguments = ["--mongodb-uri", &direct];
    let refused = servers.run("lob-export", &arguments).await.with_status(1);
    assert!(
        refused
            .stderr
            .contains("is not the primary of the replica set")
    );

    admin(&secondary, stop("off")).await;
    for (run, kind) in [("live", &[][..]), ("moment", &["--snapshot"])] {
        let arguments = [&["--run-id", run][..], kind].concat();
        servers.run("lob-export", &arguments).await.with_status(0);
        assert_eq!(servers.manifest(run).await["total_documents"], 200);
    }
    let database = servers.mongo.database(&servers.database);
    database.drop().await.unwrap();
}
