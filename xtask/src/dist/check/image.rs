//! The container image, built and run where there is a builder: the tool runs in it, and not as root.
//! Elsewhere the recipe has only been linted, and that is said.

use std::path::Path;

use anyhow::ensure;
use xshell::{Shell, cmd};

use super::version::says_version;
use crate::command;
use crate::dist::release::Release;

const BUILDERS: [&str; 2] = ["podman", "docker"];

/// Builds, uses and removes the image.
pub(super) async fn check(sh: &Shell, release: &Release, folder: &Path) -> anyhow::Result<()> {
    let tool = &release.tool;
    let Some(builder) = builder(sh).await else {
        eprintln!("the image of {tool} was not built: neither podman nor docker runs here");
        return Ok(());
    };
    let recipe = folder.join(format!("{tool}.Containerfile"));
    let image = format!("{tool}:{}", release.commit);
    command::run(cmd!(
        sh,
        "{builder} build --quiet --file {recipe} --tag {image} {folder}"
    ))
    .await?;
    says_version(release, cmd!(sh, "{builder} run --rm {image} --version")).await?;
    let user = cmd!(sh, "{builder} run --rm --entrypoint id {image} --user");
    let user = command::output(user).await?;
    ensure!(user.trim() != "0", "the image of {tool} runs as root");
    command::run(cmd!(sh, "{builder} rmi {image}").ignore_stdout()).await
}

/// The first builder that runs here.
async fn builder(sh: &Shell) -> Option<&'static str> {
    for builder in BUILDERS {
        if command::works(cmd!(sh, "{builder} info")).await {
            return Some(builder);
        }
    }
    None
}
