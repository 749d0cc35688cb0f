//! The tests again, against MinIO and MongoDB: a lax test server cannot hide a bug.
//!
//! Servers named in the environment are used instead of our own, for instance a MongoDB of another
//! version. Nothing is skipped in silence: what is missing fails, and without Java the last line
//! says that nothing was read with Spark.

mod slurm;
mod slurm_cluster;

use std::env;

use xshell::{Shell, cmd};

use crate::minio::{self, Minio};
use crate::mongod::Mongod;
use crate::tools::Tools;
use crate::{command, setup};

const S3_ENDPOINT: &str = "LOB_E2E_S3_ENDPOINT";
const S3_ACCESS_KEY: &str = "LOB_E2E_S3_ACCESS_KEY";
const S3_SECRET_KEY: &str = "LOB_E2E_S3_SECRET_KEY";
const MONGODB_URI: &str = "LOB_E2E_MONGODB_URI";
/// Of a replica set whose secondary a test lets lag.
const MONGODB_PAIR: &str = "LOB_E2E_MONGODB_PAIR";
const PYTHON: &str = "LOB_E2E_PYTHON";
const SPARK: &str = "LOB_E2E_SPARK";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// An export as a Slurm array job on this machine instead; installs Slurm where need be
    #[arg(long)]
    slurm: bool,
}

pub(crate) async fn task(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    if args.slurm {
        slurm::run(sh).await
    } else {
        run(sh).await
    }
}

/// The tests.
pub(crate) async fn run(sh: &Shell) -> anyhow::Result<()> {
    setup::run(sh).await?;
    let python = Tools::new(sh).python();
    let mut environment = vec![(PYTHON, python.display().to_string())];
    let has_java = setup::has_java(sh).await;
    if has_java {
        environment.push((SPARK, "1".to_owned()));
    }

    // Bound to the end of the function: they stop there, however it is left.
    let _minio = if env::var_os(S3_ENDPOINT).is_some() {
        None
    } else {
        let minio = Minio::start(sh, 0).await?;
        environment.push((S3_ENDPOINT, minio.endpoint()));
        environment.push((S3_ACCESS_KEY, minio::ACCESS_KEY.to_owned()));
        environment.push((S3_SECRET_KEY, minio::SECRET_KEY.to_owned()));
        Some(minio)
    };
    let _mongod = if env::var_os(MONGODB_URI).is_some() {
        None
    } else {
        let mongod = Mongod::start(sh, 0).await?;
        environment.push((MONGODB_URI, mongod.uri()));
        Some(mongod)
    };
    let pair = Mongod::start_pair(sh).await?;
    environment.push((MONGODB_PAIR, pair.uri()));

    // Every member, so that no dependency is built again with other features.
    command::run(cmd!(sh, "cargo build --workspace --bins --locked")).await?;
    let test = cmd!(
        sh,
        "cargo test --locked --no-fail-fast -p lob-tests -p lob-mongo"
    );
    command::run_with(&environment, test).await?;
    if !has_java {
        eprintln!("Java is missing: nothing was read with Spark");
    }
    Ok(())
}
