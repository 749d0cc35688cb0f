//! `cargo xtask bench`: the cost of a tool next to other people's clients that do the same job.

mod client;
mod columns;
mod cost;
mod export;
mod floor;
mod import;
mod link;
mod report;
mod scale;
mod transfer;
mod transfer_client;
mod transfer_report;
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
    /// Export the same collection with lob-export and with each peer that is found
    Export(transfer::Args),
    /// Import the same collection with lob-import and with each peer that is found
    Import(transfer::Args),
    /// Move data through a proxy that makes each connection slow, and without
    Link(link::Args),
    /// Encode documents as columns and decode them, in memory
    Columns,
    /// Export and import small and large collections: time, and memory over time
    Scale(scale::Args),
}

pub(crate) async fn run(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    match &args.bench {
        Bench::Upload(args) => upload::run(sh, args).await,
        Bench::Export(args) => export::run(sh, args).await,
        Bench::Import(args) => import::run(sh, args).await,
        Bench::Link(args) => link::run(sh, args).await,
        Bench::Columns => columns::run(sh).await,
        Bench::Scale(args) => scale::run(sh, args).await,
    }
}
