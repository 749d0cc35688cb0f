//! Row groups: from values in memory to compressed pages.
//!
//! This is where an export spends its time, and it needs nothing but the row group: several can be
//! encoded at once, and are written in order afterwards.

use std::sync::Arc;

use polars_arrow::array::Array;
use polars_parquet::{
    parquet::error::ParquetError,
    write::{
        CompressedPage, CompressionOptions, Compressor, Encoding, Page, ParquetType,
        StatisticsOptions, Version, WriteOptions, array_to_columns, compress, to_parquet_leaves,
    },
};

use crate::{
    columns::{BSON_COLUMN, Columns},
    compression::Compression,
    encoder::{Builder, BytesBuilder, Values},
    parquet_writer::WriteError,
    schema::parquet_schema,
};

/// Take a row group before [`Encoder::pending_bytes`](crate::Encoder::pending_bytes) reaches this.
/// Twice as much is refused, so that a reader can bound its memory.
pub const MAX_ROW_GROUP_BYTES: usize = 128 << 20;

/// The columns of some documents, not yet encoded.
#[derive(Debug)]
pub struct RowGroup {
    pub(crate) file_columns: Arc<Columns>,
    pub(crate) columns: Vec<Builder>,
    pub(crate) shapes: Values<i32>,
    pub(crate) documents: BytesBuilder,
    pub(crate) rows: usize,
    pub(crate) pending_bytes: usize,
}

/// The compressed pages of a row group.
#[derive(Debug)]
pub struct EncodedRowGroup {
    pub(crate) rows: usize,
    /// The pages of each leaf column, in the schema's order.
    pub(crate) leaves: Vec<Vec<CompressedPage>>,
}

impl EncodedRowGroup {
    /// The number of documents.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// About the bytes that it takes in the file.
    pub fn bytes(&self) -> usize {
        self.leaves.iter().flatten().map(page_bytes).sum()
    }
}

impl RowGroup {
    /// The number of documents.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Encodes and compresses all columns: the expensive part, on one thread.
    ///
    /// # Errors
    /// The row group is too large, or the Parquet library refuses it.
    pub fn encode(self, compression: Compression) -> Result<EncodedRowGroup, WriteError> {
        if self.pending_bytes > 2 * MAX_ROW_GROUP_BYTES {
            return Err(WriteError::RowGroupTooLarge {
                bytes: self.pending_bytes,
            });
        }
        let schema = parquet_schema(&self.file_columns).map_err(WriteError::Encode)?;
        let mut types = schema.fields().iter().cloned();
        let mut leaves = Vec::with_capacity(self.file_columns.file_leaves());
        let mut encode = |array: Box<dyn Array>| {
            let parquet_type = types
                .next()
                .ok_or_else(|| "a column has no type".to_owned())?;
            encode_column(array, parquet_type, compression, &mut leaves)
        };
        for (builder, column) in self
            .columns
            .into_iter()
            .zip(self.file_columns.root().list())
        {
            builder
                .into_array(self.rows, &column.column_type)
                .and_then(&mut encode)
                .map_err(WriteError::Encode)?;
        }
        encode(self.shapes.into_array(self.rows)).map_err(WriteError::Encode)?;
        self.documents
            .into_array(self.rows)
            .and_then(encode)
            .map_err(WriteError::Encode)?;
        Ok(EncodedRowGroup {
            rows: self.rows,
            leaves,
        })
    }
}

fn encode_column(
    array: Box<dyn Array>,
    parquet_type: ParquetType,
    compression: Compression,
    leaves: &mut Vec<Vec<CompressedPage>>,
) -> Result<(), String> {
    // Nothing is searched by the smallest element of a list or by whole documents; documents never
    // repeat either, and are large to compare.
    let is_whole_documents = parquet_type.name() == BSON_COLUMN;
    let is_searched = matches!(parquet_type, ParquetType::PrimitiveType(_)) && !is_whole_documents;
    let statistics = StatisticsOptions {
        min_value: is_searched,
        max_value: is_searched,
        ..StatisticsOptions::default()
    };
    let encoding = if is_whole_documents {
        Encoding::Plain
    } else {
        Encoding::RleDictionary
    };
    let options = WriteOptions {
        statistics,
        version: Version::V1,
        compression: compression.options(),
        data_page_size: None,
    };
    let encodings = vec![encoding; to_parquet_leaves(parquet_type.clone()).len()];
    let columns = array_to_columns(array, parquet_type, options, &encodings);
    for pages in columns.map_err(|error| error.to_string())? {
        let pages = pages.map(|page| page.map_err(ParquetError::from));
        leaves.push(compress_chunk(pages, compression).map_err(|error| error.to_string())?);
    }
    Ok(())
}

/// Compresses the pages of a column chunk one by one; by `auto` its first page decides whether it
/// is worth the time. A dictionary always is.
fn compress_chunk(
    mut pages: impl Iterator<Item = Result<Page, ParquetError>>,
    compression: Compression,
) -> Result<Vec<CompressedPage>, ParquetError> {
    let mut options = compression.options();
    let first = pages.next().transpose()?;
    if let (Compression::Auto, Some(Page::Data(page))) = (compression, &first) {
        let compressed = compress(Page::Data(page.clone()), Vec::new(), options)?;
        if page_bytes(&compressed) > page.buffer().len() / 10 * 9 {
            options = CompressionOptions::Uncompressed;
        }
    }
    let pages = first.map(Ok).into_iter().chain(pages);
    Iterator::collect(Compressor::new(pages, options, Vec::new()))
}

fn page_bytes(page: &CompressedPage) -> usize {
    match page {
        CompressedPage::Data(page) => page.compressed_size(),
        CompressedPage::Dict(_) => 0,
    }
}
