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
use lob_core::interrupt::{GOES_ON, NOTHING_WRITTEN, leaving};
use lob_core::settings::resolve;

pub use args::{Args, CleanupArgs, Command, LatestArgs, RestoreArgs, VerifyArgs};
pub use settings::{HashKind, Settings};

/// The whole of the binary's `main`. It is here, and not generic, so that all code is compiled with
/// the library and nothing a second time with the binary.
pub fn main() -> ExitCode {
    cli::main(run)
}

/// Resolves the settings and does what was asked for: uploads what they name, unless a command says
/// otherwise.
///
/// # Errors
/// Whatever keeps the run from being committed; then there is no manifest.
async fn run(args: Args, context: &Context) -> anyhow::Result<Outcome> {
    let sources = context.sources("upload", &args, &args.common);
    let mut resolved = resolve(&Settings::default(), &sources)?;
    resolved.settings.s3.take_folder(&mut resolved.origins)?;
    context.origins.keep(&resolved.origins);
    let settings = &resolved.settings;
    if args.common.show_settings {
        return Ok(Outcome::settings(&resolved));
    }
    let (done, left) = match args.command {
        Some(Command::Verify(VerifyArgs { run, full })) => {
            let verifying = verify::verify(run, full, settings, context);
            (verifying.await, NOTHING_WRITTEN)
        }
        Some(Command::Restore(RestoreArgs { run, directory })) => {
            let restoring = restore::restore(run, directory, settings, context);
            (restoring.await, GOES_ON)
        }
        Some(Command::Latest(LatestArgs { print_uri })) => {
            let finding = latest::latest(print_uri, settings, context);
            (finding.await, NOTHING_WRITTEN)
        }
        Some(Command::Cleanup(CleanupArgs { run, yes })) => {
            let cleaning = cleanup::cleanup(run, yes, settings, context);
            (cleaning.await, GOES_ON)
        }
        None if args.dry_run => {
            let looking = pipeline::dry_run(settings, context);
            (looking.await, NOTHING_WRITTEN)
        }
        // Whatever has written says what it left.
        None => {
            let uploading = pipeline::upload(settings, context);
            (uploading.await, NOTHING_WRITTEN)
        }
    };
    done.map_err(|error| leaving(error, left))
}
