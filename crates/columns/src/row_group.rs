//! Encodes row groups: from values in memory to compressed pages.
//!
//! This is where an export spends its time, and it needs nothing but the row group: several can be
//! encoded at once and then written in order.

use std::sync::Arc;

use polars_arrow::{
    array::{Array, DictionaryArray},
    datatypes::ArrowDataType,
};
use polars_parquet::{
    parquet::{compression, error::ParquetError, page::DataPage},
    read::PhysicalType,
    write::{
        CompressedPage, CompressionOptions, Encoding, Page, ParquetType, StatisticsOptions,
        Version, WriteOptions, array_to_pages, compress, to_leaves, to_nested, to_parquet_leaves,
    },
};

use crate::{
    columns::{ColumnType, Columns},
    compression::Compression,
    dictionary::with_dictionary,
    encoder::{Builder, BytesBuilder},
    error::WriteError,
    limits::{MAX_ROW_GROUP_BYTES, MAX_STATISTIC_BYTES},
    list_pages::list_pages,
    own_columns::BSON_COLUMN,
    schema::library_types,
};

/// How much of a large page is compressed to see whether the rest is worth it.
const TRIAL_BYTES: usize = 128 << 10;

/// The columns of some documents, not yet encoded.
#[derive(Debug)]
pub struct RowGroup {
    pub(crate) file_columns: Arc<Columns>,
    pub(crate) columns: Vec<Builder>,
    pub(crate) codes: BytesBuilder,
    pub(crate) leftovers: BytesBuilder,
    pub(crate) rows: usize,
    pub(crate) pending_bytes: usize,
}

/// The compressed pages of a row group.
#[derive(Debug)]
pub struct EncodedRowGroup {
    pub(crate) rows: usize,
    /// The pages of each leaf column, in schema order.
    pub(crate) leaves: Vec<Vec<CompressedPage>>,
}

impl RowGroup {
    /// Encodes and compresses all columns: the expensive part, on a single thread.
    ///
    /// # Errors
    /// The row group is too large, or the Parquet library rejects it.
    pub fn encode(self, compression: Compression) -> Result<EncodedRowGroup, WriteError> {
        if self.pending_bytes > 2 * MAX_ROW_GROUP_BYTES {
            return Err(WriteError::RowGroupTooLarge {
                bytes: self.pending_bytes,
            });
        }
        let types = library_types(&self.file_columns).map_err(WriteError::Encode)?;
        let mut types = types.into_iter();
        let mut leaves = Vec::with_capacity(self.file_columns.leaves());
        let mut encode = |array: Box<dyn Array>, has_range| {
            let parquet_type = types
                .next()
                .ok_or_else(|| "a column has no type".to_owned())?;
            encode_column(array, parquet_type, has_range, compression, &mut leaves)
        };
        let builders = self.columns.into_iter();
        for (builder, column) in builders.zip(self.file_columns.root().list()) {
            if column.column_type == ColumnType::Null {
                continue;
            }
            let has_range = has_range(&column.column_type, &builder);
            builder
                .into_array(self.rows, &column.column_type)
                .and_then(|array| encode(array, has_range))
                .map_err(WriteError::Encode)?;
        }
        for own in [self.codes, self.leftovers] {
            own.into_array(self.rows)
                .and_then(|array| encode(array, false))
                .map_err(WriteError::Encode)?;
        }
        Ok(EncodedRowGroup {
            rows: self.rows,
            leaves,
        })
    }
}

/// Whether the footer gives the smallest and largest value of a top-level column in this row group.
/// It does not if a double is NaN, which is outside of every range, so that other readers would
/// skip its row. Nor does it for bytes, lists, maps and structs, which nobody filters by.
fn has_range(column_type: &ColumnType, values: &Builder) -> bool {
    let has_bounds = match values {
        Builder::Double(values) => !values.values().iter().any(|value| value.is_nan()),
        Builder::Bytes(values) => !values.iter().any(is_boundless),
        _ => true,
    };
    has_bounds && column_type.is_ordered()
}

/// Whether no short text sorts after this one: the library would keep all of it.
fn is_boundless(text: &[u8]) -> bool {
    let last = "\u{10ffff}".as_bytes();
    let start = text.get(..=MAX_STATISTIC_BYTES as usize);
    start.is_some_and(|start| start.chunks_exact(last.len()).all(|char| char == last))
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
        binary_statistics_truncate_length: Some(MAX_STATISTIC_BYTES),
        ..StatisticsOptions::default()
    };
    // Leftovers never repeat.
    let encoding = if parquet_type.name() == BSON_COLUMN {
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
    let nested = to_nested(array.as_ref(), &parquet_type).map_err(said)?;
    let mut arrays = Vec::new();
    to_leaves(array.as_ref(), &mut arrays);
    let types = to_parquet_leaves(parquet_type);
    for ((values, nested), parquet_type) in arrays.into_iter().zip(nested).zip(types) {
        let packed = match nested.as_slice() {
            [_] if *values.dtype() != ArrowDataType::Float64 => None,
            nested => with_dictionary(values.as_ref(), nested.len() > 1),
        };
        if packed.is_none()
            && let Some(pages) = list_pages(values.as_ref(), &nested, &parquet_type)
        {
            let pages = pages.into_iter().map(Ok);
            leaves.push(compress_chunk(pages, compression).map_err(said)?);
            continue;
        }
        let values = packed.map_or(values, DictionaryArray::boxed);
        let pages = array_to_pages(values.as_ref(), parquet_type, &nested, options, encoding);
        let pages = pages
            .map_err(said)?
            .map(|page| page.map_err(ParquetError::from));
        leaves.push(compress_chunk(pages, compression).map_err(said)?);
    }
    Ok(())
}

