//! Peak memory of the three tools with little and with much to do: the figures in the README's
//! table.
//!
//! Uses release binaries, MinIO and MongoDB, and `/usr/bin/time -v`. The data is generated and
//! removed afterwards.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
use mongodb::Client;
use xshell::{Shell, cmd};

use crate::binaries::{self, Profile};
use crate::minio::{self, Minio};
use crate::mongod::{Mongod, Release};
use crate::{command, fill, s3_client, setup};

const BUCKET: &str = "memory";
/// Input sizes in MB (10^6 bytes).
const SIZES: [u64; 2] = [200, 1000];
const FILE_BYTES: u64 = 100_000_000;

pub(crate) async fn run(sh: &Shell) -> anyhow::Result<()> {
    setup::run(sh).await?;
    let binaries = binaries::build(sh, Profile::Release, &binaries::TOOLS).await?;
    let s3 = Minio::start(sh, 0).await?;
    let mongo = Mongod::start(sh, Release::V6_0, 0).await?;
    s3.new_bucket(BUCKET).await?;
    let folder = tempfile::tempdir_in(sh.current_dir().join("target"))?;
    let measure = Measure {
        sh,
        binaries,
        s3,
        mongo,
        folder: folder.path(),
    };

    let mut peaks: HashMap<&str, Vec<f64>> = HashMap::new();
    for size in SIZES {
        for (tool, peak) in measure.all(size).await? {
            peaks.entry(tool).or_default().push(peak);
        }
    }
    println!("\n| tool | 200 MB | 1 GB | growth |\n| --- | --- | --- | --- |");
    for tool in ["lob-upload", "lob-export", "lob-import"] {
        let [small, large] = peaks[tool][..] else {
            continue;
        };
        let growth = 100.0 * (large / small - 1.0);
        println!("| `{tool}` | {small:.0} MiB | {large:.0} MiB | {growth:.0} % |");
    }
    Ok(())
}

struct Measure<'a> {
    sh: &'a Shell,
    binaries: HashMap<String, PathBuf>,
    s3: Minio,
    mongo: Mongod,
    folder: &'a Path,
}

impl Measure<'_> {
    /// Peak memory in MiB of each tool for `size` MB of input.
    async fn all(&self, size: u64) -> anyhow::Result<[(&'static str, f64); 3]> {
        let run = format!("mb_{size}");
        let source = self.folder.join(&run);
        std::fs::create_dir_all(&source)?;
        for file in 0..size * 1_000_000 / FILE_BYTES {
            let feed = ParquetFeed {
                seed: file,
                size: FeedSize::Bytes(FILE_BYTES),
                levels: 10,
            };
            feed.write(&source.join(format!("day_{file:02}.parquet")))?;
        }
        let source = source.display().to_string();
        let arguments = ["--run-id", &run, "--source-dir", &source];
        let upload = self.peak("lob-upload", &arguments).await?;
        std::fs::remove_dir_all(&source)?;

        let client = Client::with_uri_str(self.mongo.uri()).await?;
        fill::fill(&client, &run, fill::documents_in(size * 1_000_000)).await?;
        let arguments = ["--run-id", &run, "--database", &run];
        let export = self.peak("lob-export", &arguments).await?;
        let restored = format!("{run}_restored");
        let arguments = ["--run-id", &run, "--database", &restored];
        let import = self.peak("lob-import", &arguments).await?;
        Ok([
            ("lob-upload", upload),
            ("lob-export", export),
            ("lob-import", import),
        ])
    }

    async fn peak(&self, tool: &str, arguments: &[&str]) -> anyhow::Result<f64> {
        let binary = self.binaries.get(tool).context("no such tool")?;
        println!("$ /usr/bin/time -v {tool} {}", arguments.join(" "));
        let command = cmd!(
            self.sh,
            "/usr/bin/time -v {binary} {arguments...} --progress none"
        )
        .env("LOB_BUCKET", BUCKET)
        .env("LOB_MANIFEST_DIR", self.folder)
        .env("AWS_ENDPOINT_URL", self.s3.endpoint())
        .env("AWS_ACCESS_KEY_ID", minio::ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", minio::SECRET_KEY)
        .env("AWS_REGION", s3_client::REGION)
        .env("MONGODB_URI", self.mongo.uri());
        let report = command::errors(command).await?;
        let resident = report
            .lines()
            .find_map(|line| line.split_once("Maximum resident set size"));
        let kib = resident.and_then(|(_, rest)| rest.rsplit(' ').next()?.parse::<f64>().ok());
        let mib = kib.context("`/usr/bin/time -v` says nothing of memory")? / 1024.0;
        ensure!(mib > 0.0, "no memory");
        println!("  {mib:.0} MiB");
        Ok(mib)
    }
}
