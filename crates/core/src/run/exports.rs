//! Which exports there are below a prefix, and which of them is the latest.

use std::io::Read;

use anyhow::Context as _;

use super::{Prefix, RunId, committed_runs};
use crate::failure::{ExitStatus, Failure};
use crate::manifest::{ManifestError, ManifestHead};
use crate::store::{Store, StoreError};

/// What a list says of an export.
#[derive(Debug)]
pub struct ExportSummary {
    /// When it was exported.
    pub export_timestamp: jiff::Timestamp,
    /// How many splits there are.
    pub num_splits: u64,
    /// Sum of the documents.
    pub total_documents: u64,
    /// Whether the original wrote it.
    pub is_legacy: bool,
}

/// What a committed run is.
#[derive(Debug)]
pub enum Listed {
    /// It can be imported.
    Export(ExportSummary),
    /// Another tool wrote it, such as an upload below the same prefix: it is no export.
    OtherTool(String),
    /// It cannot be read, so that nobody knows how late it is.
    Unreadable(anyhow::Error),
}

/// All committed runs below `folder`, the latest last.
///
/// # Errors
/// A list that cannot be read.
pub async fn list_exports(
    store: &Store,
    folder: &Prefix,
) -> Result<Vec<(RunId, Listed)>, StoreError> {
    let read = |manifest: &mut dyn Read| ManifestHead::read(manifest);
    let runs = committed_runs(store, folder, read).await?.into_iter();
    let mut listed: Vec<_> = runs
        .map(|(id, head)| {
            let listed = listed(&id, head).unwrap_or_else(Listed::Unreadable);
            (id, listed)
        })
        .collect();
    listed.sort_by_key(|(_, listed)| match listed {
        Listed::Export(summary) => Some(summary.export_timestamp),
        Listed::OtherTool(_) | Listed::Unreadable(_) => None,
    });
    Ok(listed)
}

/// What the head of the manifest of run `id` says of it.
fn listed(
    id: &RunId,
    head: Result<Result<ManifestHead, ManifestError>, StoreError>,
) -> anyhow::Result<Listed> {
    let refused = |error: ManifestError| Failure::new(error.exit_status(), error.to_string());
    let head = head?.map_err(refused)?;
    if let Some(tool) = head.other_tool() {
        return Ok(Listed::OtherTool(tool.to_owned()));
    }
    match &head.run_id {
        Some(run_id) if run_id == id => {}
        Some(run_id) => return Err(refused(ManifestError::OtherRun(run_id.clone())).into()),
        None => return Err(refused(ManifestError::Contradiction("run_id")).into()),
    }
    let time = head.export_timestamp;
    Ok(Listed::Export(ExportSummary {
        is_legacy: head.is_legacy(),
        export_timestamp: time.context("it has no time of an export")?,
        num_splits: head.num_splits,
        total_documents: head.total_documents,
    }))
}

/// The export with the latest time in its manifest. One that cannot be read may be that: taking the
/// one before it would pass old documents off as new.
///
/// # Errors
/// No export, one that cannot be read (`way_out` is the hint then); the store's.
pub async fn latest_export(
    store: &Store,
    folder: &Prefix,
    way_out: &str,
) -> anyhow::Result<(RunId, ExportSummary)> {
    let url = store.url(&folder.folder());
    let mut latest = None;
    for (id, listed) in list_exports(store, folder).await? {
        match listed {
            Listed::Export(summary) => latest = Some((id, summary)),
            Listed::OtherTool(tool) => tracing::info!(run = %id, tool, "passed over: no export"),
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
    latest.ok_or_else(|| {
        Failure::new(ExitStatus::Failed, format!("there is no run below `{url}`"))
            .with_hint("check --bucket and --prefix")
            .into()
    })
}
