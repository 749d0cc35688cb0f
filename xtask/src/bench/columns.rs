//! `bench columns`: encoding and decoding alone, in memory, next to zstd's own speed.
//!
//! The measuring is a release benchmark of lob-columns; here its tables are put in their place.

use xshell::{Shell, cmd};

use super::report::{machine, write};
use crate::command;

pub(crate) async fn run(sh: &Shell) -> anyhow::Result<()> {
    let bench = cmd!(sh, "cargo bench --locked --workspace --bench columns");
    let tables = command::output(bench).await?;
    print!("{tables}");
    let machine = machine()?;
    let text = format!("One thread, best of 5 rounds, CPU s/GB of BSON; {machine}.\n\n{tables}");
    write(sh, "columns", &text)
}
