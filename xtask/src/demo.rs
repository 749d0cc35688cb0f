//! The data's whole journey in one command: files to S3, split collections to S3 and back.
//!
//! The three real binaries work over TCP. Their results are inspected from outside with the S3 SDK
//! and the MongoDB driver, and compared byte for byte with the original data.

mod bucket;
mod collections;
mod feed;
mod manifest_fields;
mod servers;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;
use xshell::Shell;

use self::bucket::Run;
use self::manifest_fields::{entries, text};
use self::servers::Servers;
use crate::binaries::{self, Profile};
use crate::command;

/// Where the tools look for files, below the folder they are started in.
const SOURCE: &str = "lob_data";

pub(crate) async fn run(sh: &Shell) -> anyhow::Result<()> {
    section("Build");
    let binaries = binaries::build(sh, Profile::Dev, &binaries::TOOLS).await?;

    section("Servers");
    let servers = Servers::open().await?;
    // Keep out settings and artifacts of whoever runs this.
    let folder = tempfile::tempdir()?;
    sh.change_dir(folder.path());
    let tools = Tools {
        sh,
        binaries,
        servers: &servers,
    };
    let (bucket, id) = (&servers.bucket, &servers.run_id);
    let (source, restored) = (format!("{id}_source"), format!("{id}_restored"));

    section("Data");
    let files = feed::write(&folder.path().join(SOURCE))?;
    let database = servers.mongo.database(&source);
    let loaded = collections::load(&database).await?;

    section("Upload: Parquet files to S3");
    tools
        .run("lob-upload", &["--bucket", bucket, "--run-id", id])
        .await?;
    let upload = Run::read(&servers, "lob-data").await?;
    upload.show_objects();
    show_checksums(entries(&upload.manifest, "files")?);

    section("Export: MongoDB to S3");
    let arguments = ["--bucket", bucket, "--run-id", id, "--database", &source];
    tools.run("lob-export", &arguments).await?;
    let export = Run::read(&servers, "processed-splits").await?;
    export.show_objects();
    for split in entries(&export.manifest, "splits")? {
        show_split(split);
        show_checksums(entries(split, "files")?);
    }

    section("Import: S3 back to MongoDB");
    let arguments = ["--bucket", bucket, "--run-id", id, "--database", &restored];
    tools.run("lob-import", &arguments).await?;

    section("Verify");
    bucket::verify_files(&servers, &upload, &files).await?;
    bucket::verify_attested(&servers, &export).await?;
    collections::verify(&servers.mongo.database(&restored), &loaded).await?;
    println!("\nThe round trip is verified: nothing was lost and nothing was changed.");
    servers.close();
    Ok(())
}

/// The three binaries, and the environment in which they find the servers.
struct Tools<'a> {
    sh: &'a Shell,
    binaries: HashMap<String, PathBuf>,
    servers: &'a Servers,
}

impl Tools<'_> {
    async fn run(&self, tool: &str, arguments: &[&str]) -> anyhow::Result<()> {
        println!("$ {tool} {}\n", arguments.join(" "));
        let binary: &Path = self.binaries.get(tool).context("no such tool")?;
        let command = self.servers.environment(self.sh.cmd(binary));
        let finished = command::finish(command.args(arguments)).await;
        finished.with_context(|| format!("{tool} failed"))
    }
}

fn section(title: &str) {
    println!("\n== {title} ==");
}

fn show_split(split: &Value) {
    println!(
        "\nsplit {}: {} documents, {} of them residual rows",
        split["split_id"], split["num_documents"], split["residual_rows"],
    );
    println!("  checksum   {}", text(&split["checksum"]));
    println!("  digest     {}", text(&split["digest"]));
}

fn show_checksums(files: &[Value]) {
    for file in files {
        println!("\n{}", text(&file["key"]));
        println!("  sha256     {}", text(&file["sha256"]));
        println!("  crc64nvme  {}", text(&file["crc64nvme"]));
        println!("  verified   {}", text(&file["verified"]));
    }
}
