//! `cargo xtask bench`: what a tool costs beside other people's clients that do the same.

mod client;
mod cost;
mod floor;
mod report;
mod upload;

use xshell::Shell;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(clap::Subcommand)]
enum Bench {
    /// Upload the same files with lob-upload and with each peer that is found
    Upload(upload::Args),
}

pub(crate) async fn run(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    match &args.bench {
        Bench::Upload(args) => upload::run(sh, args).await,
    }
}
