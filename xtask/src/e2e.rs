//! Runs the tests again, against MinIO and MongoDB: a lax test server cannot hide a bug.
//!
//! Tests that depend on MongoDB also run on the oldest version that the tools support. Servers
//! named in the environment are used instead of our own, for instance a MongoDB of another version;
//! the tools' command-line tests always run on our own, of which each test takes some to itself.
//! Nothing is silently skipped: anything missing is a failure, and without Java the last line says
//! that nothing was read with Spark.

mod pool;
mod slurm;
mod slurm_cluster;

use std::env;

use lob_tests::reliability::suites_on_real_servers;
use xshell::{Cmd, Shell, cmd};

use crate::minio::{self, Minio};
use crate::mongod::{Mongod, Release};
use crate::tools::Tools;
use crate::{command, setup};

const S3_ENDPOINT: &str = "LOB_E2E_S3_ENDPOINT";
const S3_ACCESS_KEY: &str = "LOB_E2E_S3_ACCESS_KEY";
const S3_SECRET_KEY: &str = "LOB_E2E_S3_SECRET_KEY";
const MONGODB_URI: &str = "LOB_E2E_MONGODB_URI";
/// The replica set whose secondary a test lets lag.
const MONGODB_PAIR: &str = "LOB_E2E_MONGODB_PAIR";
/// The root of a MongoDB that answers only to users.
const MONGODB_USERS: &str = "LOB_E2E_MONGODB_USERS";
const PYTHON: &str = "LOB_E2E_PYTHON";
const SPARK: &str = "LOB_E2E_SPARK";

/// The suites whose outcome depends on what a MongoDB can do.
const ABOUT_MONGODB: [&str; 7] = [
    "mongo_contract",
    "round_trip",
    "snapshot",
    "live",
    "kills",
    "soak",
    "mongo",
];

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

/// Runs all tests.
pub(crate) async fn run(sh: &Shell) -> anyhow::Result<()> {
    setup::run(sh).await?;
    let python = Tools::new(sh).python();
    let mut environment = vec![(PYTHON, python.display().to_string())];
    let has_java = setup::has_java(sh).await;
    if has_java {
        environment.push((SPARK, "1".to_owned()));
    }

    // Bound for the whole function, so that MinIO stops however the function returns.
    let _minio = if env::var_os(S3_ENDPOINT).is_some() {
        None
    } else {
        let minio = Minio::start(sh, 0).await?;
        environment.push((S3_ENDPOINT, minio.endpoint()));
        environment.push((S3_ACCESS_KEY, minio::ACCESS_KEY.to_owned()));
        environment.push((S3_SECRET_KEY, minio::SECRET_KEY.to_owned()));
        Some(minio)
    };
    // Build every member, or dependencies would be rebuilt with other features.
    command::run(cmd!(sh, "cargo build --workspace --bins --locked")).await?;
    all(sh, environment.clone()).await?;
    if env::var_os(MONGODB_URI).is_none() {
        about_mongodb(sh, environment, Release::V4_4).await?;
    }
    pool::run(sh).await?;
    if !has_java {
        eprintln!("Java is missing: nothing was read with Spark");
    }
    Ok(())
}

/// Runs all suites that use the servers of the environment.
async fn all(sh: &Shell, mut environment: Vec<(&str, String)>) -> anyhow::Result<()> {
    let _mongod = if env::var_os(MONGODB_URI).is_some() {
        None
    } else {
        let mongod = Mongod::start(sh, Release::V6_0, 0).await?;
        environment.push((MONGODB_URI, mongod.uri()));
        Some(mongod)
    };
    let pair = Mongod::start_pair(sh).await?;
    environment.push((MONGODB_PAIR, pair.uri()));
    let (_users, root) = Mongod::start_with_users(sh, "mongod-users").await?;
    environment.push((MONGODB_USERS, root));
    command::run_with(&environment, test(sh, suites_on_real_servers())).await
}

/// Runs the suites about MongoDB on another release of it.
async fn about_mongodb(
    sh: &Shell,
    mut environment: Vec<(&str, String)>,
    release: Release,
) -> anyhow::Result<()> {
    let mongod = Mongod::start(sh, release, 0).await?;
    environment.push((MONGODB_URI, mongod.uri()));
    eprintln!("once more on MongoDB {}", release.version());
    command::run_with(&environment, test(sh, ABOUT_MONGODB)).await
}

fn test(sh: &Shell, suites: impl IntoIterator<Item = &'static str>) -> Cmd<'_> {
    let suites = suites.into_iter().flat_map(|suite| ["--test", suite]);
    cmd!(
        sh,
        "cargo test --locked --no-fail-fast -p lob-tests -p lob-mongo"
    )
    .args(suites)
}
