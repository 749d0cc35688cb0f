//! If a collection is dropped or replaced while it is exported, the export fails and publishes
//! nothing, and so does the same command afterwards.

use lob_testkit::proxy::Proxy;
use lob_testkit::wait::until;
use lob_tests::servers::Servers;
use lob_tests::tool::Ended;

use crate::{EXPORT, document};

const PLAN: &str = "processed-splits/r1/_progress/plan.json";
const MANIFEST: &str = "processed-splits/r1/manifest.json";
/// Bytes per second while the collection still exists: too few to finish any data file.
const SLOW: u64 = 20_000;

/// Makes `change` while an export runs that cannot get far before the change is done.
async fn changed_meanwhile(servers: &mut Servers, change: impl AsyncFnOnce(&Servers)) {
    let documents: Vec<_> = (0..4000).map(|id| document(id, 9)).collect();
    servers.insert("split_0_input", &documents).await;
    let proxy = Proxy::start(&servers.s3_endpoint).unwrap();
    let direct = std::mem::replace(&mut servers.s3_endpoint, proxy.endpoint());
    proxy.limit_uplink(Some(SLOW));
    let child = servers.spawn("lob-export", &EXPORT);
    until("the plan is written", async || {
        servers.keys().await.iter().any(|key| key == PLAN)
    })
    .await;
    servers.s3_endpoint = direct;
    change(servers).await;
    proxy.limit_uplink(None);
    let ended = Ended::from(child.wait_with_output().await.unwrap());
    let stderr = ended.with_status(1).stderr;
    let namespace = format!("{}.split_0_input", servers.database);
    assert!(stderr.contains(&namespace), "{stderr}");
    servers.run("lob-export", &EXPORT).await.with_status(1);
    assert!(!servers.keys().await.iter().any(|key| key == MANIFEST));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_collection_during_an_export_fails_it_and_publishes_nothing() {
    let mut servers = Servers::start().await;
    changed_meanwhile(&mut servers, async |servers| {
        let database = servers.mongo.database(&servers.database);
        let collection = database.collection::<bson::Document>("split_0_input");
        collection.drop().await.unwrap();
    })
    .await;
    lob_testkit::fault_fired("E12");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_replaces_a_collection_during_its_export_fails_the_export() {
    let mut servers = Servers::start().await;
    let others: Vec<_> = (0..50).map(|id| document(-1 - id, 1)).collect();
    servers.insert("split_0_input", &others).await;
    let export = ["--run-id", "other"];
    servers.run("lob-export", &export).await.with_status(0);
    changed_meanwhile(&mut servers, async |servers| {
        let import = ["--run-id", "other", "--max-shrink", "100%"];
        servers.run("lob-import", &import).await.with_status(0);
    })
    .await;
}
