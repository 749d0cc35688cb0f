//! Everything CI runs, so that anyone can find out beforehand what it will say.
//!
//! The real servers are had on Linux only; elsewhere the test servers have to do.

use xshell::Shell;

use crate::{e2e, lint, test};

pub(crate) async fn run(sh: &Shell) -> anyhow::Result<()> {
    lint::run(sh).await?;
    test::run(sh).await?;
    if cfg!(target_os = "linux") {
        return e2e::run(sh).await;
    }
    eprintln!("e2e was left out: MongoDB is installed from packages for Linux");
    Ok(())
}
