//! Runs a command as a step of a task: prints it first, and fails the task if the command fails.

use std::env;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tokio::process::{Child, Command};
use xshell::Cmd;

/// Prints the command with these environment variables, and runs it with them.
pub(crate) async fn run_with(
    environment: &[(&str, String)],
    command: Cmd<'_>,
) -> anyhow::Result<()> {
    let variables = environment.iter();
    let shown: String = variables
        .map(|(name, value)| format!("{name}={value:?} "))
        .collect();
    eprintln!("$ {shown}{command}");
    finish(command.envs(environment.iter().map(|(name, value)| (name, value)))).await
}

/// Prints the command and runs it.
pub(crate) async fn run(command: Cmd<'_>) -> anyhow::Result<()> {
    run_with(&[], command).await
}

/// Runs the command without printing anything.
pub(crate) async fn finish(command: Cmd<'_>) -> anyhow::Result<()> {
    let shown = command.to_string();
    let status = killable(command).status().await;
    let status = status.with_context(|| format!("`{shown}` cannot be started"))?;
    ensure!(status.success(), "`{shown}` failed: {status}");
    Ok(())
}

/// Returns what the command prints on stdout; its stderr is passed through.
pub(crate) async fn output(command: Cmd<'_>) -> anyhow::Result<String> {
    let shown = command.to_string();
    let output = killable(command).stderr(Stdio::inherit()).output().await;
    let output = output.with_context(|| format!("`{shown}` cannot be started"))?;
    ensure!(
        output.status.success(),
        "`{shown}` failed: {}",
        output.status
    );
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` does not print text"))
}

/// Returns what the command prints on stderr.
pub(crate) async fn errors(command: Cmd<'_>) -> anyhow::Result<String> {
    let shown = command.to_string();
    let output = killable(command).output().await;
    let output = output.with_context(|| format!("`{shown}` cannot be started"))?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.success(),
        "`{shown}` failed: {}\n{errors}",
        output.status
    );
    Ok(errors)
}

/// Starts the command and passes its output through.
pub(crate) fn start(command: Cmd<'_>) -> anyhow::Result<Child> {
    let shown = command.to_string();
    let started = killable(command).spawn();
    started.with_context(|| format!("`{shown}` cannot be started"))
}

/// Whether the command can be started and succeeds; its output is discarded.
pub(crate) async fn works(command: Cmd<'_>) -> bool {
    let mut command = killable(command);
    let status = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await;
    status.is_ok_and(|status| status.success())
}

/// Dropping a task kills its command.
///
/// The variables that cargo sets for xtask are not passed on: build scripts such as ring's look at
/// them, and would rebuild whenever cargo is started from xtask after a shell, or the other way
/// round.
fn killable(command: Cmd<'_>) -> Command {
    let mut command = Command::from(std::process::Command::from(command));
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
            command.env_remove(name);
        }
    }
    command.kill_on_drop(true);
    command
}
