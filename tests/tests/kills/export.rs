//! An export that was killed and started again equals one that nothing disturbed.

use std::collections::BTreeSet;

use lob_testkit::manifests::without;
use lob_tests::kills::{assert_in_time, kill, moments, repeat, undisturbed};
use lob_tests::servers::Servers;
use serde_json::Value;

use crate::{EXPORT, assert_imports, fill};

/// Manifest fields, at any level, that differ between two runs over the same documents.
const OF_THE_RUN: [&str; 9] = [
    "run_id",
    "export_timestamp",
    "started",
    "finished",
    "write_token",
    "metrics",
    "s3_path",
    "etag",
    "version_id",
];

const RECORDS: &str = "_progress/split_";

#[tokio::test(flavor = "multi_thread")]
async fn an_export_killed_at_random_moments_and_rerun_equals_an_undisturbed_one() {
    let servers = Servers::start().await;
    let splits = fill(&servers).await;
    let time = undisturbed(&servers, "lob-export", &arguments("whole")).await;
    let whole = manifest(&servers, "whole").await;

    let (mut resumed, mut killed) = (0, 0);
    for (number, moment) in moments(time).into_iter().enumerate() {
        let run = format!("killed-{number}");
        killed += kill(&servers, "lob-export", &arguments(&run), moment).await;
        let had = objects(&servers, &run).await;
        resumed += u64::from(had.iter().any(|(key, _)| key.ends_with(".parquet")));
        repeat(&servers, "lob-export", &arguments(&run), moment).await;
        let has = objects(&servers, &run).await;
        // MinIO can lose an upload if the client dies while completing it; then, and only then, the
        // record is replaced.
        let gone = had.difference(&has).map(|(name, _)| name);
        let gone: Vec<_> = gone.filter(|name| !name.starts_with(RECORDS)).collect();
        assert_eq!(gone, [""; 0], "{run}, {moment:?}");
        assert_eq!(manifest(&servers, &run).await, whole, "{run}, {moment:?}");
        assert_is_whole(&servers, &run).await;
        assert_imports(&servers, &run, &splits).await;
    }
    println!("{resumed} runs had data files already");
    assert_in_time(killed);
    lob_testkit::fault_fired("C1");
}

pub(crate) fn arguments(run: &str) -> Vec<&str> {
    [&["--run-id", run][..], &EXPORT].concat()
}

/// A run's manifest without the fields that are specific to the run.
pub(crate) async fn manifest(servers: &Servers, run: &str) -> Value {
    without(servers.manifest(run).await, &OF_THE_RUN)
}

/// Asserts that the run's folder holds exactly the manifest, the data files it names and the
/// progress files, and that no upload was left open.
pub(crate) async fn assert_is_whole(servers: &Servers, run: &str) {
    let manifest = servers.manifest(run).await;
    let splits = manifest["splits"].as_array().unwrap().iter();
    let files = splits.flat_map(|split| split["files"].as_array().unwrap());
    let keys = files.map(|file| file["key"].as_str().unwrap().to_owned());
    let named: BTreeSet<_> = keys.chain(["manifest.json".to_owned()]).collect();
    let found = objects(servers, run).await.into_iter();
    let found = found.map(|(name, _)| name);
    let found: BTreeSet<_> = found
        .filter(|name| !name.starts_with("_progress/"))
        .collect();
    assert_eq!(found, named);
    let open = servers.s3.list_multipart_uploads().bucket(&servers.bucket);
    let folder = format!("processed-splits/{run}/");
    let open = open.send().await.unwrap();
    let mut keys = open.uploads().iter().filter_map(|upload| upload.key());
    assert_eq!(keys.find(|key| key.starts_with(&folder)), None);
}

/// The names of the objects in the run's folder, each with its modification time and ETag.
async fn objects(servers: &Servers, run: &str) -> BTreeSet<(String, String)> {
    let folder = format!("processed-splits/{run}/");
    let list = servers.s3.list_objects_v2().bucket(&servers.bucket);
    let listed = list.prefix(&folder).send().await.unwrap();
    let objects = listed.contents().iter().map(|object| {
        let name = object.key().unwrap().strip_prefix(&folder).unwrap();
        let written = format!("{:?} {:?}", object.last_modified(), object.e_tag());
        (name.to_owned(), written)
    });
    objects.collect()
}
