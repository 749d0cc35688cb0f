//! The recipe of a container image: Debian with the tool's package, run by a user with no rights.
//! It serves every processor that there is a package for, and is linted here; whoever wants the image
//! builds it.

use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use super::release::Release;
use super::toolchain::Toolchain;
use crate::command;

/// Writes the recipe into `folder`, which is also what it is built from; returns its path.
pub(super) async fn write(
    sh: &Shell,
    toolchain: &Toolchain,
    release: &Release,
    folder: &Path,
) -> anyhow::Result<PathBuf> {
    let path = folder.join(format!("{}.Containerfile", release.tool));
    sh.write_file(&path, render(release))?;
    let hadolint = toolchain.programs().join("hadolint");
    command::run(cmd!(sh, "{hadolint} {path}")).await?;
    Ok(path)
}

fn render(release: &Release) -> String {
    include_str!("container/Containerfile")
        .replace("{tool}", &release.tool)
        .replace("{version}", release.version)
}
