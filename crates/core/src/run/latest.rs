//! The committed runs below a prefix, as a tool lists its own, and which of them is the latest.

use std::io::Read;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};

use super::committed_runs;
use crate::failure::{ExitStatus, Failure};
use crate::manifest::{ManifestError, ManifestHead};
use crate::settings::{Prefix, RunId};
use crate::store::{Store, StoreError};

/// Clocks differ by less.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// What can be done where jobs ask for the latest run, and one that may be it cannot be read.
pub const FOR_JOBS: &str = "move it away, or name a run to the jobs yourself";

/// What a list says of a tool's run.
pub trait Summary: Sized {
    /// What the head of a manifest says of the run, or the tool that wrote it, if that is another.
    ///
    /// # Errors
    /// A head that lacks what every run of the tool has.
    fn of(head: ManifestHead) -> anyhow::Result<Result<Self, String>>;

    /// The time by which the latest run is found.
    fn time(&self) -> jiff::Timestamp;
}

/// What a list says of an export.
#[derive(Debug)]
pub struct ExportSummary {
    /// When it was exported.
    pub export_timestamp: jiff::Timestamp,
    /// How many splits there are.
    pub num_splits: u64,
    /// Sum of the documents.
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
            export_timestamp: time.context("it has no time of an export")?,
            num_splits: head.num_splits,
            total_documents: head.total_documents,
        }))
    }

    fn time(&self) -> jiff::Timestamp {
        self.export_timestamp
    }
}

/// What a list says of an upload.
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
        let started = head.started.context("it has no time of an upload")?;
        Ok(Ok(Self { started }))
    }

    fn time(&self) -> jiff::Timestamp {
        self.started
    }
}

/// What a committed run is to the tool that lists its own.
#[derive(Debug)]
pub enum Listed<S> {
    /// The tool's own.
    Own(S),
    /// Another tool wrote it, such as an upload below the prefix of exports.
    OtherTool(String),
    /// It cannot be read, so that nobody knows how late it is.
    Unreadable(anyhow::Error),
}

/// All committed runs below `folder`, the latest last.
///
/// # Errors
/// A list that cannot be read.
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

/// What the head of the manifest of run `id` says of it.
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

/// Warns of a run from a clock that is off: it would stay the latest until its time has come.
fn warn_of_clock(id: &RunId, time: Timestamp) {
    let tomorrow = Timestamp::now()
        .checked_add(A_DAY)
        .unwrap_or(Timestamp::MAX);
    if time > tomorrow {
        tracing::warn!(
            "run `{id}` is the latest by its time, {time}, which has not come yet: the clock that \
             wrote it was off, and later runs are passed over"
        );
    }
}

/// The run with the latest time in its manifest. One that cannot be read may be that: taking the one
/// before it would pass old data off as new.
///
/// # Errors
/// No run, one that cannot be read (`way_out` is the hint then); the store's.
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
            Listed::OtherTool(tool) => tracing::info!(run = %id, "passed over: `{tool}` wrote it"),
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
