//! An export as a Slurm array job, using the very script that docs/OPERATIONS.md shows.
//!
//! Three tasks must make of a plan what one process makes of it, and it must import byte for byte.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use bson::doc;
use bson::raw::RawDocumentBuf;
use lob_core::checksum::Digest;
use mongodb::Client;
use serde_json::Value;
use xshell::{Cmd, Shell, cmd};

use super::slurm_cluster::SlurmCluster;
use crate::binaries::{self, Profile};
use crate::fill::{self, COLLECTION, Filled};
use crate::minio::{self, Minio};
use crate::mongod::{Mongod, Release};
use crate::{command, s3_client, setup};

const SCRIPT: &str = "docs/slurm/export.sbatch";
const BUCKET: &str = "slurm";
const RUN: &str = "nightly";
/// The folders of the two runs: one by the array job, one by a single process with the same plan.
const ARRAY: &str = "array";
const ALONE: &str = "alone";
const DOCUMENTS: u64 = 3000;
const RANGES: u32 = 6;
const TASKS: usize = 3;

pub(super) async fn run(sh: &Shell) -> anyhow::Result<()> {
    let tools = crate::tools::Tools::new(sh);
    setup::minio(sh, &tools).await?;
    setup::mongodb(sh, &tools, Release::V6_0).await?;
    let binaries = binaries::build(sh, Profile::Dev, &binaries::TOOLS).await?;
    let slurm = SlurmCluster::start(sh).await?;
    let minio = Minio::start(sh, 0).await?;
    let mongod = Mongod::start(sh, Release::V6_0, 0).await?;
    let s3 = minio.new_bucket(BUCKET).await?;
    let mongo = Client::with_uri_str(mongod.uri()).await?;
    let filled = fill::fill(&mongo, "source", DOCUMENTS).await?;
    let folder = tempfile::tempdir()?;
    let job = Job {
        sh,
        binaries,
        minio,
        mongod,
        folder: folder.path(),
    };

    job.tool("lob-export", ARRAY, &["plan"]).await?;
    job.copy_plan(&s3).await?;
    job.array(&slurm).await?;
    job.tool("lob-export", ARRAY, &["commit"]).await?;
    let array = manifest(&s3, ARRAY).await?;
    ensure!(
        array["total_documents"] == filled.documents
            && array["splits"][0]["digest"] == filled.digest.to_string(),
        "the array job exported other documents than there are"
    );

    job.tool("lob-export", ALONE, &[]).await?;
    let alone = manifest(&s3, ALONE).await?;
    ensure!(
        comparable(array) == comparable(alone),
        "the manifests of the array job and of one process differ"
    );

    let restored = ["--database", "restored"];
    job.tool("lob-import", ARRAY, &restored).await?;
    check_documents(&mongo, &filled).await?;
    println!("{TASKS} tasks exported what one process exports, and all of it came back");
    Ok(())
}

struct Job<'a> {
    sh: &'a Shell,
    binaries: HashMap<String, PathBuf>,
    minio: Minio,
    mongod: Mongod,
    folder: &'a Path,
}

impl Job<'_> {
    async fn tool(&self, tool: &str, prefix: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let binary = &self.binaries[tool];
        let command = cmd!(self.sh, "{binary} {arguments...} --run-id {RUN}");
        println!("$ {command}");
        command::finish(self.environment(command, prefix)).await
    }

    /// Gives both runs the same plan, so they must produce the same data files.
    async fn copy_plan(&self, s3: &aws_sdk_s3::Client) -> anyhow::Result<()> {
        let plan = |prefix| format!("{prefix}/{RUN}/_progress/plan.json");
        let copy = s3.copy_object().bucket(BUCKET).key(plan(ALONE));
        let copied = copy.copy_source(format!("{BUCKET}/{}", plan(ARRAY)));
        copied.send().await.context("the plan cannot be copied")?;
        Ok(())
    }

    /// Runs the script as a job and waits for all its tasks.
    async fn array(&self, slurm: &SlurmCluster) -> anyhow::Result<()> {
        let tasks = format!("--array=0-{}", TASKS - 1);
        let logs = self.folder.join("task_%a.log");
        let sbatch = cmd!(
            self.sh,
            "sbatch --wait {tasks} --output {logs} {SCRIPT} {RUN}"
        );
        println!("$ {sbatch}");
        let folder = self.binaries["lob-export"].parent();
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", folder.context("no folder")?.display());
        let sbatch = self.environment(slurm.of(sbatch), ARRAY).env("PATH", path);
        let ended = command::finish(sbatch).await;
        for task in 0..TASKS {
            let log = self.folder.join(format!("task_{task}.log"));
            println!("{}", fs::read_to_string(log).unwrap_or_default());
        }
        ended
    }

    fn environment<'c>(&self, command: Cmd<'c>, prefix: &str) -> Cmd<'c> {
        command
            .env("AWS_ENDPOINT_URL", self.minio.endpoint())
            .env("AWS_ACCESS_KEY_ID", minio::ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", minio::SECRET_KEY)
            .env("AWS_REGION", s3_client::REGION)
            .env("MONGODB_URI", self.mongod.uri())
            .env("LOB_BUCKET", BUCKET)
            .env("LOB_PREFIX", prefix)
            .env("LOB_DATABASE", "source")
            .env("LOB_RANGES", RANGES.to_string())
            .env("LOB_MANIFEST_DIR", self.folder.join(prefix))
    }
}

async fn manifest(s3: &aws_sdk_s3::Client, prefix: &str) -> anyhow::Result<Value> {
    let key = format!("{prefix}/{RUN}/manifest.json");
    let get = s3.get_object().bucket(BUCKET).key(key).send().await;
    let manifest = get.context("no manifest")?.body.collect().await?;
    Ok(serde_json::from_slice(&manifest.into_bytes())?)
}

/// What must not depend on who exported: everything except location, times and counters.
fn comparable(mut manifest: Value) -> Value {
    if let Some(fields) = manifest.as_object_mut() {
        for name in [
            "export_timestamp",
            "started",
            "finished",
            "metrics",
            "s3_config",
        ] {
            fields.remove(name);
        }
    }
    for split in manifest["splits"].as_array_mut().into_iter().flatten() {
        split.as_object_mut().map(|split| split.remove("s3_path"));
    }
    manifest
}

/// Checks that the documents are the original ones, byte for byte.
async fn check_documents(mongo: &Client, filled: &Filled) -> anyhow::Result<()> {
    let restored = mongo.database("restored");
    let restored = restored.collection::<RawDocumentBuf>(COLLECTION);
    let mut cursor = restored.find(doc! {}).await?;
    let (mut count, mut digest) = (0, Digest::default());
    while cursor.advance().await? {
        count += 1;
        digest.add(cursor.current().as_bytes());
    }
    ensure!(
        count == filled.documents && digest == filled.digest,
        "{count} documents came back, and they are not what was there"
    );
    Ok(())
}
