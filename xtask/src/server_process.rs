//! A server that runs as a separate process, with throwaway data.
//!
//! However a task ends, the process is killed and reaped, and then its data is removed.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use xshell::Cmd;

/// How long a server may take to become ready.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How often readiness is polled.
const POLL: Duration = Duration::from_millis(100);
/// The unit in which the kernel reports CPU time to programs, on every processor MongoDB supports.
const TICKS_PER_SECOND: f64 = 100.0;
/// How many log lines to show if the server does not start.
const LOG_LINES: usize = 10;

pub(crate) struct ServerProcess {
    name: &'static str,
    child: Child,
    log: PathBuf,
    /// Removed after [`Drop`] has ended the process, because fields are dropped later.
    data: TempDir,
}

impl ServerProcess {
    /// Starts the server; its output goes to the file `log`.
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
            data,
        })
    }

    /// Polls until the server is ready. Fails if the server exits first, or after a minute.
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

    /// Its data folder.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// CPU seconds since its start, as the kernel counts them for all its threads.
    pub(crate) fn cpu(&self) -> anyhow::Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The program name, in parentheses, may contain spaces.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: Result<Vec<f64>, _> = ticks.map(str::parse).collect();
        Ok(ticks?.iter().sum::<f64>() / TICKS_PER_SECOND)
    }

    fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Its data is removed too, so a clean shutdown is pointless.
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = ended {
            eprintln!("warning: {} cannot be stopped: {error}", self.name);
        }
    }
}

/// A port that nothing listens on.
pub(crate) fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
