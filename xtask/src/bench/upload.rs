//! `bench upload`: each client in turn uploads the same files to the same MinIO.
//!
//! Each round begins with a different client, so that whatever a round does to the machine hits
//! each of them. Files are in the page cache, and everything the last client left unwritten is
//! flushed before the next one starts.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use aws_sdk_s3::Client as S3Client;
use aws_sdk_s3::types::ChecksumMode;
use lob_core::manifest::PublishedUpload;
use lob_core::settings::ByteSize;
use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
use xshell::{Shell, cmd};

use super::client::{BUCKET, CLIENTS, Client, PREFIX};
use super::cost::{self, Cost};
use super::floor;
use super::report::{self, Report};
use crate::binaries::{self, Profile};
use crate::minio::{self, Minio};
use crate::tools::Tools;
use crate::{command, peers, s3_client, setup};

const LEVELS: usize = 10;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files to upload
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    files: usize,
    /// Size of each
    #[arg(long, value_name = "SIZE", default_value = "100MB")]
    file_size: ByteSize,
    /// How often each client uploads them
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    rounds: usize,
}

pub(crate) async fn run(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    ensure!(args.files > 0 && args.rounds > 0, "nothing to measure");
    setup::minio(sh, &Tools::new(sh)).await?;
    let binaries = binaries::build(sh, Profile::Release, &["lob-upload"]).await?;
    let mut names: Vec<_> = CLIENTS.iter().map(|client| client.program).collect();
    names.retain(|name| *name != "lob-upload");
    names.dedup();
    let peers = peers::find(sh, &names).await;
    let mut programs: HashMap<&str, PathBuf> = peers
        .iter()
        .map(|peer| (peer.program, peer.path.clone()))
        .collect();
    programs.insert("lob-upload", binaries["lob-upload"].clone());
    let clients: Vec<_> = CLIENTS
        .iter()
        .filter(|client| programs.contains_key(client.program))
        .collect();

    let folder = tempfile::tempdir_in(sh.current_dir().join("target"))?;
    let source = folder.path().join("files");
    require_space(sh, folder.path(), clients.len(), args).await?;
    let files = write_files(&source, args)?;
    let floor = floor::measure(sh, &files).await?;
    let minio = Minio::start(sh, 0).await?;
    let keys = (minio::ACCESS_KEY, minio::SECRET_KEY);
    let s3 = s3_client::with_keys(&minio.endpoint(), keys.0, keys.1).await;
    let created = s3.create_bucket().bucket(BUCKET).send().await;
    created.context("no bucket")?;
    let bench = Bench {
        sh,
        minio,
        s3,
        programs,
        scratch: folder.path(),
        source,
        sizes: sizes(&files)?,
    };

    let mut costs: HashMap<String, Vec<Cost>> = HashMap::new();
    for round in 0..args.rounds {
        for place in 0..clients.len() {
            let client = clients[(round + place) % clients.len()];
            let cost = bench.upload(client, round).await?;
            costs.entry(client.name()).or_default().push(cost);
        }
    }
    let clients: Vec<_> = clients
        .into_iter()
        .map(|client| (client, Cost::median(&costs[&client.name()])))
        .collect();
    let report = Report {
        files: args.files,
        bytes: bench.sizes.values().sum(),
        rounds: args.rounds,
        clients: &clients,
        peers: &peers,
        floor: &floor,
    };
    let text = report.render()?;
    println!("\n{text}");
    report::write(sh, "upload", &text)
}

/// Counts the uploads of all rounds: none is removed in between, because MinIO keeps deleted data
/// for minutes.
async fn require_space(
    sh: &Shell,
    folder: &Path,
    clients: usize,
    args: &Args,
) -> anyhow::Result<()> {
    let uploads = (clients * args.rounds) as u64;
    let needed = (uploads + 1) * args.files as u64 * args.file_size.0 / 10 * 11;
    let df = cmd!(sh, "df --block-size=1 --output=avail {folder}");
    let free = command::output(df).await?;
    let free = free
        .lines()
        .nth(1)
        .and_then(|free| free.trim().parse().ok());
    let free: u64 = free.context("`df` says nothing of free space")?;
    let gb = |bytes| bytes / 1_000_000_000;
    ensure!(
        free > needed,
        "{} GB are needed in {}, {} are free: fewer --rounds or --files take less",
        gb(needed),
        folder.display(),
        gb(free),
    );
    Ok(())
}

fn write_files(folder: &Path, args: &Args) -> anyhow::Result<Vec<PathBuf>> {
    std::fs::create_dir(folder)?;
    let paths = (0..args.files).map(|file| {
        let path = folder.join(format!("day_{file:03}.parquet"));
        let feed = ParquetFeed {
            seed: file as u64,
            size: FeedSize::Bytes(args.file_size.0),
            levels: LEVELS,
        };
        feed.write(&path)?;
        Ok(path)
    });
    paths.collect()
}

