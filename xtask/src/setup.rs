//! Installs what `e2e` needs, through the package clients of Go and Python.
//!
//! A tool that is installed and starts is left alone, so this can be run any number of times.

mod mongodb;

use anyhow::{bail, ensure};
use xshell::{Shell, cmd};

use crate::command::{self, works};
use crate::mongod::Release;
use crate::peers;
use crate::python_environment::{self, pip_install, require_pip};
use crate::tools::Tools;
use crate::windows;

pub(crate) use self::mongodb::mongodb;

/// MinIO publishes no versions for `go install`; this is a commit on its main branch.
const MINIO: &str = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c";
/// The independent readers.
const PYTHON_PACKAGES: [&str; 7] = [
    "pymongo==4.20.0",
    "pyarrow==26.0.1",
    "pandas==2.3.3",
    "duckdb==2.0.0",
    "polars==2.1.0",
    "boto3==1.44.5",
    "awscli==1.46.2",
];
const IMPORTS: &str = "import pymongo, pyarrow, pandas, duckdb, polars, boto3, awscli";
/// The reader that needs Java.
const PYSPARK: &str = "pyspark==3.5.6";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The clients that `bench` compares with as well
    #[arg(long)]
    peers: bool,
    /// The compiler with which lint compiles for Windows as well; from Debian's packages
    #[arg(long)]
    windows: bool,
}

pub(crate) async fn task(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    run(sh).await?;
    if args.peers {
        peers::install(sh).await?;
    }
    if args.windows {
        windows::Compiler::install(sh).await?;
    }
    Ok(())
}

/// Installs everything except the peers.
pub(crate) async fn run(sh: &Shell) -> anyhow::Result<()> {
    let tools = Tools::new(sh);
    minio(sh, &tools).await?;
    python(sh, &tools).await?;
    pyspark(sh, &tools).await?;
    for release in [Release::V6_0, Release::V4_4] {
        mongodb(sh, &tools, release).await?;
    }
    eprintln!(
        "MinIO, MongoDB and the readers are in {}",
        tools.folder().display()
    );
    Ok(())
}

/// Installs only MinIO.
pub(crate) async fn minio(sh: &Shell, tools: &Tools) -> anyhow::Result<()> {
    let minio = tools.minio();
    let starts = || works(cmd!(sh, "{minio} --version"));
    if starts().await {
        return Ok(());
    }
    if !works(cmd!(sh, "go version")).await {
        bail!("Go is missing: MinIO is built with it; see https://go.dev/doc/install");
    }
    eprintln!("MinIO is built from source: this takes some minutes");
    let folder = [("GOBIN", tools.binaries().display().to_string())];
    command::run_with(&folder, cmd!(sh, "go install {MINIO}")).await?;
    ensure!(starts().await, "`{}` does not start", minio.display());
    Ok(())
}

async fn python(sh: &Shell, tools: &Tools) -> anyhow::Result<()> {
    let python = tools.python();
    let starts = || works(cmd!(sh, "{python} -c {IMPORTS}"));
    if starts().await {
        return Ok(());
    }
    python_environment::create(sh, &tools.python_folder(), &PYTHON_PACKAGES).await?;
    ensure!(
        starts().await,
        "`{}` does not import its packages",
        python.display()
    );
    Ok(())
}

/// Installs PySpark next to the other readers, if there is a Java for it.
async fn pyspark(sh: &Shell, tools: &Tools) -> anyhow::Result<()> {
    if !has_java(sh).await {
        eprintln!("Java is missing: nothing is read with Spark");
        return Ok(());
    }
    let python = tools.python();
    let starts = || works(cmd!(sh, "{python} -c 'import pyspark'"));
    if starts().await {
        return Ok(());
    }
    require_pip(sh).await?;
    command::run(pip_install(sh, &python).arg(PYSPARK)).await?;
    ensure!(
        starts().await,
        "`{}` does not import pyspark",
        python.display()
    );
    Ok(())
}

/// Whether Spark can be started.
pub(crate) async fn has_java(sh: &Shell) -> bool {
    works(cmd!(sh, "java -version")).await
}
