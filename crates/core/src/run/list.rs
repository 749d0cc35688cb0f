//! The runs below a prefix, as each tool lists its own: those that are committed, by the heads of
//! their manifests, and those that are only planned.

use std::cmp::Reverse;
use std::io::Read;

use anyhow::Context as _;
use futures::StreamExt as _;
use jiff::Timestamp;
use serde::Deserialize;

use super::RunLocation;
use super::plan::MAX_PLAN_BYTES;
use super::published::{is_missing, run_folders};
use crate::failure::Failure;
use crate::manifest::{ManifestError, ManifestHead, read_fields};
use crate::settings::{Prefix, RunId};
use crate::store::{Store, StoreError};

/// How many plans to read at once.
const PLANS_AT_ONCE: usize = 2;

/// The tool whose runs are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// `lob-upload`.
    Upload,
    /// `lob-export`, and the legacy scripts before it.
    Export,
}

/// What a list shows about a committed run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// When it was exported, or when an upload was planned; this decides which run is the latest.
    pub time: Timestamp,
    /// What it holds.
    pub(crate) content: Content,
}

/// What a run holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Uploaded files.
    Files {
        /// Their number.
        files: u64,
        /// Rows in all of them.
        rows: u64,
        /// Their size.
        bytes: u64,
    },
    /// Exported splits.
    Splits {
        /// Their number.
        splits: u64,
        /// Documents in all of them.
        documents: u64,
        /// Their data files and the size of these; `None` for a run of the legacy scripts, which
        /// do not list them.
        data_files: Option<(u64, u64)>,
    },
}

/// What a run means to the tool that lists its own.
#[derive(Debug)]
pub(crate) enum Listed {
    /// A committed run of this tool.
    Own(RunSummary),
    /// A run of this tool that is planned and not committed; the time of its plan, if it can be
    /// read.
    Uncommitted(Option<Timestamp>),
    /// Another tool wrote it, such as an upload below the prefix for exports.
    OtherTool(String),
    /// It cannot be read, so nobody knows how recent it is.
    Unreadable(anyhow::Error),
}

/// The fields of a plan that a list needs.
#[derive(Deserialize)]
struct PlanHead {
    tool: String,
    created: Timestamp,
}

impl Writer {
    /// The name of the tool.
    fn tool(self) -> &'static str {
        match self {
            Self::Upload => "lob-upload",
            Self::Export => "lob-export",
        }
    }

    /// The name of the tool that wrote a manifest, if it is another one.
    fn other_tool(self, head: &ManifestHead) -> Option<String> {
        match self {
            Self::Upload if head.is_upload() => None,
            Self::Upload => Some(head.tool.as_deref().unwrap_or("another tool").to_owned()),
            Self::Export => head.other_tool().map(str::to_owned),
        }
    }
}

impl RunSummary {
    fn of(head: &ManifestHead, writer: Writer) -> anyhow::Result<Self> {
        let (files, bytes) = (head.files, head.bytes);
        Ok(match writer {
            Writer::Upload => Self {
                time: head.started.context("it has no upload time")?,
                content: Content::Files {
                    files,
                    rows: head.total_rows,
                    bytes,
                },
            },
            Writer::Export => Self {
                time: head.export_timestamp.context("it has no export time")?,
                content: Content::Splits {
                    splits: head.num_splits,
                    documents: head.total_documents,
                    data_files: (!head.is_legacy()).then_some((files, bytes)),
                },
            },
        })
    }

    /// Whether the legacy scripts wrote it.
    pub fn is_legacy(&self) -> bool {
        let Content::Splits { data_files, .. } = &self.content else {
            return false;
        };
        data_files.is_none()
    }
}

impl Listed {
    /// What the head of the manifest of run `id` says about the run.
    pub(super) fn committed(
        id: &RunId,
        head: Result<Result<ManifestHead, ManifestError>, StoreError>,
        writer: Writer,
    ) -> Self {
        let refused = |error: ManifestError| Failure::new(error.exit_status(), error.to_string());
        let listed = || {
            let head = head?.map_err(refused)?;
            if let Some(tool) = writer.other_tool(&head) {
                return Ok(Self::OtherTool(tool));
            }
            let summary = RunSummary::of(&head, writer)?;
            match head.run_id {
                Some(run_id) if run_id == *id => Ok(Self::Own(summary)),
                Some(run_id) => Err(refused(ManifestError::OtherRun(run_id)).into()),
                None => Err(refused(ManifestError::Contradiction("run_id")).into()),
            }
        };
        listed().unwrap_or_else(Self::Unreadable)
    }

    /// What the plan of a run without a manifest says; `None` if it has no plan and thus is no run.
    async fn uncommitted(store: &Store, run: &RunLocation, writer: Writer) -> Option<Self> {
        let read = |plan: &mut dyn Read| read_fields::<PlanHead>(plan).ok();
        match store.stream(&run.plan_key(), MAX_PLAN_BYTES, read).await {
            Ok(Some(plan)) if plan.tool != writer.tool() => Some(Self::OtherTool(plan.tool)),
            Ok(plan) => Some(Self::Uncommitted(plan.map(|plan| plan.created))),
            Err(error) if is_missing(&error) => None,
            Err(error) => Some(Self::Unreadable(error.into())),
        }
    }

    fn time(&self) -> Option<Timestamp> {
        match self {
            Self::Own(summary) => Some(summary.time),
            Self::Uncommitted(time) => *time,
            Self::OtherTool(_) | Self::Unreadable(_) => None,
        }
    }
}

/// All runs below `folder`, the newest first, and last those of which nobody knows the time.
///
/// # Errors
/// The list cannot be read.
pub(crate) async fn list_runs(
    store: &Store,
    folder: &Prefix,
    writer: Writer,
) -> Result<Vec<(RunId, Listed)>, StoreError> {
    let read = |manifest: &mut dyn Read| ManifestHead::read(manifest);
    let found = run_folders(store, folder, read).await?;
    let listed = futures::stream::iter(found).map(async |(id, head)| {
        let listed = match head {
            Err(error) if is_missing(&error) => {
                let run = RunLocation::new(folder.clone(), id.clone());
                Listed::uncommitted(store, &run, writer).await
            }
            head => Some(Listed::committed(&id, head, writer)),
        };
        Some((id, listed?))
    });
    let listed = listed.buffered(PLANS_AT_ONCE);
    let mut runs: Vec<_> = listed.filter_map(std::future::ready).collect().await;
    runs.sort_by_key(|(id, listed)| Reverse((listed.time(), id.clone())));
    Ok(runs)
}
