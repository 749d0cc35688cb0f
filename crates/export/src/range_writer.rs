//! Writes the documents of a scan to data files in `_id` order, recording each file before it is
//! completed.

use bson::RawDocument;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::transfer::FinishedParts;
use lob_mongo::{DocumentBatch, DocumentId, Scan};

use crate::data_file::{DataFile, WrittenFile};
use crate::range::{Range, scan_failure};
use crate::record::{Claimed, Interval, Place, Record, StandingRecord};

/// Writes the output of a scan, one data file after the other.
pub(crate) struct RangeWriter<'a> {
    range: Range<'a>,
    scan: Scan,
    /// The batch read last, and how many of its documents are already written.
    batch: Option<(DocumentBatch, usize)>,
}

/// What became of the next documents.
pub(crate) enum Written {
    /// They are recorded; their data file still has to be completed.
    Recorded(Box<StandingRecord>),
    /// Another process has recorded them.
    Overtaken,
}

/// Where a data file ends.
struct End {
    /// The `_id` of its last document; `None` if it has none.
    last: Option<DocumentId>,
    /// Whether the range ends there too.
    range_ends: bool,
}

impl<'a> RangeWriter<'a> {
    pub(crate) fn new(range: Range<'a>, scan: Scan) -> Self {
        Self {
            range,
            scan,
            batch: None,
        }
    }

    /// Writes and records the next data file, with the documents after `after`. If that fails or is
    /// interrupted before the file is written out, its upload is aborted.
    pub(crate) async fn write_file(
        &mut self,
        place: Place,
        after: Option<DocumentId>,
    ) -> anyhow::Result<Written> {
        let mut open = None;
        let end = match self.fill_file(place, &mut open).await {
            Ok(end) => end,
            Err(error) => {
                if let Some(file) = open {
                    file.abort().await;
                }
                return Err(error);
            }
        };
        let interval = Interval {
            after,
            last: end.last,
            range_ends: end.range_ends,
        };
        let context = &self.range.export.context;
        let claimed = match open {
            None => {
                let record = Record::new(place, interval, None);
                record.put(&self.range.export.run, None).await?
            }
            Some(file) => {
                let WrittenFile { description, parts } = file.close(&context.interrupt).await?;
                let record = Record::new(place, interval, Some(description));
                claim(&self.range, record, None, parts).await?
            }
        };
        Ok(match claimed {
            Claimed::Ours(standing) => Written::Recorded(Box::new(standing)),
            Claimed::Others => Written::Overtaken,
        })
    }

    /// Fills and writes out one data file, which is opened on its first document.
    async fn fill_file(
        &mut self,
        place: Place,
        open: &mut Option<DataFile>,
    ) -> anyhow::Result<End> {
        let range = self.range;
        let (interrupt, progress) = (
            &range.export.context.interrupt,
            &range.export.context.progress,
        );
        let mut last = None;
        loop {
            let (batch, taken) = match &mut self.batch {
                Some(batch) => batch,
                None => {
                    let next = async { self.scan.next().await.map_err(scan_failure) };
                    let Some(batch) = interrupt.or(next).await? else {
                        if let Some(file) = open {
                            interrupt.or(file.write_out()).await?;
                        }
                        let range_ends = true;
                        return Ok(End { last, range_ends });
                    };
                    self.batch.insert((batch, 0))
                }
            };
            let mut documents = batch.documents()?.skip(*taken).peekable();
            while documents.peek().is_some() {
                let file = match open {
                    Some(file) => file,
                    None => open.insert(range.open_file(place, progress).await?),
                };
                // Encoding is CPU work, not waiting: this thread's other tasks move elsewhere
                // meanwhile.
                let (count, id) = tokio::task::block_in_place(|| fill(file, &mut documents))?;
                (*taken, last) = (*taken + count, id);
                if !file.has_row_group() {
                    continue;
                }
                interrupt.or(file.cut_row_group()).await?;
                if file.is_full() {
                    interrupt.or(file.write_out()).await?;
                    let range_ends = false;
                    return Ok(End { last, range_ends });
                }
            }
            drop(documents);
            self.batch = None;
        }
    }
}

/// Record, then complete: puts the record of a written file. If another record stands, the file's
/// upload is aborted. If the outcome is unknown, it is kept, since a record that may exist needs
/// its upload.
pub(crate) async fn claim(
    range: &Range<'_>,
    record: Record,
    seen: Option<&StandingRecord>,
    parts: FinishedParts,
) -> anyhow::Result<Claimed> {
    let claimed = record.put(&range.export.run, seen).await;
    match &claimed {
        Ok(Claimed::Ours(_)) => {}
        Err(error) if ExitStatus::of(error) == ExitStatus::Unknown => {}
        Ok(Claimed::Others) | Err(_) => parts.abort().await,
    }
    claimed
}

/// Pushes documents until they end or fill a row group; returns how many, and the `_id` of the
/// last.
pub(crate) fn fill<'d>(
    file: &mut DataFile,
    documents: &mut impl Iterator<Item = lob_mongo::Result<&'d RawDocument>>,
) -> anyhow::Result<(usize, Option<DocumentId>)> {
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
