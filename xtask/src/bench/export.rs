//! `bench export`: each client in turn exports the same collection from the same MongoDB.

use std::fs;

use anyhow::{Context as _, ensure};
use lob_core::manifest::PublishedExport;
use xshell::Shell;

use super::transfer::{Args, BUCKET, Bench, PREFIX, SOURCE};
use super::transfer_client::{Client, Format, Servers};
use crate::fill::COLLECTION;

const LOB_EXPORT: Client = Client {
    name: "lob-export",
    program: "lob-export",
    arguments: "--database source --run-id RUN --progress none",
    servers: Servers::Real,
    format: Format::Run,
    does: "compressed Parquet to S3, proved",
};

pub(super) const PYSPARK: Client = Client {
    name: "PySpark",
    program: "pyspark",
    arguments: "--master local[*] --driver-memory 4g --jars JARS SCRIPTS/spark_export.py \
                URI source split_0_input DIR/RUN",
    servers: Servers::Real,
    format: Format::Parquet,
    does: "snappy Parquet to the disk",
};

/// `lob-export` with its defaults comes first: all others are compared with it.
pub(super) const CLIENTS: [Client; 6] = [
    LOB_EXPORT,
    Client {
        name: "lob-export, test servers",
        servers: Servers::Doubles,
        ..LOB_EXPORT
    },
    Client {
        name: "mongodump",
        program: "mongodump",
        arguments: "--quiet --uri=URI --db=source --out=DIR/RUN",
        servers: Servers::Real,
        format: Format::Dump,
        does: "BSON as it comes to the disk",
    },
    Client {
        name: "pymongo and pyarrow",
        program: "pymongo",
        arguments: "SCRIPTS/pymongo_export.py URI source split_0_input DIR/RUN",
        servers: Servers::Real,
        format: Format::Parquet,
        does: "zstd Parquet to the disk",
    },
    Client {
        name: "PyMongoArrow",
        program: "pymongoarrow",
        arguments: "SCRIPTS/pymongoarrow_export.py URI source split_0_input DIR/RUN",
        servers: Servers::Real,
        format: Format::Parquet,
        does: "zstd Parquet to the disk",
    },
    PYSPARK,
];
const PEERS: [&str; 4] = ["mongodump", "pymongo", "pymongoarrow", "pyspark"];

pub(crate) async fn run(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    let bench = Bench::open(sh, args, &["lob-export"], &PEERS).await?;
    let finish = async |client: &Client, run: &str| check(&bench, client, run).await;
    bench.compare("export", &CLIENTS, finish).await
}

/// Checks that all documents are where the client put them, and removes what is on disk.
async fn check(bench: &Bench<'_>, client: &Client, run: &str) -> anyhow::Result<()> {
    let folder = bench.folder(run);
    match client.format {
        Format::Run => return check_manifest(bench, client, run).await,
        Format::Dump => {
            let dump = folder.join(SOURCE).join(format!("{COLLECTION}.bson"));
            let (size, bytes) = (fs::metadata(dump)?.len(), bench.filled.bytes);
            ensure!(size == bytes, "{size} of {bytes} bytes");
        }
        Format::Parquet => bench.check_rows(&folder).await?,
    }
    let removed = if folder.is_dir() {
        fs::remove_dir_all(&folder)
    } else {
        fs::remove_file(&folder)
    };
    Ok(removed?)
}

/// Checks that the manifest has the digest of the filled collection.
async fn check_manifest(bench: &Bench<'_>, client: &Client, run: &str) -> anyhow::Result<()> {
    let s3 = &bench.place(client.servers).s3;
    let get = s3.get_object().bucket(BUCKET);
    let get = get
        .key(format!("{PREFIX}/{run}/manifest.json"))
        .send()
        .await;
    let manifest = get.context("no manifest")?.body.collect().await?;
    let manifest = <PublishedExport>::read(&*manifest.into_bytes())?;
    let [split] = &manifest.splits[..] else {
        anyhow::bail!("not one split");
    };
    let (found, filled) = (split.digest.to_string(), bench.filled.digest.to_string());
    ensure!(found == filled, "digest {found} instead of {filled}");
    Ok(())
}
