//! Fills data files with the documents of a scan in `_id` order, and records each before it is
//! completed.

use bson::RawDocument;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::interrupt::Interrupt;
use lob_core::transfer::FinishedParts;
use lob_mongo::{DocumentBatch, DocumentId, Scan};

use crate::data_file::{DataFile, WrittenFile};
use crate::place::Place;
use crate::range::{Range, scan_failure};
use crate::record::{Claimed, Interval, Record, StandingRecord};

/// Fills one data file after the other.
pub(crate) struct RangeWriter<'a> {
    range: Range<'a>,
    scan: Scan,
    /// The batch read last, and how many of its documents are in a file already.
    batch: Option<(DocumentBatch, usize)>,
}

/// The next data file: its documents are all encoded, and it is not recorded yet.
pub(crate) struct FilledFile {
    place: Place,
    interval: Interval,
    /// `None` if it would have no documents.
    file: Option<DataFile>,
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

    /// Fills the next data file, with the documents after `after`. If that fails or is interrupted,
    /// its upload is aborted.
    pub(crate) async fn fill_file(
        &mut self,
        place: Place,
        after: Option<DocumentId>,
        interrupt: &Interrupt,
    ) -> anyhow::Result<FilledFile> {
        let mut file = None;
        match self.fill_to_its_end(place, interrupt, &mut file).await {
            Ok(End { last, range_ends }) => Ok(FilledFile {
                place,
                interval: Interval {
                    after,
                    last,
                    range_ends,
                },
                file,
            }),
            Err(error) => {
                if let Some(file) = file {
                    file.abort().await;
                }
                Err(error)
            }
        }
    }

    /// Fills one data file, which is opened on its first document.
    async fn fill_to_its_end(
        &mut self,
        place: Place,
        interrupt: &Interrupt,
        open: &mut Option<DataFile>,
    ) -> anyhow::Result<End> {
        let range = self.range;
        let progress = &range.export.context.progress;
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

impl FilledFile {
    /// The place of the file after it and the `_id` that it continues after, unless the range ends.
    pub(crate) fn next(&self) -> Option<(Place, Option<DocumentId>)> {
        let Interval {
            after,
            last,
            range_ends,
        } = &self.interval;
        let after = last.as_ref().or(after.as_ref()).cloned();
        (!range_ends).then(|| (self.place.next(), after))
    }

    /// Records the file once its parts are acknowledged.
    pub(crate) async fn record(self, range: &Range<'_>) -> anyhow::Result<Claimed> {
        let Some(file) = self.file else {
            let record = Record::new(self.place, self.interval, None);
            return record.put(&range.export.run, None).await;
        };
        let closing = file.close(&range.export.context.interrupt);
        let WrittenFile { description, parts } = closing.await?;
        let record = Record::new(self.place, self.interval, Some(description));
        claim(range, record, None, parts).await
    }

    /// Aborts the file's upload.
    pub(crate) async fn abort(self) {
        if let Some(file) = self.file {
            file.abort().await;
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