/// The files' names and sizes.
fn sizes(files: &[PathBuf]) -> anyhow::Result<HashMap<String, u64>> {
    let sizes = files.iter().map(|path| {
        let name = path.file_name().context("a file without a name")?;
        Ok((name.display().to_string(), path.metadata()?.len()))
    });
    sizes.collect()
}

struct Bench<'a> {
    sh: &'a Shell,
    minio: Minio,
    s3: S3Client,
    programs: HashMap<&'static str, PathBuf>,
    /// For what clients write besides their uploads; nobody's own settings are read or changed.
    scratch: &'a Path,
    source: PathBuf,
    sizes: HashMap<String, u64>,
}

impl Bench<'_> {
    /// Uploads all files once and checks the result: a client that fails silently is not fast.
    async fn upload(&self, client: &Client, round: usize) -> anyhow::Result<Cost> {
        let run = format!("{}-{round}", client.name().replace(' ', ""));
        let source = self.source.display().to_string();
        let arguments = client.arguments_for(&source, &run);
        let program = &self.programs[client.program];
        command::finish(cmd!(self.sh, "sync")).await?;
        let environment = self.environment();
        let requests = async || anyhow::Ok(self.minio.requests().await? as f64);
        let cost = cost::measure(self.sh, requests, program, &arguments, &environment).await?;
        println!(
            "round {} of {}: {:.2} s, CPU {:.2} s user and {:.2} s system, {:.0} MiB",
            round + 1,
            client.name(),
            cost.wall,
            cost.user,
            cost.system,
            cost.peak
        );
        self.check_sizes(&run).await?;
        if client.is_ours() {
            self.check_crcs(&run).await?;
        }
        Ok(cost)
    }

    /// What the clients need to find the server, and nothing from the user's own environment.
    fn environment(&self) -> Vec<(&'static str, OsString)> {
        let endpoint = self.minio.endpoint();
        let (access, secret) = (minio::ACCESS_KEY, minio::SECRET_KEY);
        let mc_host = endpoint.replace("://", &format!("://{access}:{secret}@"));
        let scratch = |name| self.scratch.join(name).into_os_string();
        vec![
            ("AWS_ENDPOINT_URL", endpoint.clone().into()),
            ("AWS_ACCESS_KEY_ID", access.into()),
            ("AWS_SECRET_ACCESS_KEY", secret.into()),
            ("AWS_REGION", s3_client::REGION.into()),
            ("AWS_DEFAULT_REGION", s3_client::REGION.into()),
            ("AWS_CONFIG_FILE", scratch("aws")),
            ("LOB_MANIFEST_DIR", scratch("manifests")),
            ("S3_ENDPOINT_URL", endpoint.clone().into()),
            ("MC_CONFIG_DIR", scratch("mc")),
            ("MC_HOST_bench", mc_host.into()),
            ("RCLONE_CONFIG", scratch("rclone")),
            ("RCLONE_CONFIG_BENCH_TYPE", "s3".into()),
            ("RCLONE_CONFIG_BENCH_PROVIDER", "Minio".into()),
            ("RCLONE_CONFIG_BENCH_ENDPOINT", endpoint.into()),
            ("RCLONE_CONFIG_BENCH_ACCESS_KEY_ID", access.into()),
            ("RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY", secret.into()),
        ]
    }

    /// Checks that the bucket holds each file of the run, in its size.
    async fn check_sizes(&self, run: &str) -> anyhow::Result<()> {
        let folder = format!("{PREFIX}/{run}/");
        let listed = self.s3.list_objects_v2().bucket(BUCKET).prefix(&folder);
        let pages = listed.into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await;
        let pages = pages.context("no list of objects")?;
        let found: HashMap<_, _> = pages
            .iter()
            .flat_map(|page| page.contents())
            .filter_map(|object| {
                let name = object.key()?.strip_prefix(&folder)?;
                Some((name.to_owned(), object.size()?))
            })
            .collect();
        for (name, size) in &self.sizes {
            let found = found.get(name).copied();
            ensure!(
                found == i64::try_from(*size).ok(),
                "`{folder}{name}` has {found:?} bytes, not {size}"
            );
        }
        Ok(())
    }

    /// Checks that the server attests the CRC of each file, and that it is the manifest's.
    async fn check_crcs(&self, run: &str) -> anyhow::Result<()> {
        let folder = format!("{PREFIX}/{run}");
        let get = self.s3.get_object().bucket(BUCKET);
        let get = get.key(format!("{folder}/manifest.json")).send().await;
        let manifest = get.context("no manifest")?.body.collect().await?;
        let manifest = PublishedUpload::read(&*manifest.into_bytes())?;
        for file in &manifest.files {
            let key = format!("{folder}/{}", file.file.key);
            let head = self.s3.head_object().bucket(BUCKET).key(&key);
            let head = head.checksum_mode(ChecksumMode::Enabled).send().await;
            let head = head.with_context(|| format!("no `{key}`"))?;
            let attested = head.checksum_crc64_nvme();
            let ours = file.file.contents.crc64nvme.to_string();
            ensure!(
                attested == Some(&ours),
                "the server attests {attested:?} for `{key}`, the manifest says {ours}"
            );
        }
        Ok(())
    }
}
