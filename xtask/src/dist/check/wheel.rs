//! The wheel: pip installs it into a new environment, the tool runs there, and pip removes it.

use std::path::Path;

use anyhow::{Context as _, ensure};
use xshell::{Shell, cmd};

use super::links::lead_somewhere;
use super::version::says_version;
use crate::dist::release::Release;
use crate::{command, python_environment};

/// Installs, uses and removes the wheel.
pub(super) async fn check(sh: &Shell, release: &Release, folder: &Path) -> anyhow::Result<()> {
    let tool = &release.tool;
    let start = format!("{}-{}-", tool.replace('-', "_"), release.version);
    let wheel = sh.read_dir(folder)?.into_iter().find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&start) && name.ends_with(".whl")
    });
    let wheel = wheel.with_context(|| format!("there is no wheel of {tool}"))?;
    let environment = tempfile::tempdir()?;
    let environment = environment.path();
    python_environment::create(sh, environment, &["--no-index", &wheel.to_string_lossy()]).await?;
    let program = environment.join("bin").join(tool);
    says_version(release, cmd!(sh, "{program} --version")).await?;
    let documents = environment.join("share/doc").join(tool);
    lead_somewhere(&sh.current_dir(), tool, &documents)?;
    let python = environment.join("bin/python");
    let remove = cmd!(
        sh,
        "python3 -m pip --python {python} uninstall --quiet --yes {tool}"
    );
    command::run(remove).await?;
    for left in [program, documents] {
        ensure!(!left.exists(), "pip leaves `{}`", left.display());
    }
    Ok(())
}
