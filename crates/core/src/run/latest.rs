//! The committed runs below a prefix, as each tool lists its own, and which of them is the latest.

use std::io::Read;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};

use super::committed_runs;
use crate::failure::{ExitStatus, Failure};
use crate::manifest::{ManifestError, ManifestHead};
use crate::settings::{Prefix, RunId};
use crate::store::{Store, StoreError};

/// Clocks differ by less than this.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// What to do when jobs ask for the latest run and a run that may be the latest cannot be read.
pub const FOR_JOBS: &str = "move it away, or give your jobs a run id yourself";

/// What a list shows about a run of one tool.
pub trait Summary: Sized {
    /// What the head of a manifest says about the run, or the name of the tool that wrote it if
    /// that is another one.
    ///
    /// # Errors
    /// A head without something that every run of the tool has.
    fn of(head: ManifestHead) -> anyhow::Result<Result<Self, String>>;

    /// The time that decides which run is the latest.
    fn time(&self) -> jiff::Timestamp;
}

/// What a list shows about an export.
#[derive(Debug)]
pub struct ExportSummary {
    /// When it was exported.
    pub export_timestamp: jiff::Timestamp,
    /// The number of splits.
    pub num_splits: u64,
    /// Documents in all splits.
    pub total_documents: u64,
    /// Whether the legacy scripts wrote it.
    pub is_legacy: bool,
}

impl Summary for ExportSummary {
    fn of(head: ManifestHead) -> anyhow::Result<Result<Self, String>> {
        if let Some(tool) = head.other_tool() {
            return Ok(Err(tool.to_owned()));
        }
        let time = head.export_timestamp;
        Ok(Ok(Self {
            is_legacy: head.is_legacy(),
            export_timestamp: time.context("it has no export time")?,
            num_splits: head.num_splits,
            total_documents: head.total_documents,
        }))
    }

    fn time(&self) -> jiff::Timestamp {
        self.export_timestamp
    }
}

/// What a list shows about an upload.
#[derive(Debug)]
pub struct UploadSummary {
    /// When it was planned.
    pub started: jiff::Timestamp,
}

impl Summary for UploadSummary {
    fn of(head: ManifestHead) -> anyhow::Result<Result<Self, String>> {
        if !head.is_upload() {
            let tool = head.tool.unwrap_or_else(|| "another tool".to_owned());
            return Ok(Err(tool));
        }
        let started = head.started.context("it has no upload time")?;
        Ok(Ok(Self { started }))
    }

    fn time(&self) -> jiff::Timestamp {
        self.started
    }
}

/// What a committed run means to the tool that lists its own.
#[derive(Debug)]
pub enum Listed<S> {
    /// A run of this tool.
    Own(S),
    /// Another tool wrote it, such as an upload below the prefix for exports.
    OtherTool(String),
    /// It cannot be read, so nobody knows how recent it is.
    Unreadable(anyhow::Error),
}

/// All committed runs below `folder`, the latest last.
///
/// # Errors
/// The list cannot be read.
pub async fn list_runs<S: Summary>(
    store: &Store,
    folder: &Prefix,
) -> Result<Vec<(RunId, Listed<S>)>, StoreError> {
    let read = |manifest: &mut dyn Read| ManifestHead::read(manifest);
    let runs = committed_runs(store, folder, read).await?.into_iter();
    let mut listed: Vec<_> = runs
        .map(|(id, head)| {
            let listed = listed(&id, head).unwrap_or_else(Listed::Unreadable);
            (id, listed)
        })
        .collect();
    listed.sort_by_key(|(_, listed)| match listed {
        Listed::Own(summary) => Some(S::time(summary)),
        Listed::OtherTool(_) | Listed::Unreadable(_) => None,
    });
    Ok(listed)
}

/// What the head of the manifest of run `id` says about the run.
fn listed<S: Summary>(
    id: &RunId,
    head: Result<Result<ManifestHead, ManifestError>, StoreError>,
) -> anyhow::Result<Listed<S>> {
    let refused = |error: ManifestError| Failure::new(error.exit_status(), error.to_string());
    let head = head?.map_err(refused)?;
    let run_id = head.run_id.clone();
    let summary = match S::of(head)? {
        Ok(summary) => summary,
        Err(tool) => return Ok(Listed::OtherTool(tool)),
    };
    match run_id {
        Some(run_id) if run_id == *id => Ok(Listed::Own(summary)),
        Some(run_id) => Err(refused(ManifestError::OtherRun(run_id)).into()),
        None => Err(refused(ManifestError::Contradiction("run_id")).into()),
    }
}

/// Warns of a run whose clock was ahead: it would stay the latest until its time has come.
fn warn_of_clock(id: &RunId, time: Timestamp) {
    let tomorrow = Timestamp::now()
        .checked_add(A_DAY)
        .unwrap_or(Timestamp::MAX);
    if time > tomorrow {
        tracing::warn!(
            "run `{id}` counts as the latest, but its time, {time}, is in the future: the machine \
             that wrote it had a wrong clock, and newer runs are ignored"
        );
    }
}

/// The run with the latest time in its manifest. A run that cannot be read may be the latest:
/// falling back to the one before it would pass old data off as new.
///
/// # Errors
/// There is no run, or one cannot be read (the hint is then `way_out`); any error of the store.
pub async fn latest_run<S: Summary>(
    store: &Store,
    folder: &Prefix,
    way_out: &str,
) -> anyhow::Result<(RunId, S)> {
    let url = store.url(&folder.folder());
    let mut latest = None;
    for (id, listed) in list_runs(store, folder).await? {
        match listed {
            Listed::Own(summary) => latest = Some((id, summary)),
            Listed::OtherTool(tool) => tracing::info!(run = %id, "skipped: `{tool}` wrote it"),
            Listed::Unreadable(error) => {
                let message =
                    format!("run `{id}` below `{url}` cannot be read, and may be the latest");
                return Err(Failure::new(ExitStatus::of(&error), message)
                    .with_hint(way_out)
                    .caused_by(error)
                    .into());
            }
        }
    }
    if let Some((id, summary)) = &latest {
        warn_of_clock(id, S::time(summary));
    }
    latest.ok_or_else(|| {
        Failure::new(ExitStatus::Failed, format!("there is no run below `{url}`"))
            .with_hint("check --bucket and --prefix")
            .into()
    })
}
