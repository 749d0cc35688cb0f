//! Writes a data file front to back as row groups arrive.
//!
//! It writes to the sink but never seeks, so the sink can be the buffer of an upload in progress.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use polars_parquet::{
    parquet::{
        error::ParquetError,
        write::{DynIter, DynStreamingIterator, FileWriter, Version, WriteOptions},
    },
    write::{CompressedPage, FallibleStreamingIterator},
};

use crate::{
    columns::{Column, ColumnType, Columns},
    error::WriteError,
    footer::Footer,
    limits::{MAX_FOOTER_BYTES, MAX_STATISTIC_BYTES},
    row_group::EncodedRowGroup,
    schema::{OWN_COLUMNS, parquet_schema},
};

/// Writes one data file to a sink.
pub struct ParquetWriter<W: Write> {
    file: FileWriter<Counting<W>>,
    bytes_written: Arc<AtomicU64>,
    columns: Columns,
    row_group_footer_bytes: usize,
    footer_bytes: usize,
}

/// Upper bound for what the footer says about a column chunk besides its path and its smallest and
/// largest values: offsets, sizes, encodings, null count.
const CHUNK_FOOTER_BYTES: usize = 120;
/// Upper bounds for the smallest and largest values in the footer, of numbers and of texts. Each
/// value is there twice, once for old readers.
const NUMBER_RANGE_BYTES: usize = 4 * 20;
const TEXT_RANGE_BYTES: usize = 4 * (MAX_STATISTIC_BYTES as usize + 4);

impl<W: Write> ParquetWriter<W> {
    /// Starts a data file. Nothing is written before the first row group or the end.
    ///
    /// # Errors
    /// The Parquet library rejects the columns.
    pub fn new(sink: W, columns: &Columns) -> Result<Self, WriteError> {
        let schema = parquet_schema(columns, &OWN_COLUMNS).map_err(WriteError::Encode)?;
        let bytes_written = Arc::new(AtomicU64::new(0));
        let sink = Counting {
            sink,
            bytes_written: Arc::clone(&bytes_written),
        };
        // This would be the page index, which is useless without sorted columns.
        let options = WriteOptions {
            write_statistics: false,
            version: Version::V1,
        };
        let created_by = concat!("lob-tools version ", env!("CARGO_PKG_VERSION"));
        let file = FileWriter::new(sink, schema, options, Some(created_by.to_owned()));
        let range_bytes = |column: &Column| match &column.column_type {
            ColumnType::String => TEXT_RANGE_BYTES,
            column_type if column_type.is_ordered() => NUMBER_RANGE_BYTES,
            _ => 0,
        };
        let ranges: usize = columns.root().in_file().map(range_bytes).sum();
        let chunks = columns.leaves() * CHUNK_FOOTER_BYTES + ranges;
        Ok(Self {
            file,
            bytes_written,
            columns: columns.clone(),
            row_group_footer_bytes: chunks + columns.path_bytes(),
            footer_bytes: 0,
        })
    }

    /// Writes a row group. An empty one leaves no trace.
    ///
    /// # Errors
    /// Writing to the sink failed; the data file is then unusable.
    pub fn write(&mut self, row_group: EncodedRowGroup) -> Result<(), WriteError> {
        if row_group.rows == 0 {
            return Ok(());
        }
        let rows = row_group.rows as u64;
        let leaves = row_group.leaves.into_iter();
        let chunks = leaves.map(|pages| {
            let pages = Pages {
                current: None,
                waiting: pages.into(),
            };
            Ok::<_, ParquetError>(DynStreamingIterator::new(pages))
        });
        self.file
            .write(rows, DynIter::new(chunks))
            .map_err(WriteError::Write)?;
        self.footer_bytes += self.row_group_footer_bytes;
        Ok(())
    }

    /// Bytes written to the sink so far.
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
    }

    /// Whether one more row group, on top of `waiting` ones that are cut but not yet written, would
    /// make the footer too large; if so, end the data file. Only files with very many columns get
    /// there.
    pub fn is_full(&self, waiting: usize) -> bool {
        let to_come = (waiting + 1).saturating_mul(self.row_group_footer_bytes);
        self.footer_bytes.saturating_add(to_come) > FULL_FOOTER_BYTES
    }

    /// Writes the footer and returns the sink.
    ///
    /// # Errors
    /// Writing to the sink failed, or the footer is too large.
    pub fn finish(mut self, footer: Footer) -> Result<W, WriteError> {
        if self.footer_bytes > MAX_ROW_GROUPS_FOOTER_BYTES {
            return Err(WriteError::FooterTooLarge {
                bytes: self.footer_bytes,
            });
        }
        let key_values = footer
            .key_values(&self.columns)
            .map_err(WriteError::Footer)?;
        self.file.end(Some(key_values)).map_err(WriteError::Write)?;
        Ok(self.file.into_inner().sink)
    }
}

/// A data file ends before its row groups take up this much of the footer: until then the library
/// keeps several times as much in memory.
const FULL_FOOTER_BYTES: usize = 4 << 20;
/// Maximum footer bytes for row groups; the rest is for columns and orders.
const MAX_ROW_GROUPS_FOOTER_BYTES: usize = MAX_FOOTER_BYTES / 2;

/// Counts the bytes written to a sink.
struct Counting<W> {
    sink: W,
    bytes_written: Arc<AtomicU64>,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.sink.write(bytes)?;
        self.bytes_written
            .fetch_add(taken as u64, Ordering::Relaxed);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// Pages in the form the Parquet library expects.
struct Pages {
    current: Option<CompressedPage>,
    waiting: VecDeque<CompressedPage>,
}

impl FallibleStreamingIterator for Pages {
    type Item = CompressedPage;
    type Error = ParquetError;

    fn advance(&mut self) -> Result<(), ParquetError> {
        self.current = self.waiting.pop_front();
        Ok(())
    }

    fn get(&self) -> Option<&CompressedPage> {
        self.current.as_ref()
    }
}
