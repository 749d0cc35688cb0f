//! Row groups: from values in memory to compressed pages.
//!
//! This is where an export spends its time, and it needs nothing but the row group: several can be
//! encoded at once, and are written in order afterwards.

use std::sync::Arc;

use polars_arrow::array::Array;
use polars_parquet::{
    parquet::error::ParquetError,
    write::{
        CompressedPage, CompressionOptions, Encoding, Page, ParquetType, StatisticsOptions,
        Version, WriteOptions, array_to_columns, compress, to_parquet_leaves,
    },
};

use crate::{
    columns::{BSON_COLUMN, ColumnType, Columns},
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

impl RowGroup {
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
        let mut encode = |array: Box<dyn Array>, has_range| {
            let parquet_type = types
                .next()
                .ok_or_else(|| "a column has no type".to_owned())?;
            encode_column(array, parquet_type, has_range, compression, &mut leaves)
        };
        for (builder, column) in self
            .columns
            .into_iter()
            .zip(self.file_columns.root().list())
        {
            builder
                .into_array(self.rows, &column.column_type)
                .and_then(|array| encode(array, has_range(&column.column_type)))
                .map_err(WriteError::Encode)?;
        }
        encode(self.shapes.into_array(self.rows), true).map_err(WriteError::Encode)?;
        self.documents
            .into_array(self.rows)
            .and_then(|array| encode(array, false))
            .map_err(WriteError::Encode)?;
        Ok(EncodedRowGroup {
            rows: self.rows,
            leaves,
        })
    }
}

/// Whether the footer says the smallest and the largest value of a top-level column's row groups.
/// Not of a column whose values have no bounded width, as the library may keep a value whole and
/// the footer would outgrow what a reader takes; nor of doubles, as a NaN makes the library's
/// ranges wrong and other readers would leave out rows; nor of lists and structs, which nothing is
/// searched by.
fn has_range(column_type: &ColumnType) -> bool {
    match column_type {
        ColumnType::Int64
        | ColumnType::Date
        | ColumnType::Bool
        | ColumnType::ObjectId
        | ColumnType::Decimal128 => true,
        ColumnType::Double
        | ColumnType::String
        | ColumnType::Binary(_)
        | ColumnType::Raw
        | ColumnType::List(_)
        | ColumnType::Struct(_) => false,
    }
}

fn encode_column(
    array: Box<dyn Array>,
    parquet_type: ParquetType,
    has_range: bool,
    compression: Compression,
    leaves: &mut Vec<Vec<CompressedPage>>,
) -> Result<(), String> {
    let statistics = StatisticsOptions {
        min_value: has_range,
        max_value: has_range,
        ..StatisticsOptions::default()
    };
    // Whole documents never repeat.
    let is_whole_documents = parquet_type.name() == BSON_COLUMN;
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
    pages: impl Iterator<Item = Result<Page, ParquetError>>,
    compression: Compression,
) -> Result<Vec<CompressedPage>, ParquetError> {
    let mut options = compression.options();
    let mut compressed = Vec::new();
    for page in pages {
        let page = page?;
        let is_trial = compression == Compression::Auto && compressed.is_empty();
        let whole = match &page {
            Page::Data(page) if is_trial => Some(page.clone()),
            _ => None,
        };
        let page = compress(page, Vec::new(), options)?;
        compressed.push(match whole {
            Some(whole) if page_bytes(&page) > whole.buffer().len() / 10 * 9 => {
                options = CompressionOptions::Uncompressed;
                compress(Page::Data(whole), Vec::new(), options)?
            }
            _ => page,
        });
    }
    Ok(compressed)
}

fn page_bytes(page: &CompressedPage) -> usize {
    match page {
        CompressedPage::Data(page) => page.compressed_size(),
        CompressedPage::Dict(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use bson::{Binary, Decimal128, doc, oid::ObjectId, spec::BinarySubtype};
    use polars_parquet::parquet::read::deserialize_metadata;

    use super::*;
    use crate::{ColumnsProposal, Encoder, ParquetWriter};

    #[test]
    fn the_footer_says_the_range_of_values_of_bounded_width_alone() {
        let bytes = Binary {
            subtype: BinarySubtype::Generic,
            bytes: vec![0xff; 1 << 20],
        };
        let decimal: Decimal128 = "1.5".parse().unwrap();
        let document = doc! {
            "int": 1_i64, "date": bson::DateTime::from_millis(7), "bool": true, "_id": ObjectId::new(),
            "decimal": decimal, "double": f64::NAN, "string": "\u{10ffff}".repeat(1 << 18), "binary": bytes,
            "raw": bson::Timestamp { time: 1, increment: 2 }, "list": [1, 2], "struct": { "x": 1 },
        };
        let document = document.to_vec().unwrap();
        let mut proposal = ColumnsProposal::new();
        proposal.observe(&document).unwrap();
        let columns = proposal.finish();
        let mut encoder = Encoder::new(&columns);
        encoder.push(&document).unwrap();
        let mut writer = ParquetWriter::new(Vec::new(), &columns).unwrap();
        let row_group = encoder.take_row_group().encode(Compression::None).unwrap();
        writer.write(row_group).unwrap();
        let file = writer.finish(encoder.finish()).unwrap();
        let (_, tail) = file.split_at(file.len() - 8);
        let footer_len = u32::from_le_bytes(tail[..4].try_into().unwrap()) as usize;
        assert!(footer_len < 1 << 14);
        let footer = &file[file.len() - 8 - footer_len..file.len() - 8];
        let metadata = deserialize_metadata(footer.to_vec().into()).unwrap();
        let chunks = metadata.row_groups[0].parquet_columns().iter();
        let with_range: Vec<_> = chunks
            .filter(|chunk| {
                let statistics = chunk
                    .statistics(footer)
                    .map(|found| found.unwrap().serialize());
                statistics.is_some_and(|said| said.min_value.is_some() || said.max_value.is_some())
            })
            .map(|chunk| chunk.descriptor().path_in_schema[0].as_str())
            .collect();
        assert_eq!(
            with_range,
            ["int", "date", "bool", "_id", "decimal", "_lob_shape"]
        );
    }
}
