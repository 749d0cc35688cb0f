//! The lower bound for an upload's cost.
//!
//! A bench of `lob-core` measures it: hashing in xtask, which is not fully optimised, would be many
//! times slower.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use xshell::{Shell, cmd};

use crate::command;

/// What one thread does with all files, by name, with the time it takes.
pub(crate) async fn measure(
    sh: &Shell,
    files: &[PathBuf],
) -> anyhow::Result<Vec<(String, Duration)>> {
    let bench = cmd!(sh, "cargo bench --locked --workspace --bench floor");
    println!("$ {bench} -- FILES");
    let printed = command::output(bench.arg("--").args(files)).await?;
    let lines = printed.lines().map(|line| {
        let parts = line.split_once('\t');
        let (name, nanoseconds) = parts.with_context(|| format!("the bench printed `{line}`"))?;
        Ok((name.to_owned(), Duration::from_nanos(nanoseconds.parse()?)))
    });
    lines.collect()
}
