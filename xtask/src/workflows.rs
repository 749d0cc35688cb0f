//! Lints the workflows in `.github`, which run nowhere but there.

use anyhow::ensure;
use xshell::{Shell, cmd};

use crate::command;
use crate::tools::Tools;

const ACTIONLINT: &str = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12";

/// Lints them with actionlint, which is built where Go is.
pub(crate) async fn lint(sh: &Shell) -> anyhow::Result<()> {
    let tools = Tools::new(sh);
    let actionlint = tools.binaries().join("actionlint");
    let starts = || command::works(cmd!(sh, "{actionlint} -version"));
    if !starts().await {
        if !command::works(cmd!(sh, "go version")).await {
            eprintln!("the workflows were not linted: actionlint is built with Go");
            return Ok(());
        }
        let folder = [("GOBIN", tools.binaries().display().to_string())];
        command::run_with(&folder, cmd!(sh, "go install {ACTIONLINT}")).await?;
        ensure!(starts().await, "`{}` does not start", actionlint.display());
    }
    command::run(cmd!(sh, "{actionlint}")).await
}
