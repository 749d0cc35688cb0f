//! Exports: killed at any request, a run is whole or does not exist, no data file lacks a record,
//! and the same command completes the run; a lost reply changes nothing.

use std::sync::{Arc, LazyLock, Mutex};

use bson::spec::BinarySubtype;
use bson::{Binary, RawDocumentBuf, rawdoc};
use bytes::Bytes;
use lob_testkit::split_documents::SplitDocuments;
use lob_tests::servers::Servers;
use serde_json::Value;

use crate::cut::{At, Fate, at_every_request, killed};
use crate::{doubles, has, load};

/// Produces several ranges and data files for split 0, and one data file of two parts for split 1.
pub(crate) const SIZES: [&str; 12] = [
    "--ranges",
    "2",
    "--file-size",
    "30KiB",
    "--row-group-size",
    "10KiB",
    "--part-size",
    "5MiB",
    "--columns-sample",
    "2",
    "--compression",
    "none",
];

/// Many small documents, and a few large enough to fill parts.
pub(crate) static SPLITS: LazyLock<[Vec<RawDocumentBuf>; 2]> = LazyLock::new(|| {
    let large = |id| {
        let bytes = vec![id as u8; 3 << 20];
        let subtype = BinarySubtype::Generic;
        rawdoc! { "_id": id, "role": "train", "noise": Binary { subtype, bytes } }
    };
    [
        SplitDocuments::new(7, 40).take(120).collect(),
        (0..3_i32).map(large).collect(),
    ]
});

/// Fills the collections to export.
pub(crate) fn load_splits(servers: &Servers) {
    for (split, documents) in SPLITS.iter().enumerate() {
        load(servers, &format!("split_{split}_input"), documents);
    }
}

/// The arguments of an export with this run id. With so little read ahead, no connection is too slow
/// for one cursor: the number of requests depends on nothing but the documents.
pub(crate) fn arguments(run: &str) -> Vec<&str> {
    let fixed = ["--run-id", run, "--read-ahead", "8MiB"];
    [&fixed[..], &SIZES].concat()
}

/// A run's data files: names relative to the run's folder, and bytes.
fn data_files(servers: &Servers, run: &str) -> Vec<(String, Bytes)> {
    let (s3, folder) = (&doubles(servers).s3, format!("processed-splits/{run}/"));
    let keys = s3.keys(&servers.bucket).into_iter();
    keys.filter_map(|key| {
        let name = key.strip_prefix(&folder)?;
        let object = s3.object(&servers.bucket, &key)?;
        name.ends_with(".parquet")
            .then(|| (name.to_owned(), object.bytes))
    })
    .collect()
}

/// The keys and ETags of all objects.
fn objects(servers: &Servers) -> Vec<(String, String)> {
    let s3 = &doubles(servers).s3;
    let keys = s3.keys(&servers.bucket).into_iter();
    keys.filter_map(|key| {
        let etag = s3.object(&servers.bucket, &key)?.etag;
        Some((key, etag))
    })
    .collect()
}

fn json(servers: &Servers, key: &str) -> Value {
    let object = doubles(servers).s3.object(&servers.bucket, key).unwrap();
    serde_json::from_slice(&object.bytes).unwrap()
}

/// The name of the data file that a record describes.
fn data_file(record: &Value) -> String {
    let number = |field| record[field].as_u64().unwrap();
    let (split, range, sequence) = (number("split_id"), number("range"), number("sequence"));
    format!("split_{split}.parquet/part-{range:05}-{sequence:05}.parquet")
}

/// Checks that a record gives the size and CRC64NVME of every data file.
pub(crate) fn check_records(servers: &Servers, run: &str) -> Result<(), String> {
    // List the files first: a record added in the meantime does no harm.
    let files = data_files(servers, run);
    let (s3, folder) = (&doubles(servers).s3, format!("processed-splits/{run}/"));
    let keys = s3.keys(&servers.bucket);
    let is_record = |key: &&String| key.starts_with(&format!("{folder}_progress/split_"));
    let records: Vec<_> = keys.iter().filter(is_record).collect();
    let records: Vec<_> = records.iter().map(|key| json(servers, key)).collect();
    for (name, bytes) in files {
        let record = records
            .iter()
            .find(|record| data_file(record) == name)
            .ok_or_else(|| format!("no record describes `{name}`"))?;
        let crc = lob_testkit::s3::crc64nvme(&bytes);
        let mut descriptions = record["descriptions"].as_array().unwrap().iter();
        if !descriptions.any(|file| file["size_bytes"] == bytes.len() && file["crc64nvme"] == crc) {
            return Err(format!("`{name}` is not what its record says: {record}"));
        }
    }
    Ok(())
}

