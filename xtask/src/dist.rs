//! `cargo xtask dist`: everything that is released, made from one commit.
//!
//! For each tool: an archive, a Debian package, a Python wheel, the recipe of a container image and
//! a CycloneDX SBOM; and the SHA-256 sums of all of them. The same commit always makes the same
//! bytes, wherever it is built: times are the commit's, and no path of the machine gets in.

mod archive;
mod changelog;
mod check;
mod command_line;
mod container;
mod contents;
mod deb;
mod dependencies;
mod documents;
mod links;
mod make;
mod notices;
mod release;
mod sbom;
mod sums;
mod target;
mod toolchain;
mod wheel;

use xshell::Shell;

use self::make::make;
use self::release::Source;
pub(crate) use self::toolchain::Toolchain;
use crate::binaries::TOOLS;

/// Where everything is made, below the workspace.
const FOLDER: &str = "target/dist";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The tools to package [default: all]
    #[arg(value_name = "TOOL", value_parser = TOOLS)]
    tools: Vec<String>,
    /// Build everything a second time from a clone and compare, then install, use and remove each
    /// package; Linux only
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    let source = Source::read(sh).await?;
    let toolchain = Toolchain::install(sh).await?;
    let tools: Vec<&str> = match args.tools.as_slice() {
        [] => TOOLS.to_vec(),
        some => some.iter().map(String::as_str).collect(),
    };
    let folder = sh.current_dir().join(FOLDER);
    let made = make(sh, &source, &toolchain, &tools, &folder).await?;
    for path in &made {
        eprintln!("made {}", path.display());
    }
    if args.check {
        let releases = tools
            .iter()
            .map(|tool| source.release(tool, toolchain.target()));
        let releases: Vec<_> = releases.collect();
        check::run(sh, &source, &toolchain, &releases, &folder).await?;
    }
    Ok(())
}
