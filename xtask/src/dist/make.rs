//! Makes everything of some tools from one workspace, so that the same can be done in another.

use std::path::{Path, PathBuf};

use xshell::Shell;

use super::contents::Contents;
use super::dependencies::Dependencies;
use super::release::Source;
use super::toolchain::Toolchain;
use super::{archive, container, deb, sbom, sums, wheel};

/// Makes everything of these tools from the workspace of `sh` in `folder`, which is emptied first.
/// Returns what was made.
pub(super) async fn make(
    sh: &Shell,
    source: &Source,
    toolchain: &Toolchain,
    tools: &[&str],
    folder: &Path,
) -> anyhow::Result<Vec<PathBuf>> {
    sh.remove_path(folder)?;
    sh.create_dir(folder)?;
    let mut made = Vec::new();
    for tool in tools {
        let binary = toolchain.build(sh, source, tool).await?;
        let release = source.release(tool, toolchain.target());
        let dependencies = Dependencies::of(sh, &release).await?;
        let contents = Contents::gather(sh, &release, &binary, &dependencies)?;
        made.push(archive::write(&release, &contents, folder)?);
        if toolchain.is_for_linux() {
            made.push(deb::write(sh, &release, &contents, folder).await?);
            made.push(container::write(sh, toolchain, &release, folder).await?);
        }
        made.push(wheel::write(sh, toolchain, &release, &contents, folder).await?);
        made.push(sbom::write(sh, &release, &dependencies, folder)?);
    }
    made.sort();
    let sums = sums::write(sh, &made, folder)?;
    made.push(sums);
    Ok(made)
}
