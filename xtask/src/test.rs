//! All tests, against the test servers in the process.

use xshell::{Shell, cmd};

use crate::command;

pub(crate) async fn run(sh: &Shell) -> anyhow::Result<()> {
    command::run(cmd!(sh, "cargo test --workspace --locked")).await
}