fn said(error: impl ToString) -> String {
    error.to_string()
}

/// Compresses the pages of a column chunk one by one. With `auto`, the first data page decides
/// whether compression is worth the time. Dictionaries are always compressed.
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
            Page::Data(page) if is_trial && is_in_vain(page, options)? => {
                options = CompressionOptions::Uncompressed;
                None
            }
            Page::Data(page) if is_trial => Some(page.clone()),
            _ => None,
        };
        let page = compress(page, Vec::new(), options)?;
        compressed.push(match whole {
            Some(whole) if is_hardly_smaller(page_bytes(&page), whole.buffer()) => {
                options = CompressionOptions::Uncompressed;
                compress(Page::Data(whole), Vec::new(), options)?
            }
            _ => page,
        });
    }
    Ok(compressed)
}

/// Whether the end of a large page of numbers, which are all alike, shows that compressing it is in
/// vain.
fn is_in_vain(page: &DataPage, options: CompressionOptions) -> Result<bool, ParquetError> {
    let has_numbers = matches!(
        page.descriptor.primitive_type.physical_type,
        PhysicalType::Double | PhysicalType::Int64
    );
    let Some((_, end)) = page.buffer().split_last_chunk::<TRIAL_BYTES>() else {
        return Ok(false);
    };
    if !has_numbers {
        return Ok(false);
    }
    let mut compressed = Vec::new();
    compression::compress(options, end, &mut compressed)?;
    Ok(is_hardly_smaller(compressed.len(), end))
}

fn is_hardly_smaller(compressed_bytes: usize, page: &[u8]) -> bool {
    compressed_bytes > page.len() / 10 * 9
}

fn page_bytes(page: &CompressedPage) -> usize {
    match page {
        CompressedPage::Data(page) => page.compressed_size(),
        CompressedPage::Dict(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use bson::{Binary, Decimal128, Document, doc, oid::ObjectId, spec::BinarySubtype};
    use polars_parquet::parquet::read::deserialize_metadata;

    use super::*;
    use crate::{ColumnsProposal, Encoder, ParquetWriter};

    /// The columns whose smallest or largest values are in a file's footer.
    fn with_range(documents: &[Document]) -> Vec<String> {
        let documents: Vec<_> = documents.iter().map(|d| d.to_vec().unwrap()).collect();
        let mut proposal = ColumnsProposal::new();
        documents
            .iter()
            .for_each(|document| proposal.observe(document).unwrap());
        let columns = proposal.finish();
        let mut encoder = Encoder::new(&columns);
        documents
            .iter()
            .for_each(|document| encoder.push(document).unwrap());
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
        let with_range = chunks.filter(|chunk| {
            let statistics = chunk
                .statistics(footer)
                .map(|found| found.unwrap().serialize());
            statistics.is_some_and(|said| said.min_value.is_some() || said.max_value.is_some())
        });
        with_range
            .map(|chunk| chunk.descriptor().path_in_schema[0].to_string())
            .collect()
    }

    #[test]
    fn the_footer_has_ranges_for_searchable_columns_and_stays_small() {
        let bytes = Binary {
            subtype: BinarySubtype::Generic,
            bytes: vec![0xff; 1 << 20],
        };
        let decimal: Decimal128 = "1.5".parse().unwrap();
        let document = doc! {
            "int": 1_i64, "date": bson::DateTime::from_millis(7), "bool": true, "_id": ObjectId::new(),
            "decimal": decimal, "double": 1.5, "string": "long ".repeat(1 << 18), "binary": bytes,
            "raw": bson::Timestamp { time: 1, increment: 2 }, "list": [1, 2], "struct": { "x": 1 },
        };
        assert_eq!(
            with_range(&[document]),
            ["int", "date", "bool", "_id", "decimal", "double", "string"]
        );
    }

    #[test]
    fn a_column_with_nan_or_unbounded_text_gets_no_range() {
        let last = "\u{10ffff}".repeat(1 << 18);
        let documents = [
            doc! { "double": 1.5, "string": "a" },
            doc! { "double": f64::NAN, "string": &last },
        ];
        assert_eq!(with_range(&documents), [""; 0]);
        assert_eq!(with_range(&documents[..1]), ["double", "string"]);
    }
}
