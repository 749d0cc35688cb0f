//! Uploads a directory of Parquet files to S3: plan, read once, send, commit.
//!
//! `pipeline` shows how the data flows; each step's file says what the step promises.

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
mod resume;
mod scratch;
mod selection;
mod send;
mod send_all;
mod settings;
mod source;
mod summary;
mod verify;

use std::process::ExitCode;

use lob_core::cli::{self, Context, Outcome};
use lob_core::interrupt::{NOTHING_WRITTEN, RESUMES, leaving};
use lob_core::run::Writer;
use lob_core::settings::{RunArg, resolve};

use crate::args::Command;
use crate::settings::Settings;

pub use args::Args;

/// The binary's whole `main`. It is here and not generic, so that the binary need not compile the
/// library's futures a second time.
pub fn main() -> ExitCode {
    cli::main(run)
}

/// Resolves the settings and runs the given command; without one, uploads the files that the
/// settings name.
///
/// # Errors
/// Anything that keeps the run from being committed; there is no manifest then.
async fn run(args: Args, context: &Context) -> anyhow::Result<Outcome> {
    let sources = context.sources("upload", &args, &args.common);
    let mut resolved = resolve(&Settings::default(), &sources)?;
    resolved.settings.s3.take_folder(&mut resolved.origins)?;
    if let Some(shown) = context.settle(&mut resolved, settings::MEMORY, &args.common) {
        return Ok(shown);
    }
    let settings = &resolved.settings;
    let named = |run: &RunArg| run.named(args.run_id.as_ref(), settings.run_id.as_ref());
    let (done, left) = match &args.command {
        Some(Command::Verify { run, full }) => {
            let verifying = verify::verify(named(run)?, *full, settings, context);
            (verifying.await, NOTHING_WRITTEN)
        }
        Some(Command::Restore { run, directory }) => {
            let restoring = restore::restore(named(run)?, directory.clone(), settings, context);
            (restoring.await, RESUMES)
        }
        Some(Command::Latest { print_uri }) => {
            let finding = latest::latest(*print_uri, settings, context);
            (finding.await, NOTHING_WRITTEN)
        }
        Some(Command::List) => {
            let listing = cli::list(&settings.s3, Writer::Upload, context);
            (listing.await, NOTHING_WRITTEN)
        }
        Some(Command::Cleanup { run, yes }) => {
            let cleaning = cleanup::cleanup(named(run)?, *yes, settings, context);
            (cleaning.await, RESUMES)
        }
        None if args.dry_run => {
            let looking = pipeline::dry_run(settings, context);
            (looking.await, NOTHING_WRITTEN)
        }
        // Anything that has written says what it left behind.
        None => {
            let uploading = pipeline::upload(settings, context);
            (uploading.await, NOTHING_WRITTEN)
        }
    };
    done.map_err(|error| leaving(error, left))
}
