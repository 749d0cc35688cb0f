//! What a packaged program says of itself: the version, the commit and the target of its release.

use std::path::Path;

use anyhow::ensure;
use xshell::{Shell, cmd};

use crate::command;
use crate::dist::release::Release;

/// Fails unless `--version` of the program says what was released.
pub(super) async fn says_version(
    sh: &Shell,
    release: &Release,
    program: &Path,
) -> anyhow::Result<()> {
    let said = command::output(cmd!(sh, "{program} --version")).await?;
    let expected = format!(
        "{} {} ({} {})",
        release.tool,
        release.version,
        &release.commit[..12],
        release.target.triple
    );
    ensure!(
        said.trim() == expected,
        "`{}` says {said}",
        program.display()
    );
    Ok(())
}
