//! The documents of one range in `_id` order into data files, each recorded before it is completed.

use bson::RawDocument;
use lob_core::failure::{ExitStatus, Failure};
use lob_mongo::{DocumentBatch, DocumentId, Scan};

use crate::chain::Chain;
use crate::data_file::{DataFile, WrittenFile};
use crate::range::{Range, Tally, scan_failure};
use crate::record::{Claimed, Description, Interval, Record, StandingRecord};

/// Writes on where the records of a range end.
pub(crate) struct RangeWriter<'a> {
    range: Range<'a>,
    chain: &'a mut Chain,
    tally: &'a mut Tally,
    open: Option<DataFile>,
    /// The `_id` of the last document taken.
    last: Option<DocumentId>,
}

/// Whether to go on with the scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Document,
    /// Another process has recorded these documents, or the range ends.
    Nothing,
}

impl<'a> RangeWriter<'a> {
    pub(crate) fn new(range: Range<'a>, chain: &'a mut Chain, tally: &'a mut Tally) -> Self {
        Self {
            range,
            chain,
            tally,
            open: None,
            last: None,
        }
    }

    /// Writes what `scan` brings, until it ends or a record of another process stands in the way.
    /// What fails or is interrupted on the way is given up; the few requests that complete a data
    /// file are not interrupted.
    pub(crate) async fn write(mut self, scan: &mut Scan) -> anyhow::Result<()> {
        let written = self.write_all(scan).await;
        if written.is_err()
            && let Some(file) = self.open
        {
            file.abort().await;
        }
        written
    }

    async fn write_all(&mut self, scan: &mut Scan) -> anyhow::Result<()> {
        loop {
            let next = async { scan.next().await.map_err(scan_failure) };
            match self.range.export.context.interrupt.or(next).await? {
                Some(batch) => {
                    if self.push(&batch).await? == Next::Nothing {
                        return Ok(());
                    }
                }
                None => return self.finish().await,
            }
        }
    }

    async fn push(&mut self, batch: &DocumentBatch) -> anyhow::Result<Next> {
        let mut documents = batch.documents()?.peekable();
        while documents.peek().is_some() {
            let mut file = match self.open.take() {
                Some(file) => file,
                None => self.range.open_file(self.chain.next).await?,
            };
            // Encoding is work, not waiting: other tasks of this thread move over meanwhile.
            let taken = tokio::task::block_in_place(|| fill(&mut file, &mut documents));
            let is_row_group = file.has_row_group();
            self.open = Some(file);
            let (count, last) = taken?;
            self.last = last;
            self.range.export.context.progress.advance(0, count);
            if is_row_group && self.cut_row_group().await? == Next::Nothing {
                return Ok(Next::Nothing);
            }
        }
        Ok(Next::Document)
    }

    async fn cut_row_group(&mut self) -> anyhow::Result<Next> {
        let Some(file) = &mut self.open else {
            return Ok(Next::Document);
        };
        let interrupt = &self.range.export.context.interrupt;
        interrupt.or(file.cut_row_group()).await?;
        if file.is_full() {
            self.complete(false).await
        } else {
            Ok(Next::Document)
        }
    }

    /// There are no more documents.
    async fn finish(&mut self) -> anyhow::Result<()> {
        if self.open.is_some() {
            self.complete(true).await?;
            return Ok(());
        }
        let record = Record::new(self.chain.next, self.interval(None, true), None);
        if let Claimed::Ours(standing) = record.put(&self.range.export.run, None).await? {
            self.chain.add(&standing.record)?;
        }
        Ok(())
    }

    async fn complete(&mut self, range_ends: bool) -> anyhow::Result<Next> {
        let interrupt = &self.range.export.context.interrupt;
        let Some(file) = &mut self.open else {
            return Ok(Next::Document);
        };
        interrupt.or(file.write_out()).await?;
        let Some(file) = self.open.take() else {
            return Ok(Next::Document);
        };
        let file = file.close(interrupt).await?;
        let interval = self.interval(self.last.clone(), range_ends);
        let record = Record::new(self.chain.next, interval, Some(Description::of(&file)));
        let (rows, size) = (file.statistics.num_documents, file.hashes.size);
        match claim(&self.range, record, None, file).await? {
            Claimed::Ours(standing) => {
                self.chain.add(&standing.record)?;
                self.range.complete_new(standing).await?;
                self.tally.add_file(rows, size);
                Ok(Next::Document)
            }
            Claimed::Others => Ok(Next::Nothing),
        }
    }

    fn interval(&self, last: Option<DocumentId>, range_ends: bool) -> Interval {
        Interval {
            after: self.chain.after.clone(),
            last,
            range_ends,
        }
    }
}

/// Record, then complete: puts the record of a written file. If it does not stand, the file's upload
/// is aborted; not if nobody knows, since a record that may be there must find its upload.
pub(crate) async fn claim(
    range: &Range<'_>,
    record: Record,
    seen: Option<&StandingRecord>,
    file: WrittenFile,
) -> anyhow::Result<Claimed> {
    let claimed = record.put(&range.export.run, seen).await;
    match &claimed {
        Ok(Claimed::Ours(_)) => {}
        Err(error) if ExitStatus::of(error) == ExitStatus::Unknown => {}
        Ok(Claimed::Others) | Err(_) => file.parts.abort().await,
    }
    claimed
}

/// Pushes documents until they end or fill a row group: how many, and the `_id` of the last.
pub(crate) fn fill<'d>(
    file: &mut DataFile,
    documents: &mut impl Iterator<Item = lob_mongo::Result<&'d RawDocument>>,
) -> anyhow::Result<(u64, Option<DocumentId>)> {
    let (mut count, mut last) = (0, None);
    for document in documents {
        let document = document.map_err(Failure::from)?;
        file.push(document)?;
        (count, last) = (count + 1, Some(document));
        if file.has_row_group() {
            break;
        }
    }
    let last = last.map(DocumentId::of).transpose();
    Ok((count, last.map_err(Failure::from)?))
}
