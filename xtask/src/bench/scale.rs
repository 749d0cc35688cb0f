//! `bench scale`: do ten times the documents take ten times the time and the same memory?
//!
//! Each size gets its own servers, so that leftovers of one, such as deleted data that a server
//! keeps for minutes, do not affect the next.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use bson::doc;
use lob_core::settings::ByteSize;
use mongodb::Client;
use tempfile::TempDir;
use xshell::{Shell, cmd};

use super::cost::{self, Cost};
use super::report;
use crate::binaries::{self, Profile};
use crate::fill;
use crate::minio::{self, Minio};
use crate::mongod::{Mongod, Release};
use crate::tools::Tools;
use crate::{command, s3_client, setup};

const BUCKET: &str = "scale";
const TOOLS: [&str; 2] = ["lob-export", "lob-import"];
/// How many segments of a run the report shows memory for.
const PARTS: usize = 10;
/// Disk space needed per byte of documents: one collection at a time and one run, each between half
/// and all of the documents' size.
const DISK: u64 = 2;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Sizes of the collections in BSON, the smallest first
    #[arg(
        long,
        value_name = "SIZES",
        value_delimiter = ',',
        default_value = "1GB,10GB"
    )]
    sizes: Vec<ByteSize>,
    /// Binaries of a debug build and no change to docs/PERFORMANCE.md: to try the benchmark itself
    #[arg(long)]
    trial: bool,
}

/// One tool's measurements at one size.
struct Measured {
    tool: &'static str,
    size: ByteSize,
    cost: Cost,
    /// Resident memory in MiB, from start to end.
    memory: Vec<f64>,
}

pub(crate) async fn run(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    let tools = Tools::new(sh);
    setup::minio(sh, &tools).await?;
    setup::mongodb(sh, &tools, Release::V6_0).await?;
    let profile = if args.trial {
        Profile::Dev
    } else {
        Profile::Release
    };
    let binaries = binaries::build(sh, profile, &TOOLS).await?;
    let mut measured = Vec::new();
    for size in &args.sizes {
        require_space(sh, &tools, *size).await?;
        let scale = Scale::open(sh, &binaries).await?;
        measured.extend(scale.both(*size).await?);
    }
    let text = render(&measured)?;
    println!("\n{text}");
    if args.trial {
        return Ok(());
    }
    report::write(sh, "scale", &text)
}

async fn require_space(sh: &Shell, tools: &Tools, size: ByteSize) -> anyhow::Result<()> {
    let folder = tools.folder();
    let df = cmd!(sh, "df --block-size=1 --output=avail {folder}");
    let free = command::output(df).await?;
    let free = free.lines().nth(1).map(|free| free.trim().parse::<u64>());
    let free = free.context("`df` says nothing of free space")??;
    let needed = DISK * size.0 + 4_000_000_000;
    ensure!(
        free > needed,
        "{} GB are needed in {}, {} are free: smaller --sizes take less",
        needed / 1_000_000_000,
        folder.display(),
        free / 1_000_000_000,
    );
    Ok(())
}

struct Scale<'a> {
    sh: &'a Shell,
    binaries: &'a HashMap<String, PathBuf>,
    minio: Minio,
    mongod: Mongod,
    mongo: Client,
    /// Holds manifests, and whatever an import keeps on disk while it runs.
    folder: TempDir,
}

impl<'a> Scale<'a> {
    async fn open(sh: &'a Shell, binaries: &'a HashMap<String, PathBuf>) -> anyhow::Result<Self> {
        let minio = Minio::start(sh, 0).await?;
        let mongod = Mongod::start(sh, Release::V6_0, 0).await?;
        minio.new_bucket(BUCKET).await?;
        let mongo = Client::with_uri_str(mongod.uri()).await?;
        Ok(Self {
            sh,
            binaries,
            minio,
            mongod,
            mongo,
            folder: tempfile::tempdir_in(sh.current_dir().join("target"))?,
        })
    }

    /// Exports and imports; the tools themselves compare digest and count.
    async fn both(&self, size: ByteSize) -> anyhow::Result<[Measured; 2]> {
        println!("a collection of {} MB is filled", size.0 / 1_000_000);
        fill::fill(&self.mongo, "source", fill::documents_in(size.0)).await?;
        self.settle().await?;
        let export = self.measure("lob-export", "source", size).await?;
        // Makes room for the import: without snapshot history, dropped data is removed.
        let admin = self.mongo.database("admin");
        let forget = doc! { "setParameter": 1, "minSnapshotHistoryWindowInSeconds": 0 };
        admin.run_command(forget).await?;
        self.mongo.database("source").drop().await?;
        self.settle().await?;
        let import = self.measure("lob-import", "restored", size).await?;
        self.settle().await?;
        Ok([export, import])
    }