/// Checks them whenever an object has changed, which most requests do not do.
pub(crate) fn watch_records(
    run: &'static str,
) -> impl Fn(&Servers) -> Result<(), String> + Send + Sync {
    let checked = Mutex::default();
    move |servers| {
        let objects = objects(servers);
        let mut checked = checked.lock().unwrap();
        if *checked != objects {
            check_records(servers, run)?;
            *checked = objects;
        }
        Ok(())
    }
}

/// Servers with an undisturbed export `r1`, and its data files.
pub(crate) async fn exported() -> (Servers, Vec<(String, Bytes)>) {
    let servers = Servers::doubles(<_>::default()).await;
    load_splits(&servers);
    let export = servers.run("lob-export", &arguments("r1")).await;
    export.with_status(0);
    let files = data_files(&servers, "r1");
    (servers, files)
}

/// The files of an undisturbed export; the same documents always give the same files.
pub(crate) async fn undisturbed() -> Vec<(String, Bytes)> {
    let (_, files) = exported().await;
    let of_split = |split| {
        let folder = format!("split_{split}.parquet/");
        files
            .iter()
            .filter(|(name, _)| name.starts_with(&folder))
            .collect::<Vec<_>>()
    };
    assert!(of_split(0).len() > 1);
    let is_in_parts = |file: &&(String, Bytes)| file.1.len() > 5 << 20;
    assert!(
        of_split(1).into_iter().any(|file| is_in_parts(&file)),
        "two parts"
    );
    files
}

pub(crate) fn assert_whole(servers: &Servers, run: &str, files: &[(String, Bytes)]) {
    assert!(data_files(servers, run) == files, "other files");
    check_records(servers, run).unwrap();
    let manifest = json(servers, &format!("processed-splits/{run}/manifest.json"));
    let listed = manifest["splits"].as_array().unwrap().iter();
    let listed: Vec<_> = listed
        .flat_map(|split| split["files"].as_array().unwrap())
        .collect();
    assert_eq!(listed.len(), files.len());
    for (entry, (name, bytes)) in listed.iter().zip(files) {
        assert_eq!(entry["key"], **name);
        assert_eq!(
            entry["sha256"],
            lob_core::checksum::Sha256::of(bytes).to_string()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_killed_at_any_request_is_whole_or_does_not_exist() {
    let files = &undisturbed().await;
    let moments = [At::Arrived, At::Executed];
    at_every_request(&moments, Fate::Hold, async |cut, mut reaches, servers| {
        load_splits(&servers);
        let manifest = "processed-splits/r1/manifest.json";
        let child = servers.spawn("lob-export", &arguments("r1"));
        let servers = &Arc::new(servers);
        let (watched, records) = (Arc::downgrade(servers), watch_records("r1"));
        cut.watch(move || {
            let servers = watched.upgrade();
            servers.map_or(Ok(()), |servers| records(&servers))
        });
        match killed(child, &cut, &mut reaches).await {
            Some(held) if !has(servers, manifest) => {
                let published = cut.at() == At::Executed && held == format!("PutObject {manifest}");
                assert!(!published, "{held}");
                check_records(servers, "r1").unwrap();
            }
            // Finished, or killed while the manifest was being written: everything it names exists.
            _ => assert_whole(servers, "r1", files),
        }
        servers
            .run("lob-export", &arguments("r1"))
            .await
            .with_status(0);
        assert_whole(servers, "r1", files);
        assert_eq!(doubles(servers).s3.open_uploads(&servers.bucket), []);
    })
    .await;
    lob_testkit::fault_fired("C1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_loses_any_one_reply_is_whole() {
    let files = &undisturbed().await;
    at_every_request(
        &[At::Executed],
        Fate::Disconnect,
        async |_, mut reaches, servers| {
            load_splits(&servers);
            let ended = servers.run("lob-export", &arguments("r1")).await;
            let lost = reaches.try_recv();
            assert_eq!(ended.status, Some(0), "{lost:?}\n{}", ended.stderr);
            assert_whole(&servers, "r1", files);
        },
    )
    .await;
}
