//! `dist --check`: what was made is what users need. A second build is the same, and each package
//! can be installed, used and removed.

mod binary;
mod deb;
mod image;
mod links;
mod repeat;
mod version;
mod wheel;

use std::path::Path;

use xshell::Shell;

use super::release::{Release, Source};
use super::toolchain::Toolchain;

/// Checks what is in `folder`.
pub(super) async fn run(
    sh: &Shell,
    source: &Source,
    toolchain: &Toolchain,
    releases: &[Release],
    folder: &Path,
) -> anyhow::Result<()> {
    for release in releases {
        binary::check(sh, release, folder).await?;
        deb::check(sh, release, folder).await?;
        wheel::check(sh, release, folder).await?;
        image::check(sh, release, folder).await?;
    }
    repeat::check(sh, source, toolchain, releases, folder).await?;
    eprintln!("all packages hold what they should");
    Ok(())
}
