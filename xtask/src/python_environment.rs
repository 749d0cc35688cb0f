//! Creates Python virtual environments.

use std::path::{Path, PathBuf};

use anyhow::bail;
use xshell::{Cmd, Shell, cmd};

use crate::command::{self, works};

/// Creates a virtual environment with these packages.
pub(crate) async fn create(sh: &Shell, folder: &Path, packages: &[&str]) -> anyhow::Result<()> {
    require_pip(sh).await?;
    // Without pip, which some systems package separately: the system's pip can install into the new
    // environment.
    command::run(cmd!(sh, "python3 -m venv --without-pip {folder}")).await?;
    let python = python(folder);
    command::run(pip_install(sh, &python).args(packages)).await
}

/// Where an environment's programs are.
pub(crate) fn programs(folder: &Path) -> PathBuf {
    folder.join(if cfg!(windows) { "Scripts" } else { "bin" })
}

/// An environment's Python.
pub(crate) fn python(folder: &Path) -> PathBuf {
    programs(folder).join("python")
}

/// Installs into the environment that `python` belongs to.
pub(crate) fn pip_install<'a>(sh: &'a Shell, python: &Path) -> Cmd<'a> {
    cmd!(
        sh,
        "python3 -m pip --python {python} install --quiet --disable-pip-version-check"
    )
}

/// # Errors
/// If Python has no pip.
pub(crate) async fn require_pip(sh: &Shell) -> anyhow::Result<()> {
    if !works(cmd!(sh, "python3 -m pip --version")).await {
        bail!("Python 3 with pip is missing: MongoDB and the readers come through it");
    }
    Ok(())
}
