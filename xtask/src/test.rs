//! Runs all tests against the in-process test servers.

use xshell::{Shell, cmd};

use crate::command;

pub(crate) async fn run(sh: &Shell) -> anyhow::Result<()> {
    command::run(cmd!(sh, "cargo test --workspace --locked")).await
}