    /// Waits until everything is written to disk, and prints the disk usage.
    async fn settle(&self) -> anyhow::Result<()> {
        let flush = doc! { "fsync": 1 };
        self.mongo.database("admin").run_command(flush).await?;
        command::finish(cmd!(self.sh, "sync")).await?;
        for (name, folder) in [
            ("MongoDB", self.mongod.data()),
            ("MinIO", self.minio.data()),
        ] {
            println!(
                "  {name} has {} MB on disk",
                megabytes(self.sh, folder).await?
            );
        }
        Ok(())
    }

    async fn measure(
        &self,
        tool: &'static str,
        database: &str,
        size: ByteSize,
    ) -> anyhow::Result<Measured> {
        let arguments = ["--run-id", "scale", "--database", database];
        println!("$ {tool} {}", arguments.join(" "));
        let arguments: Vec<_> = arguments.map(str::to_owned).into();
        let environment: [(&str, OsString); 8] = [
            ("AWS_ENDPOINT_URL", self.minio.endpoint().into()),
            ("AWS_ACCESS_KEY_ID", minio::ACCESS_KEY.into()),
            ("AWS_SECRET_ACCESS_KEY", minio::SECRET_KEY.into()),
            ("AWS_REGION", s3_client::REGION.into()),
            ("MONGODB_URI", self.mongod.uri().into()),
            ("LOB_BUCKET", BUCKET.into()),
            ("LOB_MANIFEST_DIR", self.folder.path().into()),
            ("TMPDIR", self.folder.path().into()),
        ];
        let binary = &self.binaries[tool];
        let measured = cost::measure_memory(self.sh, binary, &arguments, &environment).await;
        let (cost, memory) =
            measured.with_context(|| format!("`{tool}` of {} MB", size.0 / 1_000_000))?;
        println!("  {:.1} s, {:.0} MiB at most", cost.wall, cost.peak);
        Ok(Measured {
            tool,
            size,
            cost,
            memory,
        })
    }
}

async fn megabytes(sh: &Shell, folder: &Path) -> anyhow::Result<u64> {
    let du = command::output(cmd!(sh, "du --summarize --block-size=1MB {folder}")).await?;
    let size = du.split_whitespace().next().map(str::parse);
    Ok(size.context("`du` says nothing")??)
}

fn render(measured: &[Measured]) -> anyhow::Result<String> {
    let mut text = format!(
        "One collection each, one run each; {}.\n\n",
        report::machine()?
    );
    text.push_str(
        "| tool | BSON | wall s | MB/s | times the smallest | CPU s | peak MiB |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for one in measured {
        let mut same = measured.iter().filter(|other| other.tool == one.tool);
        let times = same.next().map(|first| one.cost.wall / first.cost.wall);
        writeln!(
            text,
            "| `{}` | {} MB | {:.1} | {:.0} | {:.1} | {:.1} | {:.0} |",
            one.tool,
            one.size.0 / 1_000_000,
            one.cost.wall,
            one.size.0 as f64 / 1e6 / one.cost.wall,
            times.unwrap_or(1.0),
            one.cost.cpu,
            one.cost.peak,
        )?;
    }
    text.push_str("\n| resident MiB in each tenth |");
    (1..=PARTS).for_each(|part| text.push_str(&format!(" {part} |")));
    text.push_str("\n| --- |");
    text.push_str(&" --- |".repeat(PARTS));
    for one in measured {
        write!(text, "\n| `{}`, {} MB |", one.tool, one.size.0 / 1_000_000)?;
        for part in 0..PARTS {
            let (from, to) = (part * one.memory.len(), (part + 1) * one.memory.len());
            let mut samples = one.memory[from / PARTS..to / PARTS].to_vec();
            samples.sort_by(f64::total_cmp);
            match &samples[..] {
                [] => text.push_str(" |"),
                [least, .., most] => write!(
                    text,
                    " {least:.0}, {:.0}, {most:.0} |",
                    samples[samples.len() / 2]
                )?,
                [only] => write!(text, " {only:.0} |")?,
            }
        }
    }
    text.push('\n');
    Ok(text)
}
