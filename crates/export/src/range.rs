//! One range from where its records end to its own end, whoever wrote them.

use lob_core::failure::{ExitStatus, Failure};
use lob_core::store::{StoreError, StoreErrorKind};
use lob_mongo::{Collection, DocumentId, Error, IdRange, Scan, ScanOptions, ScanRange};

use crate::chain::Chain;
use crate::data_file::DataFile;
use crate::plan::SplitPlan;
use crate::range_writer::{RangeWriter, claim, fill};
use crate::record::{Claimed, Description, Place, Record, StandingRecord};
use crate::work::Export;

/// How often in a row an upload of a range may get lost.
const MAX_RESTARTS: u32 = 3;

/// A range of a split, and what its export needs.
#[derive(Clone, Copy)]
pub(crate) struct Range<'a> {
    pub(crate) export: &'a Export,
    pub(crate) split: &'a SplitPlan,
    pub(crate) collection: &'a Collection,
    pub(crate) number: u32,
}

/// A run that stopped here stays as it is.
#[derive(Debug, thiserror::Error)]
#[error("the run cannot be resumed")]
pub(crate) struct NotResumable;

/// What one process has exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) ranges: u64,
    pub(crate) files: u64,
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
}

impl Tally {
    pub(crate) fn add_file(&mut self, documents: u64, bytes: u64) {
        self.files += 1;
        self.documents += documents;
        self.bytes += bytes;
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.ranges += other.ranges;
        self.files += other.files;
        self.documents += other.documents;
        self.bytes += other.bytes;
    }
}

