//! What one command costs, as the kernel and the server count it.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, ensure};
use xshell::{Shell, cmd};

use crate::command;
use crate::minio::Minio;

/// One upload, or the median of several.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// CPU seconds, as a figure of its own: its median is not the sum of the others'.
    pub(crate) cpu: f64,
    /// CPU seconds outside of the kernel.
    pub(crate) user: f64,
    /// CPU seconds in the kernel.
    pub(crate) system: f64,
    /// Seconds.
    pub(crate) wall: f64,
    /// Largest resident memory in MiB.
    pub(crate) peak: f64,
    /// Requests that the server counted.
    pub(crate) requests: f64,
}

impl Cost {
    /// Each figure's own median.
    pub(crate) fn median(costs: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| {
            let mut figures: Vec<_> = costs.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            // The mean of the two in the middle where their number is even.
            let (low, high) = ((figures.len() - 1) / 2, figures.len() / 2);
            f64::midpoint(figures[low], figures[high])
        };
        Self {
            cpu: of(|cost| cost.cpu),
            user: of(|cost| cost.user),
            system: of(|cost| cost.system),
            wall: of(|cost| cost.wall),
            peak: of(|cost| cost.peak),
            requests: of(|cost| cost.requests),
        }
    }
}

/// Runs the command to its end.
pub(crate) async fn measure(
    sh: &Shell,
    minio: &Minio,
    program: &Path,
    arguments: &[String],
    environment: &[(&str, OsString)],
) -> anyhow::Result<Cost> {
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("time");
    let before = minio.requests().await?;
    let command = cmd!(
        sh,
        "/usr/bin/time --format '%U %S %e %M' --output {report} {program} {arguments...}"
    );
    let variables = environment.iter().map(|(name, value)| (name, value));
    command::errors(command.envs(variables)).await?;
    let requests = minio.requests().await? - before;

    let report = std::fs::read_to_string(&report)?;
    let figures: Result<Vec<f64>, _> = report.split_whitespace().map(str::parse).collect();
    let figures = figures.with_context(|| format!("`/usr/bin/time` wrote `{report}`"))?;
    ensure!(figures.len() == 4, "`/usr/bin/time` wrote `{report}`");
    Ok(Cost {
        cpu: figures[0] + figures[1],
        user: figures[0],
        system: figures[1],
        wall: figures[2],
        peak: figures[3] / 1024.0,
        requests: requests as f64,
    })
}
