//! One data file: documents in, a multipart upload out, with nothing on disk in between.
//!
//! Row groups are encoded on other threads, a fixed number at a time, and written in order. Where a
//! file ends depends only on its own bytes, never on timing: the same documents always produce the
//! same files.

use std::collections::VecDeque;
use std::sync::Arc;

use bson::RawDocument;
use lob_columns::{Columns, EncodedRowGroup, Encoder, ParquetWriter, WriteError};
use lob_core::checksum::Digest;
use lob_core::interrupt::Interrupt;
use lob_core::progress::Progress;
use lob_core::run::OpenRun;
use lob_core::transfer::FinishedParts;
use lob_core::transfer::PartBudget;
use tokio::task::JoinHandle;

use crate::part_sink::{PartSender, PartSink};
use crate::record::Description;
use crate::settings::ByteSettings;
use crate::statistics::StatisticsBuilder;

/// How many row groups are encoded at once. This is a constant because, when a row group is cut,
/// the file's size counts all but the last `ENCODERS` row groups, whatever the machine. Any further
/// row group waits unencoded, because encoding it takes as much memory again.
const ENCODERS: usize = 2;

/// A data file that accepts documents.
pub(crate) struct DataFile {
    settings: ByteSettings,
    encoder: Encoder,
    digest: Digest,
    statistics: StatisticsBuilder,
    /// Row groups being encoded, each with its number of documents.
    encoding: VecDeque<(usize, JoinHandle<Result<EncodedRowGroup, WriteError>>)>,
    writer: ParquetWriter<PartSink>,
    sender: PartSender,
}

/// A data file whose parts are all acknowledged but which is not an object yet.
#[derive(Debug)]
pub(crate) struct WrittenFile {
    pub(crate) description: Description,
    pub(crate) parts: FinishedParts,
}

impl DataFile {
    /// Opens the upload of an empty data file; `name` is relative to the run's folder.
    pub(crate) async fn open(
        run: &OpenRun,
        name: &str,
        columns: &Columns,
        settings: &ByteSettings,
        budget: &PartBudget,
        progress: &Arc<dyn Progress>,
    ) -> anyhow::Result<Self> {
        // What is left of the last row group, less than a part, and the next one. A huge part size
        // must not reserve its whole size.
        let row_group = settings.row_group_size.0;
        let room = row_group + budget.part_size().min(row_group);
        let sink = PartSink::with_room(room);
        Ok(Self {
            settings: settings.clone(),
            encoder: Encoder::new(columns),
            digest: Digest::default(),
            statistics: StatisticsBuilder::default(),
            encoding: VecDeque::new(),
            writer: ParquetWriter::new(sink.clone(), columns)?,
            sender: PartSender::open(run, &run.key(name), sink, budget, progress).await?,
        })
    }

    /// Adds one document.
    pub(crate) fn push(&mut self, document: &RawDocument) -> anyhow::Result<()> {
        let bytes = document.as_bytes();
        self.encoder.push(bytes)?;
        self.statistics.add(bytes)?;
        self.digest.add(bytes);
        Ok(())
    }

    /// Whether the pending documents fill a row group.
    pub(crate) fn has_row_group(&self) -> bool {
        self.encoder.pending_bytes() as u64 >= self.settings.row_group_size.0
    }

    /// Whether the file has reached its size.
    pub(crate) fn is_full(&self) -> bool {
        self.writer.bytes_written() >= self.settings.file_size.0
            || self.writer.is_full(self.encoding.len())
    }

    /// Starts to encode the pending documents, and sends what has been encoded so far.
    pub(crate) async fn cut_row_group(&mut self) -> anyhow::Result<()> {
        while self.encoding.len() >= ENCODERS {
            self.write_next().await?;
        }
        let rows = self.encoder.pending_rows();
        let row_group = self.encoder.take_row_group();
        let compression = self.settings.compression;
        let encoding = tokio::task::spawn_blocking(move || row_group.encode(compression));
        self.encoding.push_back((rows, encoding));
        Ok(())
    }

    /// Writes the oldest row group being encoded, and sends the parts that it fills.
    async fn write_next(&mut self) -> anyhow::Result<()> {
        if let Some((rows, encoding)) = self.encoding.pop_front() {
            self.writer.write(encoding.await??)?;
            self.sender.add(rows as u64);
            self.sender.send_parts().await?;
        }
        Ok(())
    }

    /// Waits until all documents are encoded and all full parts are on their way. If the wait is
    /// dropped, the file can still be aborted.
    pub(crate) async fn write_out(&mut self) -> anyhow::Result<()> {
        if self.encoder.pending_rows() > 0 {
            self.cut_row_group().await?;
        }
        while !self.encoding.is_empty() {
            self.write_next().await?;
        }
        Ok(())
    }

    /// Finishes a file that was written out, with its footer and last part. If that fails or is
    /// interrupted, the upload is aborted.
    pub(crate) async fn close(self, interrupt: &Interrupt) -> anyhow::Result<WrittenFile> {
        let Self {
            encoder,
            digest,
            statistics,
            writer,
            sender,
            ..
        } = self;
        let (residual_rows, column_counts) = (encoder.residual_rows(), encoder.counts());
        if let Err(error) = writer.finish(encoder.finish()) {
            sender.abort().await;
            return Err(error.into());
        }
        let (hashes, parts) = sender.finish(interrupt).await?;
        let description = Description {
            statistics: statistics.finish(),
            digest,
            residual_rows,
            column_counts,
            contents: hashes.contents,
            upload_id: parts.upload_id().clone(),
            parts: parts.parts().to_vec(),
        };
        Ok(WrittenFile { description, parts })
    }

    /// Aborts the file's upload.
    pub(crate) async fn abort(self) {
        self.sender.abort().await;
    }
}
