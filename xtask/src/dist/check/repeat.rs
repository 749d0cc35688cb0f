//! A second build of the same commit, from a clone in another folder: everything has the same sums.

use std::path::Path;

use anyhow::ensure;
use xshell::{Shell, cmd};

use crate::command;
use crate::dist::make::make;
use crate::dist::release::{Release, Source};
use crate::dist::toolchain::Toolchain;

/// Where the clone is while it is needed.
const CLONE: &str = "target/dist-repeated";

/// Makes everything again and compares the sums.
pub(super) async fn check(
    sh: &Shell,
    source: &Source,
    toolchain: &Toolchain,
    releases: &[Release],
    folder: &Path,
) -> anyhow::Result<()> {
    let root = sh.current_dir();
    let clone = root.join(CLONE);
    sh.remove_path(&clone)?;
    command::run(cmd!(sh, "git clone --quiet {root} {clone}")).await?;
    let commit = &source.commit;
    let there = Shell::new()?;
    there.change_dir(&clone);
    command::run(cmd!(there, "git checkout --quiet {commit}")).await?;
    let tools: Vec<_> = releases.iter().map(|release| &*release.tool).collect();
    let again = clone.join("target/dist");
    make(&there, source, toolchain, &tools, &again).await?;
    let sums = |folder: &Path| sh.read_file(folder.join("SHA256SUMS"));
    let (first, second) = (sums(folder)?, sums(&again)?);
    ensure!(
        first == second,
        "two builds differ:\n{first}\nand from the clone in {CLONE}:\n{second}"
    );
    sh.remove_path(&clone)?;
    eprintln!("two builds are the same:\n{first}");
    Ok(())
}
