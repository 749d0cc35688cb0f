//! Exports MongoDB split collections to Parquet on S3, in one scan and with nothing read back.
//!
//! `pipeline` is the way of the data; the other files are its stations.

mod args;
mod data_file;
mod part_sink;
mod pipeline;
mod plan;
mod record;
mod settings;
mod split_writer;
mod statistics;
mod summary;

use lob_core::cli::{Context, Outcome};
use lob_core::settings::resolve;

pub use args::Args;

/// The command: resolves the settings, exports, and says what was done.
///
/// # Errors
/// Settings that are wrong, servers that fail, collections that cannot be exported.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<Outcome> {
    let sources = context.sources("export", &args.flags, &args.common);
    let resolved = resolve(&settings::defaults(), &sources)?;
    if args.flags.mongo.has_password() {
        tracing::warn!("other users can read a password on the command line: set MONGODB_URI");
    }
    if args.common.show_settings {
        return Ok(Outcome::settings(&resolved));
    }
    let exported = pipeline::export(&resolved.settings, context).await?;
    Ok(summary::outcome(&exported))
}
