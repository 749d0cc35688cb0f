//! Uploads a directory of Parquet files to S3: plan, read once, send, commit.
//!
//! The way of the data is in `pipeline`; what each step promises is in the file of its name.

mod args;
mod dry_run;
mod footer;
mod freeze;
mod manifest;
mod pipeline;
mod plan;
mod read;
mod selection;
mod send;
mod settings;
mod source;
mod summary;

use lob_core::cli::{Context, Outcome};
use lob_core::settings::resolve;

pub use args::{Args, CleanupArgs, Command, VerifyArgs};
pub use settings::{HashKind, Settings};

/// Resolves the settings and uploads what they name.
///
/// # Errors
/// Whatever keeps the run from being committed; then there is no manifest.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<Outcome> {
    args.check()?;
    let sources = context.sources("upload", &args, &args.common);
    let resolved = resolve(&Settings::default(), &sources)?;
    if args.common.show_settings {
        return Ok(Outcome::settings(&resolved));
    }
    pipeline::upload(&resolved.settings, context).await
}
