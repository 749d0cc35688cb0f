//! What a packaged program says of itself: the version, the commit and the target of its release.

use anyhow::ensure;
use xshell::Cmd;

use crate::command;
use crate::dist::release::Release;

/// Fails unless this command, which asks for the version, says what was released.
pub(super) async fn says_version(release: &Release, ask: Cmd<'_>) -> anyhow::Result<()> {
    let shown = ask.to_string();
    let said = command::output(ask).await?;
    let expected = format!(
        "{} {} ({} {})",
        release.tool,
        release.version,
        &release.commit[..12],
        release.target.triple
    );
    ensure!(said.trim() == expected, "`{shown}` says {said}");
    Ok(())
}
