//! Checks that do not run the tools: format, lints, the rules of the code base, documentation,
//! generated files.

use xshell::{Shell, cmd};

use crate::windows::Compiler;
use crate::{codegen, command, workflows};

pub(crate) async fn run(sh: &Shell) -> anyhow::Result<()> {
    command::run(cmd!(sh, "cargo fmt --all --check")).await?;
    let clippy = cmd!(
        sh,
        "cargo clippy --workspace --all-targets --locked -- -D warnings"
    );
    command::run(clippy).await?;
    // The rules look at all dependencies, also at those of other systems, which no build downloads.
    command::run(cmd!(sh, "cargo fetch --locked")).await?;
    // `--all-targets` does not include a target that `cargo test` leaves out.
    let rules = cmd!(
        sh,
        "cargo clippy --locked -p lob-tests --test tidy -- -D warnings"
    );
    command::run(rules).await?;
    command::run(cmd!(sh, "cargo test --locked -p lob-tests --test tidy")).await?;
    let flags = [("RUSTDOCFLAGS", "-D warnings".to_owned())];
    let doc = cmd!(
        sh,
        "cargo doc --workspace --no-deps --document-private-items --locked"
    );
    command::run_with(&flags, doc).await?;
    eprintln!("$ cargo xtask codegen --check");
    codegen::run(sh, &codegen::Args { check: true })?;
    workflows::lint(sh).await?;
    match Compiler::find(sh).await {
        Some(compiler) => compiler.check(sh).await,
        None => {
            eprintln!("nothing was compiled for Windows; `cargo xtask setup --windows` helps");
            Ok(())
        }
    }
}
