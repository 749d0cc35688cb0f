//! A range of a split: its bounds, its scans and its data files.

use std::sync::Arc;

use lob_core::cli::Context;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::progress::Progress;
use lob_core::run::OpenRun;
use lob_core::settings::ByteSize;
use lob_core::transfer::PartBudget;
use lob_mongo::{
    ClusterTime, Collection, DocumentId, Error, IdRange, Scan, ScanOptions, ScanRange,
};

use crate::data_file::DataFile;
use crate::place::Place;
use crate::plan::SplitPlan;
use crate::settings::ByteSettings;

/// What all ranges of a run share.
pub(crate) struct Export {
    pub(crate) run: OpenRun,
    pub(crate) splits: Vec<(SplitPlan, Collection)>,
    pub(crate) settings: ByteSettings,
    pub(crate) snapshot: Option<ClusterTime>,
    /// Memory for parts, shared by all ranges.
    pub(crate) budget: PartBudget,
    /// Documents to buffer per range.
    pub(crate) read_ahead: ByteSize,
    pub(crate) context: Context,
}

/// A range of a split and what its export needs.
#[derive(Clone, Copy)]
pub(crate) struct Range<'a> {
    pub(crate) export: &'a Export,
    pub(crate) split: &'a SplitPlan,
    pub(crate) collection: &'a Collection,
    pub(crate) number: u32,
}

/// A run that can no longer be completed and stays as it is.
#[derive(Debug, thiserror::Error)]
#[error("the run cannot be resumed")]
pub(crate) struct NotResumable;

impl Range<'_> {
    /// Opens the upload of a data file. Must not be interrupted: an upload whose id nobody knows
    /// could not be aborted.
    pub(crate) async fn open_file(
        &self,
        place: Place,
        progress: &Arc<dyn Progress>,
    ) -> anyhow::Result<DataFile> {
        let Export {
            run,
            settings,
            budget,
            ..
        } = self.export;
        let (name, columns) = (place.file_name(), &self.split.columns);
        DataFile::open(run, &name, columns, settings, budget, progress).await
    }

    pub(crate) fn bounds(&self) -> anyhow::Result<IdRange> {
        let bounds = self.split.ranges.get(self.number as usize).cloned();
        bounds.ok_or_else(|| anyhow::anyhow!("the plan has no range {}", self.number))
    }

    pub(crate) fn scan(&self, range: IdRange, after: Option<DocumentId>) -> anyhow::Result<Scan> {
        let is_whole = after.is_none() && range == IdRange::default();
        if !is_whole && !self.split.is_divisible {
            let namespace = self.collection.namespace();
            let message = format!("`{namespace}` can only be read in one piece");
            let failure = Failure::new(ExitStatus::Failed, message);
            return Err(anyhow::Error::from(failure).context(NotResumable));
        }
        let part = ScanRange { range, after };
        let options = ScanOptions {
            queue: self.export.read_ahead,
            mean_document_size: self.split.mean_document_size,
            at: self.export.snapshot,
            is_divisible: self.split.is_divisible,
        };
        Ok(self.collection.scan(part, options))
    }
}

/// Turns a scan error into a failure, marking those after which the run can never be completed.
pub(crate) fn scan_failure(error: Error) -> anyhow::Error {
    let is_final = matches!(error, Error::SnapshotGone { .. } | Error::Replaced { .. });
    let failure = anyhow::Error::from(Failure::from(error));
    if is_final {
        failure.context(NotResumable)
    } else {
        failure
    }
}
