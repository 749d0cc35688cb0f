//! Imports the Parquet files of an export into MongoDB, every document byte for byte.
//!
//! `pipeline` shows how the data flows; the other files are its stages.

mod args;
mod budget;
mod check;
mod choose;
mod decode;
mod dry_run;
mod fetch;
mod legacy;
mod load;
mod open;
mod pipeline;
mod presence;
mod room;
mod runs;
mod settings;
mod splits;
mod summary;
mod targets;
mod verify;

use std::process::ExitCode;

use lob_core::cli::{self, Context, Outcome};
use lob_core::interrupt::{NOTHING_WRITTEN, leaving};
use lob_core::run::Writer;
use lob_core::settings::{Sources, resolve};

use crate::args::Command;
use crate::settings::ImportSettings;

pub use args::Args;

/// The binary's whole `main`. It is here and not generic, so that the binary need not compile the
/// library's futures a second time.
pub fn main() -> ExitCode {
    cli::main(run)
}

/// Resolves the settings, imports or runs the given command, and reports what was done.
///
/// # Errors
/// Invalid settings, failing servers, or a run that is not what its manifest says.
async fn run(args: Args, context: &Context) -> anyhow::Result<Outcome> {
    let sources = Sources {
        borrowed: &[("LOB_EXPORT_PREFIX", "prefix")],
        ..context.sources("import", &args.flags, &args.common)
    };
    let mut resolved = resolve(&settings::defaults(), &sources)?;
    resolved.settings.s3.take_folder(&mut resolved.origins)?;
    let (mongo, typed) = (&resolved.settings.mongo, &args.flags.mongo);
    mongo.explain(typed, &mut resolved.origins);
    if let Some(shown) = context.settle(&mut resolved, settings::MEMORY, &args.common) {
        return Ok(shown);
    }
    // Anything that has written says what it left behind.
    let done = command(&args, &resolved.settings, context).await;
    done.map_err(|error| leaving(error, NOTHING_WRITTEN))
}

async fn command(
    args: &Args,
    settings: &ImportSettings,
    context: &Context,
) -> anyhow::Result<Outcome> {
    match &args.command {
        Some(Command::Verify { run }) => {
            let run = run.named(args.flags.run_id.as_ref(), settings.run_id.as_ref())?;
            return verify::verify(&run, settings, context).await;
        }
        Some(Command::List) => return cli::list(&settings.s3, Writer::Export, context).await,
        None if args.list => return cli::list(&settings.s3, Writer::Export, context).await,
        None => {}
    }
    // Hints name the run: appending that to the original command must work too.
    let latest = args.latest && args.flags.run_id.is_none();
    if args.dry_run {
        return dry_run::dry_run(settings, latest, context).await;
    }
    let imported = pipeline::import(settings, latest, context).await?;
    Ok(summary::outcome(&imported, &context.metrics.snapshot()))
}
