//! Runs all tests against the in-process test servers, or those of the registry of faults alone.

mod faults;

use clap::Subcommand;
use xshell::{Shell, cmd};

use crate::command;
use crate::notes::NotesFile;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    which: Option<Which>,
}

#[derive(Subcommand)]
enum Which {
    /// Run the tests that docs/RELIABILITY.md names, and check that each fault really happened
    Faults(faults::Args),
}

/// Runs the chosen tests.
pub(crate) async fn task(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    match &args.which {
        None => run(sh).await,
        Some(Which::Faults(args)) => faults::run(sh, args).await,
    }
}

/// Runs all tests.
pub(crate) async fn run(sh: &Shell) -> anyhow::Result<()> {
    let notes = NotesFile::new()?;
    command::run_with(
        &[notes.variable()],
        cmd!(sh, "cargo test --workspace --locked"),
    )
    .await?;
    notes.read().print_skipped();
    Ok(())
}
