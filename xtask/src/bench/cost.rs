//! The cost of one command, as the kernel and the server count it.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use xshell::{Cmd, Shell, cmd};

use crate::command;

/// How often memory is sampled.
const INTERVAL: Duration = Duration::from_millis(200);

/// One run of a client, or the median of several.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// CPU seconds, as a figure of its own: its median is not the sum of the other medians.
    pub(crate) cpu: f64,
    /// CPU seconds in user space.
    pub(crate) user: f64,
    /// CPU seconds in the kernel.
    pub(crate) system: f64,
    /// Seconds.
    pub(crate) wall: f64,
    /// Largest resident memory in MiB.
    pub(crate) peak: f64,
    /// What the server counted in the meantime: requests for MinIO, CPU seconds for MongoDB.
    pub(crate) server: f64,
}

impl Cost {
    /// The median of each figure on its own.
    pub(crate) fn median(costs: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| {
            let mut figures: Vec<_> = costs.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            // The mean of the middle two if the count is even.
            let (low, high) = ((figures.len() - 1) / 2, figures.len() / 2);
            f64::midpoint(figures[low], figures[high])
        };
        Self {
            cpu: of(|cost| cost.cpu),
            user: of(|cost| cost.user),
            system: of(|cost| cost.system),
            wall: of(|cost| cost.wall),
            peak: of(|cost| cost.peak),
            server: of(|cost| cost.server),
        }
    }
}

/// Runs the command to completion; `counted` reads the server's counter.
pub(crate) async fn measure(
    sh: &Shell,
    counted: impl AsyncFn() -> anyhow::Result<f64>,
    program: &Path,
    arguments: &[String],
    environment: &[(&str, OsString)],
) -> anyhow::Result<Cost> {
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("time");
    let before = counted().await?;
    command::errors(timed(sh, &report, program, arguments, environment)).await?;
    let server = counted().await? - before;
    read(&report, server)
}

/// Runs the command to completion while sampling its resident memory, in MiB.
pub(crate) async fn measure_memory(
    sh: &Shell,
    program: &Path,
    arguments: &[String],
    environment: &[(&str, OsString)],
) -> anyhow::Result<(Cost, Vec<f64>)> {
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("time");
    let command = timed(sh, &report, program, arguments, environment);
    let mut running = command::start(command)?;
    let time = running.id().context("it has ended")?;
    let mut ticks = tokio::time::interval(INTERVAL);
    let mut samples = Vec::new();
    let status = loop {
        tokio::select! {
            status = running.wait() => break status?,
            // Before the process starts and after it ends there is nothing to sample.
            _ = ticks.tick() => samples.extend(resident(time)),
        }
    };
    ensure!(status.success(), "`{}` failed: {status}", program.display());
    Ok((read(&report, 0.0)?, samples))
}

fn timed<'a>(
    sh: &'a Shell,
    report: &Path,
    program: &Path,
    arguments: &[String],
    environment: &[(&str, OsString)],
) -> Cmd<'a> {
    let command = cmd!(
        sh,
        "/usr/bin/time --format '%U %S %e %M' --output {report} {program} {arguments...}"
    );
    command.envs(environment.iter().map(|(name, value)| (name, value)))
}

/// Reads the report of `/usr/bin/time`.
fn read(report: &Path, server: f64) -> anyhow::Result<Cost> {
    let report = fs::read_to_string(report)?;
    let figures: Result<Vec<f64>, _> = report.split_whitespace().map(str::parse).collect();
    let figures = figures.with_context(|| format!("`/usr/bin/time` wrote `{report}`"))?;
    ensure!(figures.len() == 4, "`/usr/bin/time` wrote `{report}`");
    Ok(Cost {
        cpu: figures[0] + figures[1],
        user: figures[0],
        system: figures[1],
        wall: figures[2],
        peak: figures[3] / 1024.0,
        server,
    })
}

/// Resident memory of the only process that `/usr/bin/time` has started.
fn resident(time: u32) -> Option<f64> {
    let child = fs::read_to_string(format!("/proc/{time}/task/{time}/children")).ok()?;
    let status = fs::read_to_string(format!("/proc/{}/status", child.trim())).ok()?;
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = resident.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}
