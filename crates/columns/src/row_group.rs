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

/// Most bytes of a row group by [`Encoder::pending_bytes`](crate::Encoder::pending_bytes), its last
/// document left aside. Readers refuse what is far larger.
pub const MAX_ROW_GROUP_BYTES: usize = 256 << 20;

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
        encode(self.shapes.into_primitive(self.rows)).map_err(WriteError::Encode)?;
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
    // Nothing is ever searched by the smallest element of a list.
    let is_scalar = matches!(parquet_type, ParquetType::PrimitiveType(_));
    let statistics = StatisticsOptions {
        min_value: is_scalar,
        max_value: is_scalar,
        ..StatisticsOptions::default()
    };
    let options = WriteOptions {
        statistics,
        version: Version::V1,
        compression: compression.options(),
        data_page_size: None,
    };
    // Whole documents never repeat, and are large to compare.
    let encoding = match parquet_type.name() {
        BSON_COLUMN => Encoding::Plain,
        _ => Encoding::RleDictionary,
    };
    let encodings = vec![encoding; to_parquet_leaves(parquet_type.clone()).len()];
    let columns = array_to_columns(array, parquet_type, options, &encodings);
    for pages in columns.map_err(|error| error.to_string())? {
        let pages = pages
            .collect::<Result<Vec<Page>, _>>()
            .map_err(|error| error.to_string())?;
        let options = chunk_options(&pages, compression).map_err(|error| error.to_string())?;
        let pages = Compressor::new(pages.into_iter().map(Ok), options, Vec::new());
        let pages = Iterator::collect::<Result<Vec<_>, ParquetError>>(pages);
        leaves.push(pages.map_err(|error| error.to_string())?);
    }
    Ok(())
}

/// The compression of a column chunk: by `auto`, none if its middle page hardly shrinks.
fn chunk_options(
    pages: &[Page],
    compression: Compression,
) -> Result<CompressionOptions, ParquetError> {
    let options = compression.options();
    if compression != Compression::Auto {
        return Ok(options);
    }
    let Some(Page::Data(page)) = pages.get(pages.len() / 2) else {
        return Ok(options);
    };
    let compressed = compress(Page::Data(page.clone()), Vec::new(), options)?;
    let shrinks = page_bytes(&compressed) < page.buffer().len() / 10 * 9;
    Ok(if shrinks {
        options
    } else {
        CompressionOptions::Uncompressed
    })
}

fn page_bytes(page: &CompressedPage) -> usize {
    match page {
        CompressedPage::Data(page) => page.compressed_size(),
        CompressedPage::Dict(_) => 0,
    }
}
