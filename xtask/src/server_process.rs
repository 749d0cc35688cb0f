//! A server that runs as a process of its own with data that nobody keeps.
//!
//! However a task ends, the process is killed and waited for, and then its data is removed.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use xshell::Cmd;

/// How long a server may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is asked meanwhile.
const POLL: Duration = Duration::from_millis(100);
/// Lines of the log that are shown when it does not start.
const LOG_LINES: usize = 10;

pub(crate) struct ServerProcess {
    name: &'static str,
    child: Child,
    log: PathBuf,
    /// Removed after [`Drop`] has ended the process: fields are dropped later.
    _data: TempDir,
}

impl ServerProcess {
    /// Starts the server; what it prints goes to the file `log`.
    pub(crate) fn start(
        name: &'static str,
        command: Cmd<'_>,
        log: PathBuf,
        data: TempDir,
    ) -> anyhow::Result<Self> {
        eprintln!("$ {command}");
        let output =
            File::create(&log).with_context(|| format!("`{}` cannot be written", log.display()))?;
        let mut command = Command::from(command);
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let child = command
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        Ok(Self {
            name,
            child,
            log,
            _data: data,
        })
    }

    /// Asks until the server is ready, but no longer than it lives or a minute.
    pub(crate) async fn wait_until(&mut self, ready: impl AsyncFn() -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while !ready().await {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "{} ended at once: {status}\n{}",
                    self.name,
                    self.end_of_log()
                );
            }
            if Instant::now() > deadline {
                bail!("{} does not answer\n{}", self.name, self.end_of_log());
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Its data goes with it, so there is nothing to be closed in order.
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = ended {
            eprintln!("warning: {} cannot be stopped: {error}", self.name);
        }
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
