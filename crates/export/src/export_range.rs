//! Exports one range from where its records end to its own end, no matter which process wrote them.

use std::sync::Arc;

use lob_core::failure::Failure;
use lob_core::progress::{Hidden, Progress};
use lob_core::store::{StoreError, StoreErrorKind};
use lob_mongo::{DocumentId, IdRange, Scan};

use crate::chain::Chain;
use crate::data_file::{DataFile, WrittenFile};
use crate::job::Job;
use crate::range::{NotResumable, Range, scan_failure};
use crate::range_writer::{FilledFile, RangeWriter, claim, fill};
use crate::record::{Claimed, Record, StandingRecord};
use crate::tally::Tally;

/// How often in a row a range's upload may get lost.
const MAX_RESTARTS: u32 = 3;

/// What became of a filled file.
enum Settled {
    Recorded,
    /// Another process has recorded its documents.
    Overtaken,
}

impl Range<'_> {
    /// Exports what is not recorded yet, and completes what is.
    pub(crate) async fn export(self, mut job: Job) -> anyhow::Result<Tally> {
        let mut chain = Chain::of(self.split.split_id, self.number);
        let exported = self.export_behind(&mut chain, &mut job).await;
        exported.map_err(|error| {
            // Nothing can be read behind its records.
            let is_stuck = chain.is_begun() && !self.split.is_divisible;
            match is_stuck && !error.is::<NotResumable>() {
                true => error.context(NotResumable),
                false => error,
            }
        })
    }

    async fn export_behind(self, chain: &mut Chain, job: &mut Job) -> anyhow::Result<Tally> {
        let mut tally = Tally {
            ranges: 1,
            ..Tally::default()
        };
        let (mut restarts, mut counted) = (0, 0);
        loop {
            let interrupt = &self.export.context.interrupt;
            interrupt.or(job.take_place()).await?;
            while let Some(standing) = interrupt.or(chain.read_on(&self.export.run)).await? {
                if standing.record.place.sequence >= counted {
                    self.count(&standing.record);
                }
                self.complete_found(standing, job).await?;
            }
            if chain.is_complete {
                return Ok(tally);
            }
            let before = chain.next;
            if let Err(error) = self.write_on(chain, job, &mut tally).await {
                restarts = if chain.next == before {
                    restarts + 1
                } else {
                    1
                };
                if !is_lost_upload(&error) || restarts > MAX_RESTARTS {
                    return Err(error);
                }
                tracing::warn!("restarting a data file: {error:#}");
                counted = chain.next.sequence;
                // The last record may not have an object yet.
                *chain = Chain::of(self.split.split_id, self.number);
            }
        }
    }

    /// Reports documents recorded by an earlier or another process as progress.
    fn count(&self, record: &Record) {
        if let Some(description) = record.descriptions.last() {
            let documents = description.statistics.num_documents;
            let progress = &self.export.context.progress;
            progress.skip(description.contents.size_bytes, documents);
        }
    }

    /// Continues where the chain ends, until the range ends or another process's record gets in the
    /// way. While a file is settled, the next one is filled: only their records wait for each other.
    async fn write_on(
        &self,
        chain: &mut Chain,
        job: &mut Job,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let interrupt = &self.export.context.interrupt;
        let scan = self.scan(self.bounds()?, chain.after.clone())?;
        let mut writer = RangeWriter::new(*self, scan);
        let filling = writer.fill_file(chain.next, chain.after.clone(), interrupt);
        let mut filled = filling.await?;
        while let Some((place, after)) = filled.next() {
            let stop = interrupt.child();
            let settling = async {
                let settled = self.settle(filled, chain, job, tally).await;
                if !matches!(settled, Ok(Settled::Recorded)) {
                    stop.stop();
                }
                settled
            };
            let filling = writer.fill_file(place, after, &stop);
            filled = match tokio::join!(settling, filling) {
                (Ok(Settled::Recorded), filled) => filled?,
                (settled, filled) => {
                    if let Ok(filled) = filled {
                        filled.abort().await;
                    }
                    return settled.map(|_| ());
                }
            };
        }
        drop(writer);
        job.give_place_back();
        self.settle(filled, chain, job, tally).await.map(|_| ())
    }

    /// Records a file and completes it.
    async fn settle(
        &self,
        filled: FilledFile,
        chain: &mut Chain,
        job: &mut Job,
        tally: &mut Tally,
    ) -> anyhow::Result<Settled> {
        let standing = match filled.record(self).await? {
            Claimed::Ours(standing) => standing,
            Claimed::Others => return Ok(Settled::Overtaken),
        };
        chain.add(&standing.record)?;
        let described = standing.record.descriptions.first();
        let written = described.map(|d| (d.statistics.num_documents, d.contents.size_bytes));
        self.complete(standing, job).await?;
        if let Some((documents, bytes)) = written {
            tally.add_file(documents, bytes);
        }
        Ok(Settled::Recorded)
    }

    /// Creates the object of an existing record if it is missing.
    async fn complete_found(
        &self,
        mut standing: StandingRecord,
        job: &mut Job,
    ) -> anyhow::Result<()> {
        match standing.identify(&self.export.run).await? {
            Some(_) => Ok(()),
            None => self.complete(standing, job).await,
        }
    }

    /// Creates the object of a record that has none yet. If its upload is lost, the same documents
    /// are scanned again and the record is replaced.
    async fn complete(&self, mut standing: StandingRecord, job: &mut Job) -> anyhow::Result<()> {
        let run = &self.export.run;
        let mut restarts = 0;
        loop {
            let Some((upload, contents)) = standing.record.upload(run) else {
                return Ok(());
            };
            let lost = match upload.complete(contents).await {
                Ok(_) => return Ok(()),
                Err(error) if is_lost(error.kind) => error,
                Err(error) => return Err(error.into()),
            };
            // This ends whatever another process may be completing right now, one way or the other.
            standing.record.abort(run).await?;
            if standing.identify(run).await?.is_some() {
                return Ok(());
            }
            restarts += 1;
            if restarts > MAX_RESTARTS {
                return Err(lost.into());
            }
            tracing::warn!("scanning its documents again: {lost}");
            self.export.context.interrupt.or(job.take_place()).await?;
            standing = self.scan_again(&standing).await?;
            if standing.identify(run).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// Writes the documents of a record to a data file again. Returns the record that is in place
    /// afterwards.
    async fn scan_again(&self, standing: &StandingRecord) -> anyhow::Result<StandingRecord> {
        let run = &self.export.run;
        let place = standing.record.place;
        // Its documents were counted when they were recorded.
        let hidden: Arc<dyn Progress> = Arc::new(Hidden);
        let mut file = self.open_file(place, &hidden).await?;
        let filling = self.fill_again(&mut file, &standing.record);
        if let Err(error) = self.export.context.interrupt.or(filling).await {
            file.abort().await;
            return Err(error);
        }
        let closing = file.close(&self.export.context.interrupt);
        let WrittenFile { description, parts } = closing.await?;
        let record = standing.record.described_again(description);
        match claim(self, record, Some(standing), parts).await? {
            Claimed::Ours(standing) => Ok(standing),
            Claimed::Others => Record::read(run, place).await?.ok_or_else(|| {
                let name = place.file_name();
                Failure::integrity(format!("the record of `{name}` has disappeared")).into()
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
            // Bounds exclude their end. A document that has not changed has exactly the same `_id`.
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

    /// Writes all documents of a scan to one data file.
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
}

/// Whether an upload that failed like this can no longer become the object.
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

/// Whether someone else ended an upload while it was being sent.
fn is_lost_upload(error: &anyhow::Error) -> bool {
    let mut causes = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<StoreError>());
    causes.any(|cause| cause.kind == StoreErrorKind::NoSuchUpload)
}
