//! Everything CI runs, so that anyone can find out beforehand what it will say.

use xshell::Shell;

use crate::{e2e, lint, test};

pub(crate) async fn run(sh: &Shell) -> anyhow::Result<()> {
    lint::run(sh).await?;
    test::run(sh).await?;
    e2e::run(sh).await
}
