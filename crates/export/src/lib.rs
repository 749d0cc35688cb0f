//! Exports MongoDB split collections to Parquet on S3 in one scan, reading nothing back.
//!
//! `pipeline` shows how the data flows; the other files are its stages.

mod args;
mod chain;
mod choose_columns;
mod cleanup;
mod columns_from;
mod commit;
mod confirm;
mod data_file;
mod earlier_columns;
mod export_range;
mod field_names;
mod history;
mod job;
mod latest;
mod manifest;
mod misfits;
mod number_or;
mod open;
mod part_sink;
mod pipeline;
mod place;
mod plan;
mod planner;
mod range;
mod range_writer;
mod record;
mod settings;
mod shares;
mod shrink;
mod statistics;
mod summary;
mod tally;
mod verify;
mod work;
mod worker;

use std::process::ExitCode;

use lob_core::cli::{self, Context, Outcome};
use lob_core::interrupt::{NOTHING_WRITTEN, RESUMES, leaving};
use lob_core::run::Writer;
use lob_core::settings::{RunArg, resolve};

use crate::args::Command;

pub use args::Args;

/// The binary's whole `main`. It is here and not generic, so that the binary need not compile the
/// library's futures a second time.
pub fn main() -> ExitCode {
    cli::main(run)
}

/// Resolves the settings and runs the given command; without one, exports what they name.
///
/// # Errors
/// Invalid settings, failing servers, or collections that cannot be exported.
async fn run(args: Args, context: &Context) -> anyhow::Result<Outcome> {
    let sources = context.sources("export", &args.flags, &args.common);
    let mut resolved = resolve(&settings::defaults(), &sources)?;
    resolved.settings.s3.take_folder(&mut resolved.origins)?;
    let (mongo, typed) = (&resolved.settings.mongo, &args.flags.mongo);
    mongo.explain(typed, &mut resolved.origins);
    if let Some(shown) = context.settle(&mut resolved, settings::MEMORY, &args.common) {
        return Ok(shown);
    }
    let (typed, setting) = (&args.flags.run_id, &resolved.settings.run_id);
    let named = |run: &RunArg| run.named(typed.as_ref(), setting.as_ref());
    let (done, left) = match &args.command {
        // Anything that has written says what it left behind.
        None => (pipeline::export(&resolved, context).await, NOTHING_WRITTEN),
        Some(Command::Plan) => (pipeline::plan(&resolved, context).await, NOTHING_WRITTEN),
        Some(Command::Work) => (pipeline::work(&resolved, context).await, RESUMES),
        Some(Command::Commit) => (pipeline::commit_alone(&resolved, context).await, RESUMES),
        Some(Command::Verify { run, full }) => {
            let verifying = verify::verify(named(run)?, *full, &resolved.settings, context);
            (verifying.await, NOTHING_WRITTEN)
        }
        Some(Command::Latest { print_uri }) => {
            let finding = latest::latest(*print_uri, &resolved.settings, context);
            (finding.await, NOTHING_WRITTEN)
        }
        Some(Command::List) => {
            let listing = cli::list(&resolved.settings.s3, Writer::Export, context);
            (listing.await, NOTHING_WRITTEN)
        }
        Some(Command::Cleanup { run, yes }) => {
            let cleaning = cleanup::cleanup(named(run)?, *yes, &resolved.settings, context);
            (cleaning.await, RESUMES)
        }
    };
    done.map_err(|error| leaving(error, left))
}
