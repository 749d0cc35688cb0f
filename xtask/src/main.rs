//! `cargo xtask`: everything that a developer or a CI machine runs, starting from nothing but Rust.
//!
//! One subcommand, one file. Commands are printed before they run, so that each can be repeated by
//! hand. Ctrl-C and SIGTERM drop the running task, and with it servers and temporary data.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a development tool prints directly"
)]

mod bench;
mod binaries;
mod ci;
mod codegen;
mod command;
mod demo;
mod dist;
mod e2e;
mod fill;
mod lint;
mod long;
mod memory;
mod minio;
mod mongod;
mod notes;
mod peers;
mod permissions;
mod python_environment;
mod s3_client;
mod server_process;
mod services;
mod setup;
mod signals;
mod test;
mod tools;
mod windows;
mod workflows;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use xshell::Shell;

/// The development tasks of lob-tools
///
/// Start with `cargo xtask demo` to see the tools at work, and with `cargo xtask test` to check a
/// change.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Upload, export, import and compare made-up LOB data; needs no server
    Demo,
    /// Run all tests against the test servers in the process
    Test(test::Args),
    /// Run what takes too long for every commit: hundreds of kills and of runs under faults
    Long,
    /// Check format, clippy, rustdoc and generated references
    Lint,
    /// Run the tests against MinIO and MongoDB, or the servers named in the environment
    E2e(e2e::Args),
    /// Do what CI does: lint, test, e2e
    Ci,
    /// Install MinIO, MongoDB and Python readers into target/tools
    Setup(setup::Args),
    /// Run an S3 and a MongoDB server until Ctrl-C and print how to reach them
    Services(services::Args),
    /// Compare the cost of a tool with other people's clients against MinIO
    Bench(bench::Args),
    /// Measure the peak memory of the tools against MinIO and MongoDB
    Memory,
    /// Make the packages of the tools from the commit that is checked out
    Dist(dist::Args),
    /// Write the references in docs/reference from the tools' command lines
    Codegen(codegen::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = tokio::select! {
        // Polled first, so that a task that ends itself with a signal on purpose counts as a
        // success.
        biased;
        outcome = run(args.task) => outcome,
        status = signals::stop() => {
            eprintln!("interrupted");
            return ExitCode::from(status);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(task: Task) -> anyhow::Result<()> {
    let sh = Shell::new()?;
    sh.change_dir(workspace()?);
    match task {
        Task::Demo => demo::run(&sh).await,
        Task::Test(args) => test::task(&sh, &args).await,
        Task::Long => long::run(&sh).await,
        Task::Lint => lint::run(&sh).await,
        Task::E2e(args) => e2e::task(&sh, &args).await,
        Task::Ci => ci::run(&sh).await,
        Task::Setup(args) => setup::task(&sh, &args).await,
        Task::Services(args) => services::run(&sh, &args).await,
        Task::Bench(args) => bench::run(&sh, &args).await,
        Task::Memory => memory::run(&sh).await,
        Task::Dist(args) => dist::run(&sh, &args).await,
        Task::Codegen(args) => codegen::run(&sh, &args),
    }
}

/// The workspace root, wherever the task was started.
fn workspace() -> anyhow::Result<PathBuf> {
    let xtask = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = xtask.and_then(|xtask| Some(xtask.parent()?.to_owned()));
    root.context("start it as `cargo xtask`")
}
