//! Uploads a directory of Parquet files to S3: plan, read once, send, commit.
//!
//! The way of the data is in `pipeline`; what each step promises is in the file of its name.

mod args;
mod cleanup;
mod committed;
mod confirm;
mod dry_run;
mod fault;
mod footer;
mod freeze;
mod latest;
mod manifest;
mod open;
mod pipeline;
mod plan;
mod read;
mod restore;
mod scratch;
mod selection;
mod send;
mod send_all;
mod settings;
mod source;
mod summary;
mod take_up;
mod verify;

use lob_core::cli::{Context, Outcome};
use lob_core::settings::resolve;

pub use args::{Args, CleanupArgs, Command, LatestArgs, RestoreArgs, VerifyArgs};
pub use settings::{HashKind, Settings};

/// Resolves the settings and does what was asked for: uploads what they name, unless a command says
/// otherwise.
///
/// # Errors
/// Whatever keeps the run from being committed; then there is no manifest.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<Outcome> {
    let sources = context.sources("upload", &args, &args.common);
    let mut resolved = resolve(&Settings::default(), &sources)?;
    resolved.settings.s3.take_folder(&mut resolved.origins)?;
    context.origins.keep(&resolved.origins);
    let settings = &resolved.settings;
    if args.common.show_settings {
        return Ok(Outcome::settings(&resolved));
    }
    match args.command {
        Some(Command::Verify(VerifyArgs { run, full })) => {
            verify::verify(run, full, settings, context).await
        }
        Some(Command::Restore(RestoreArgs { run, directory })) => {
            restore::restore(run, directory, settings, context).await
        }
        Some(Command::Latest(LatestArgs { print_uri })) => {
            latest::latest(print_uri, settings, context).await
        }
        Some(Command::Cleanup(CleanupArgs { run, yes })) => {
            cleanup::cleanup(run, yes, settings, context).await
        }
        None if args.dry_run => pipeline::dry_run(settings, context).await,
        None => pipeline::upload(settings, context).await,
    }
}
