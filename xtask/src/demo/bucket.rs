//! A run in the bucket, seen from outside: its objects, its manifest, what S3 attests.

use std::fs;

use anyhow::{Context as _, ensure};
use aws_sdk_s3::types::ChecksumMode;
use lob_testkit::s3::crc64nvme;
use serde_json::Value;

use super::feed::FeedFile;
use super::manifest_fields::{entries, text};
use super::servers::Servers;

pub(super) struct Run {
    /// The run's folder, with a trailing `/`.
    folder: String,
    pub(super) manifest: Value,
    /// Keys below the folder, with sizes in bytes.
    objects: Vec<(String, i64)>,
}

impl Run {
    /// Reads what this demo's run has below `prefix`.
    pub(super) async fn read(servers: &Servers, prefix: &str) -> anyhow::Result<Self> {
        let folder = format!("{prefix}/{}/", servers.run_id);
        let manifest = get(servers, &format!("{folder}manifest.json")).await?;
        let manifest = serde_json::from_slice(&manifest).context("the manifest is not JSON")?;
        let list = servers
            .s3
            .list_objects_v2()
            .bucket(&servers.bucket)
            .prefix(&folder);
        let list = list.send().await?;
        ensure!(
            list.is_truncated != Some(true),
            "more objects than a demo makes"
        );
        let objects = list.contents().iter().filter_map(|object| {
            let key = object.key()?.strip_prefix(&folder)?;
            Some((key.to_owned(), object.size().unwrap_or_default()))
        });
        let objects = objects.collect();
        Ok(Self {
            folder,
            manifest,
            objects,
        })
    }

    pub(super) fn show_objects(&self) {
        println!("\nObjects in {}", self.folder);
        for (key, bytes) in &self.objects {
            println!("{bytes:>12} bytes  {key}");
        }
    }
}

/// Fetches every uploaded file and compares it with the one on disk.
pub(super) async fn verify_files(
    servers: &Servers,
    run: &Run,
    files: &[FeedFile],
) -> anyhow::Result<()> {
    let listed = entries(&run.manifest, "files")?;
    ensure!(
        listed.len() == files.len(),
        "the manifest lists {} files",
        listed.len()
    );
    for FeedFile { name, path } in files {
        let stored = get(servers, &format!("{}{name}", run.folder)).await?;
        ensure!(
            stored == fs::read(path)?,
            "`{name}` is not what was uploaded"
        );
        let entry = listed.iter().find(|entry| text(&entry["key"]) == *name);
        let entry = entry.with_context(|| format!("the manifest does not list `{name}`"))?;
        ensure!(
            text(&entry["crc64nvme"]) == crc64nvme(&stored),
            "the manifest has another CRC of `{name}`"
        );
        println!("{name}: all {} bytes are equal", stored.len());
    }
    verify_attested(servers, run).await
}

/// Compares each data file's CRC64NVME in the manifest with the one that S3 computed.
pub(super) async fn verify_attested(servers: &Servers, run: &Run) -> anyhow::Result<()> {
    let splits = run.manifest["splits"].as_array();
    let files = match splits {
        Some(splits) => splits.iter().map(|split| entries(split, "files")).collect(),
        None => entries(&run.manifest, "files").map(|files| vec![files]),
    };
    for file in files?.into_iter().flatten() {
        let key = format!("{}{}", run.folder, text(&file["key"]));
        let head = servers.s3.head_object().bucket(&servers.bucket).key(&key);
        let head = head.checksum_mode(ChecksumMode::Enabled).send().await;
        let head = head.with_context(|| format!("no object `{key}`"))?;
        ensure!(
            head.checksum_crc64_nvme() == Some(text(&file["crc64nvme"])),
            "S3 attests another CRC of `{key}`"
        );
    }
    println!(
        "{}: S3 attests the CRC64NVME of every data file",
        run.folder
    );
    Ok(())
}

async fn get(servers: &Servers, key: &str) -> anyhow::Result<Vec<u8>> {
    let object = servers
        .s3
        .get_object()
        .bucket(&servers.bucket)
        .key(key)
        .send()
        .await;
    let object = object.with_context(|| format!("no object `{key}`"))?;
    Ok(object.body.collect().await?.to_vec())
}