impl Range<'_> {
    /// Exports what is not recorded yet, and completes what is.
    pub(crate) async fn export(self) -> anyhow::Result<Tally> {
        let mut tally = Tally {
            ranges: 1,
            ..Tally::default()
        };
        let mut chain = Chain::of(self.split.split_id, self.number);
        let mut restarts = 0;
        loop {
            let interrupt = &self.export.context.interrupt;
            while let Some(standing) = interrupt.or(chain.read_on(&self.export.run)).await? {
                self.complete_found(standing).await?;
            }
            if chain.is_complete {
                return Ok(tally);
            }
            let before = chain.next;
            let mut scan = self.scan(self.bounds()?, chain.after.clone())?;
            let writer = RangeWriter::new(self, &mut chain, &mut tally);
            if let Err(error) = writer.write(&mut scan).await {
                restarts = if chain.next == before {
                    restarts + 1
                } else {
                    1
                };
                if !is_lost_upload(&error) || restarts > MAX_RESTARTS {
                    return Err(error);
                }
                tracing::warn!("a data file is begun anew: {error:#}");
                // The last record may have no object yet.
                chain = Chain::of(self.split.split_id, self.number);
            }
        }
    }

    /// Makes the object of a record of this process.
    pub(crate) async fn complete_new(&self, standing: StandingRecord) -> anyhow::Result<()> {
        self.complete(standing, true).await
    }

    /// Makes the object of a record that was found, if it is not there.
    async fn complete_found(&self, standing: StandingRecord) -> anyhow::Result<()> {
        self.complete(standing, false).await
    }

    /// Where the upload of the record is lost, the same documents are scanned again, and the record
    /// is replaced.
    async fn complete(&self, mut standing: StandingRecord, mut is_new: bool) -> anyhow::Result<()> {
        let run = &self.export.run;
        let mut restarts = 0;
        loop {
            if !std::mem::take(&mut is_new) && standing.identify(run).await?.is_some() {
                return Ok(());
            }
            let Some((upload, contents)) = standing.record.upload(run) else {
                return Ok(());
            };
            let lost = match upload.complete(contents).await {
                Ok(_) => return Ok(()),
                Err(error) if is_lost(error.kind) => error,
                Err(error) => return Err(error.into()),
            };
            // What another process may be completing just now ends here, one way or the other.
            standing.record.abort(run).await?;
            if standing.identify(run).await?.is_some() {
                return Ok(());
            }
            restarts += 1;
            if restarts > MAX_RESTARTS {
                return Err(lost.into());
            }
            tracing::warn!("its documents are scanned again: {lost}");
            standing = self.scan_again(&standing).await?;
        }
    }

    /// Puts the documents of a record into a data file again. Returns the record that stands then.
    async fn scan_again(&self, standing: &StandingRecord) -> anyhow::Result<StandingRecord> {
        let run = &self.export.run;
        let place = standing.record.place;
        let mut file = self.open_file(place).await?;
        let filling = self.fill_again(&mut file, &standing.record);
        if let Err(error) = self.export.context.interrupt.or(filling).await {
            file.abort().await;
            return Err(error);
        }
        let file = file.close(&self.export.context.interrupt).await?;
        let record = standing.record.described_anew(Description::of(&file));
        match claim(self, record, Some(standing), file).await? {
            Claimed::Ours(standing) => Ok(standing),
            Claimed::Others => Record::read(run, place).await?.ok_or_else(|| {
                let name = place.file_name();
                Failure::integrity(format!("the record of `{name}` went away")).into()
            }),
        }
    }

    async fn fill_again(&self, file: &mut DataFile, record: &Record) -> anyhow::Result<()> {
        let interval = &record.interval;
        let whole = self.bounds()?;
        let bounds = IdRange {
            from: whole.from,
            to: match interval.range_ends {
                true => whole.to.clone(),
                false => interval.last.clone(),
            },
        };
        self.pour(self.scan(bounds, interval.after.clone())?, file)
            .await?;
        if let (false, Some(last)) = (interval.range_ends, &interval.last) {
            // Bounds leave out their end. A document that has not changed has the very same `_id`.
            let bounds = IdRange {
                from: Some(last.clone()),
                to: whole.to,
            };
            let mut rest = self.scan(bounds, None)?;
            if let Some(batch) = rest.next().await.map_err(scan_failure)? {
                let first = batch.documents()?.next().transpose();
                let first = first.map_err(Failure::from)?;
                let is_last = |first| DocumentId::of(first).is_ok_and(|id| id == *last);
                if let Some(first) = first.filter(|first| is_last(first)) {
                    file.push(first)?;
                }
            }
        }
        file.write_out().await
    }

    /// Puts all documents of a scan into one data file.
    async fn pour(&self, mut scan: Scan, file: &mut DataFile) -> anyhow::Result<()> {
        while let Some(batch) = scan.next().await.map_err(scan_failure)? {
            let mut documents = batch.documents()?.peekable();
            while documents.peek().is_some() {
                tokio::task::block_in_place(|| fill(file, &mut documents))?;
                if file.has_row_group() {
                    file.cut_row_group().await?;
                }
            }
        }
        Ok(())
    }

    /// Opens the upload of a data file. Not to be interrupted: an upload whose id nobody knows could
    /// not be aborted.
    pub(crate) async fn open_file(&self, place: Place) -> anyhow::Result<DataFile> {
        let Export {
            run,
            settings,
            budget,
            context,
            ..
        } = self.export;
        let (name, columns) = (place.file_name(), &self.split.columns);
        DataFile::open(run, &name, columns, settings, budget, &context.progress).await
    }

    fn bounds(&self) -> anyhow::Result<IdRange> {
        let bounds = self.split.ranges.get(self.number as usize).cloned();
        bounds.ok_or_else(|| anyhow::anyhow!("the plan has no range {}", self.number))
    }

    fn scan(&self, range: IdRange, after: Option<DocumentId>) -> anyhow::Result<Scan> {
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
        };
        Ok(self.collection.scan(part, options))
    }
}

/// What keeps a scan from being whole, and perhaps the run from ever being complete.
pub(crate) fn scan_failure(error: Error) -> anyhow::Error {
    let is_final = matches!(error, Error::SnapshotGone { .. } | Error::Replaced { .. });
    let failure = anyhow::Error::from(Failure::from(error));
    if is_final {
        failure.context(NotResumable)
    } else {
        failure
    }
}

/// Whether an upload that ended so cannot become the object any more.
fn is_lost(kind: StoreErrorKind) -> bool {
    matches!(
        kind,
        StoreErrorKind::NoSuchUpload
            | StoreErrorKind::NotFound
            | StoreErrorKind::Conflict
            | StoreErrorKind::AlreadyExists
            | StoreErrorKind::Integrity
            | StoreErrorKind::Refused
    )
}

/// Whether somebody else ended an upload while it was sent.
fn is_lost_upload(error: &anyhow::Error) -> bool {
    let mut causes = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<StoreError>());
    causes.any(|cause| cause.kind == StoreErrorKind::NoSuchUpload)
}
