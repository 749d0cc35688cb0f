//! `bench upload`: each client in turn uploads the same files to the same MinIO, over HTTP and then
//! over TLS.
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
use lob_testkit::http_client_trusting;
use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
use lob_testkit::tls::{Authority, Flaw};
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
/// The file with the certificate of the authority to trust.
const AUTHORITY: &str = "authority.pem";

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
    let sizes = sizes(&files)?;
    let bytes = sizes.values().sum();
    let mut bench = Bench {
        sh,
        server: Server::start(sh, folder.path(), Transport::Http).await?,
        programs,
        scratch: folder.path(),
        source,
        sizes,
    };
    let http = bench.compare(&clients, args.rounds).await?;
    // What the clients uploaded goes with the server.
    bench.server = Server::start(sh, folder.path(), Transport::Tls).await?;
    let tls = bench.compare(&clients, args.rounds).await?;
    let report = Report {
        files: args.files,
        bytes,
        rounds: args.rounds,
        http: &http,
        tls: &tls,
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

/// How the clients reach the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Http,
    Tls,
}

/// A MinIO with an empty bucket.
struct Server {
    minio: Minio,
    s3: S3Client,
    transport: Transport,
}

impl Server {
    async fn start(sh: &Shell, scratch: &Path, transport: Transport) -> anyhow::Result<Self> {
        let keys = (minio::ACCESS_KEY, minio::SECRET_KEY);
        let (minio, s3) = match transport {
            Transport::Http => {
                let minio = Minio::start(sh, 0).await?;
                let s3 = s3_client::with_keys(&minio.endpoint(), keys.0, keys.1).await;
                (minio, s3)
            }
            Transport::Tls => {
                let authority = Authority::new()?;
                std::fs::write(scratch.join(AUTHORITY), authority.pem())?;
                let minio = Minio::with_tls(sh, &authority.sign(Flaw::None)?).await?;
                let trusting = http_client_trusting(&authority.pem())?;
                let endpoint = minio.endpoint();
                let s3 = s3_client::with_http_client(trusting, &endpoint, keys.0, keys.1).await;
                (minio, s3)
            }
        };
        let created = s3.create_bucket().bucket(BUCKET).send().await;
        created.context("no bucket")?;
        Ok(Self {
            minio,
            s3,
            transport,
        })
    }

    /// Requests so far; over TLS, where they are the same, nobody counts.
    async fn requests(&self) -> anyhow::Result<f64> {
        match self.transport {
            Transport::Http => Ok(self.minio.requests().await? as f64),
            Transport::Tls => Ok(0.0),
        }
    }
}

struct Bench<'a> {
    sh: &'a Shell,
    server: Server,
    programs: HashMap<&'static str, PathBuf>,
    /// For what clients write besides their uploads; nobody's own settings are read or changed.
    scratch: &'a Path,
    source: PathBuf,
    sizes: HashMap<String, u64>,
}

impl Bench<'_> {
    /// Has each client upload all files in each round, and takes the medians.
    async fn compare<'c>(
        &self,
        clients: &[&'c Client],
        rounds: usize,
    ) -> anyhow::Result<Vec<(&'c Client, Cost)>> {
        let mut costs = vec![Vec::new(); clients.len()];
        for round in 0..rounds {
            for place in 0..clients.len() {
                let place = (round + place) % clients.len();
                costs[place].push(self.upload(clients[place], round).await?);
            }
        }
        let medians = costs.iter().map(|costs| Cost::median(costs));
        Ok(clients.iter().copied().zip(medians).collect())
    }

    /// Uploads all files once and checks the result: a client that fails silently is not fast.
    async fn upload(&self, client: &Client, round: usize) -> anyhow::Result<Cost> {
        let run = format!("{}-{round}", client.name().replace(' ', ""));
        let source = self.source.display().to_string();
        let arguments = client.arguments_for(&source, &run);
        let program = &self.programs[client.program];
        command::finish(cmd!(self.sh, "sync")).await?;
        let environment = self.environment();
        let requests = async || self.server.requests().await;
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
        let endpoint = self.server.minio.endpoint();
        let (access, secret) = (minio::ACCESS_KEY, minio::SECRET_KEY);
        let mc_host = endpoint.replace("://", &format!("://{access}:{secret}@"));
        let scratch = |name| self.scratch.join(name).into_os_string();
        let mut variables = vec![
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
        ];
        if self.server.transport == Transport::Tls {
            variables.push(("SSL_CERT_FILE", scratch(AUTHORITY)));
            // `aws` reads no other.
            variables.push(("AWS_CA_BUNDLE", scratch(AUTHORITY)));
        }
        variables
    }

    /// Checks that the bucket holds each file of the run, in its size.
    async fn check_sizes(&self, run: &str) -> anyhow::Result<()> {
        let folder = format!("{PREFIX}/{run}/");
        let listed = self
            .server
            .s3
            .list_objects_v2()
            .bucket(BUCKET)
            .prefix(&folder);
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
        let get = self.server.s3.get_object().bucket(BUCKET);
        let get = get.key(format!("{folder}/manifest.json")).send().await;
        let manifest = get.context("no manifest")?.body.collect().await?;
        let manifest = PublishedUpload::read(&*manifest.into_bytes())?;
        for file in &manifest.files {
            let key = format!("{folder}/{}", file.file.key);
            let head = self.server.s3.head_object().bucket(BUCKET).key(&key);
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
