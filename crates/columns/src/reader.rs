//! Reads a data file back.
//!
//! The file is untrusted: its claims are checked against its size and against limits before the
//! Parquet library sees it, and a panic in the library is an error like any other. None of this
//! proves that the values are right: most flipped bits read as other values, so compare the file's
//! hash first and the digest of the documents afterwards.

mod checks;
mod legacy;
mod level_runs;
mod list_pages;

use std::{
    io::{self, Read, Seek},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use polars_arrow::{
    array::Array,
    datatypes::{ArrowDataType, Field},
};
use polars_parquet::{
    parquet::read::{PageReader, deserialize_metadata},
    read::{BasicDecompressor, ColumnChunkMetadata, RowGroupMetadata, column_iter_to_arrays},
    write::FileMetadata,
};

pub use legacy::{LegacyIds, LegacyReader};

use self::list_pages::list_array;
use crate::{
    columns::Columns,
    decoder::Decoder,
    error::ReadError,
    footer::{self, InvalidFooter, VERSION_KEY},
    levels::Level,
    schema::{OWN_COLUMNS, View, arrow_type, parquet_schema},
    version_1,
};

/// Reads the documents of one data file, in any version of the format.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    metadata: FileMetadata,
    columns: Columns,
    layout: Layout,
}

/// How documents are stored in the columns.
#[derive(Debug)]
enum Layout {
    Version1(Arc<version_1::Shapes>),
    Version2(Arc<Level>),
}

impl Layout {
    /// Our own columns, one array each, which follow those of the fields.
    fn own_columns(&self) -> [(&'static str, ArrowDataType); 2] {
        match self {
            Layout::Version1(_) => version_1::OWN_COLUMNS,
            Layout::Version2(_) => OWN_COLUMNS,
        }
    }
}

impl<R: Read + Seek> Reader<R> {
    /// Reads and checks the footer.
    ///
    /// # Errors
    /// The source fails, or is not a complete data file of lob-export.
    pub fn open(mut source: R) -> Result<Self, ReadError> {
        let metadata = read_footer(&mut source)?;
        let key_values = metadata.key_value_metadata.as_deref().unwrap_or_default();
        let (columns, layout) = match footer::value_of(key_values, VERSION_KEY)? {
            footer::VERSION => {
                let (columns, level) = footer::read(key_values)?;
                (columns, Layout::Version2(Arc::new(level)))
            }
            version_1::VERSION => {
                let (columns, shapes) = version_1::read_footer(key_values)?;
                (columns, Layout::Version1(Arc::new(shapes)))
            }
            other => {
                let version = other.chars().take(20).collect();
                return Err(InvalidFooter::UnknownVersion(version).into());
            }
        };
        let schema = parquet_schema(&columns, &layout.own_columns()).map_err(ReadError::Damaged)?;
        if metadata.schema_descr.fields() != schema.fields() {
            return Err(ReadError::Unsound("the schema does not match its columns"));
        }
        Ok(Self {
            source,
            metadata,
            columns,
            layout,
        })
    }

    /// The columns of the file's split.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The number of documents.
    pub fn rows(&self) -> u64 {
        self.metadata.num_rows as u64
    }

    /// The number of row groups.
    pub fn row_groups(&self) -> usize {
        self.metadata.row_groups.len()
    }

    /// Checks that no row group takes more than `most` bytes of memory, or as much as its size in
    /// the file accounts for.
    ///
    /// # Errors
    /// One does: [`ReadError::TooLarge`].
    pub fn check_memory(&self, most: u64) -> Result<(), ReadError> {
        checks::memory(&self.metadata, most)
    }

    /// The raw documents of a row group, counted from 0, in the order they were pushed. The row
    /// group's columns stay in memory while the iterator lives. The iterator ends after an error.
    ///
    /// # Errors
    /// The source fails, or the row group is damaged or does not exist.
    pub fn read_row_group(
        &mut self,
        index: usize,
    ) -> Result<impl Iterator<Item = Result<Vec<u8>, ReadError>> + Send + use<R>, ReadError> {
        let row_group = self.metadata.row_groups.get(index);
        let rows = row_group.map_or(0, RowGroupMetadata::num_rows);
        let arrays = self.arrays(index)?;
        let decoder = match &self.layout {
            Layout::Version1(shapes) => {
                let shapes = Arc::clone(shapes);
                version_1::Decoder::new(&arrays, rows, &self.columns, shapes)
                    .map(RowDecoder::Version1)
            }
            Layout::Version2(level) => {
                let level = Arc::clone(level);
                Decoder::new(&arrays, rows, &self.columns, level).map(RowDecoder::Version2)
            }
        };
        let decoder = decoder.ok_or(ReadError::Unsound(
            "a column has the wrong type or number of rows",
        ))?;
        Ok(Documents {
            decoder,
            row: 0,
            rows,
        })
    }

    /// The columns of a row group, with our own last.
    fn arrays(&mut self, index: usize) -> Result<Vec<Box<dyn Array>>, ReadError> {
        let row_group = self.metadata.row_groups.get(index);
        let row_group = row_group.ok_or(ReadError::Unsound("there is no such row group"))?;
        let of_fields = self.columns.root().in_file();
        let of_fields = of_fields.map(|column| arrow_type(&column.column_type, View::Decoder));
        let own = self.layout.own_columns().map(|(_, dtype)| match dtype {
            ArrowDataType::LargeBinary => ArrowDataType::BinaryView,
            dtype => dtype,
        });
        let names = self.metadata.schema_descr.fields().iter();
        let fields = names
            .zip(of_fields.chain(own))
            .map(|(parquet_type, dtype)| Field::new(parquet_type.name().into(), dtype, true));
        read_columns(&mut self.source, row_group, fields)
    }
}

enum RowDecoder {
    Version1(version_1::Decoder),
    Version2(Decoder),
}

/// The documents of a row group, in order; the first error is the last item.
struct Documents {
    decoder: RowDecoder,
    row: usize,
    rows: usize,
}

impl Iterator for Documents {
    type Item = Result<Vec<u8>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.row >= self.rows {
            return None;
        }
        let row = self.row;
        let document = match &mut self.decoder {
            RowDecoder::Version1(decoder) => decoder.document(row),
            RowDecoder::Version2(decoder) => decoder.document(row),
        };
        self.row = if document.is_some() {
            row + 1
        } else {
            self.rows
        };
        Some(document.ok_or(ReadError::Row { row }))
    }
}

/// Reads the footer and checks its claims. Drops row groups without rows, which some writers
/// produce for empty data.
fn read_footer<R: Read + Seek>(source: &mut R) -> Result<FileMetadata, ReadError> {
    let (bytes, data_end) = checks::footer(source)?;
    let mut metadata = guard(|| deserialize_metadata(bytes.into()).map_err(|e| e.to_string()))?;
    metadata.row_groups.retain(|group| group.num_rows() > 0);
    checks::row_groups(&metadata, data_end)?;
    Ok(metadata)
}

/// Reads the top-level columns of a row group, all of them, in file order.
fn read_columns<R: Read + Seek>(
    source: &mut R,
    row_group: &RowGroupMetadata,
    fields: impl Iterator<Item = Field>,
) -> Result<Vec<Box<dyn Array>>, ReadError> {
    let mut chunks = row_group.parquet_columns();
    let mut arrays = Vec::new();
    for field in fields {
        let is_here = |chunk: &ColumnChunkMetadata| {
            chunk
                .descriptor()
                .path_in_schema
                .first()
                .is_some_and(|root| *root == field.name)
        };
        let (here, rest) = chunks.split_at(chunks.iter().take_while(|c| is_here(c)).count());
        chunks = rest;
        arrays.extend(read_column(source, here, field)?);
    }
    Ok(arrays)
}

/// Reads the chunks of all leaves of a top-level column.
fn read_column<R: Read + Seek>(
    source: &mut R,
    chunks: &[ColumnChunkMetadata],
    field: Field,
) -> Result<Vec<Box<dyn Array>>, ReadError> {
    let mut sources = Vec::new();
    for chunk in chunks {
        let range = checks::chunk_range(chunk)?;
        let bytes = checks::read_range(source, range.start, range.end - range.start)?;
        checks::pages(&bytes, chunk)?;
        sources.push((chunk, io::Cursor::new(bytes.into())));
    }
    guard(|| {
        let pages = sources.iter().map(|(chunk, bytes)| {
            let reader = PageReader::new(bytes.clone(), chunk, Vec::new(), checks::MAX_CHUNK_BYTES);
            BasicDecompressor::new(reader, Vec::new())
        });
        if let [chunk] = chunks
            && let Some(pages) = pages.clone().next()
            && let Some(lists) = list_array(pages, chunk, &field)
        {
            return Ok(vec![lists]);
        }
        let types = chunks
            .iter()
            .map(|chunk| &chunk.descriptor().descriptor.primitive_type);
        column_iter_to_arrays(pages.collect(), types.collect(), field, None)
            .map(|(arrays, _)| arrays)
            .map_err(|error| error.to_string())
    })
}

/// Turns panics of the Parquet library into errors: it panics on some damaged files.
fn guard<T>(decode: impl FnOnce() -> Result<T, String>) -> Result<T, ReadError> {
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    decoded
        .unwrap_or_else(|_| Err("the Parquet library panicked".into()))
        .map_err(ReadError::Damaged)
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};
    use polars_arrow::array::BinaryViewArray;

    use super::*;
    use crate::{ColumnsProposal, Compression, Encoder, ParquetWriter};

    /// Documents whose rows have codes of every kind.
    fn documents() -> Vec<Vec<u8>> {
        let decimal = |text: &str| text.parse::<bson::Decimal128>().unwrap();
        let documents = [
            doc! { "a": 1, "b": 0.5, "l": [1.5, 2.5], "d": { "x": 1, "y": 2 }, "p": decimal("1.50") },
            doc! { "a": 1_i64, "b": 2, "l": [1.0, 2, bson::Bson::Null], "d": { "y": 1, "x": 2 }, "p": decimal("2.5") },
            doc! { "b": 1.5, "a": bson::Bson::Null, "p": bson::Bson::MinKey, "d": {}, "m": { "1": 0.5 } },
            doc! { "a": "text", "l": ["text", 1.0], "late": 1, "d": { "z": 1 }, "m": { "2": "x", "3": 4 } },
            doc! { "l": [{ "i": 1 }], "m": { "1": 0.5, "2": bson::Bson::Null }, "d": bson::Bson::Undefined },
        ];
        let mut documents: Vec<_> = documents.iter().map(|d| d.to_vec().unwrap()).collect();
        // Duplicate names, and more orders than a level learns.
        documents.push(rawdoc! { "a": 1, "a": 2, "d": { "x": 1, "x": 2 } }.into_bytes());
        for number in 0..200_u32 {
            let names = (0..5).map(|place| (number * 7 + place * (number % 4 + 1)) % 5);
            let mut document = bson::RawDocumentBuf::new();
            for name in names {
                let name = bson::raw::CString::try_from(format!("o{name}")).unwrap();
                document.append(name, 1.5);
            }
            documents.push(document.into_bytes());
        }
        documents
    }

    /// A data file of these documents, read up to its arrays.
    fn arrays() -> (Vec<Box<dyn Array>>, Columns, Arc<Level>) {
        let documents = documents();
        let mut proposal = ColumnsProposal::with_natures(["m".to_owned()], []);
        for document in &documents {
            proposal.observe(document).unwrap();
        }
        let columns = proposal.finish();
        let mut encoder = Encoder::new(&columns);
        for document in &documents {
            encoder.push(document).unwrap();
        }
        let mut writer = ParquetWriter::new(Vec::new(), &columns).unwrap();
        let row_group = encoder.take_row_group().encode(Compression::None).unwrap();
        writer.write(row_group).unwrap();
        let file = writer.finish(encoder.finish()).unwrap();
        let mut reader = Reader::open(io::Cursor::new(&file)).unwrap();
        let Layout::Version2(level) = &reader.layout else {
            panic!("not of this version");
        };
        let level = Arc::clone(level);
        let arrays = reader.arrays(0).unwrap();
        let read: Vec<_> = reader
            .read_row_group(0)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(read == documents);
        (arrays, columns, level)
    }

    /// Patternless numbers, the same in every run.
    fn random(state: &mut u64) -> u64 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        *state >> 33
    }

    #[test]
    fn a_million_damaged_codes_never_panic() {
        let (mut arrays, columns, level) = arrays();
        let rows = arrays[0].len();
        let place = arrays.len() - 2;
        let codes: BinaryViewArray = crate::values::typed(arrays[place].as_ref()).unwrap();
        let codes: Vec<Vec<u8>> = (0..rows)
            .map(|row| codes.get(row).unwrap_or_default().to_vec())
            .collect();
        let (mut state, mut refused) = (7, 0);
        let rounds = 1_000_000 / rows + 1;
        for _ in 0..rounds {
            let damaged = codes.iter().map(|code| {
                let mut code = code.clone();
                for _ in 0..=random(&mut state) % 3 {
                    let at = random(&mut state) as usize % (code.len() + 1);
                    match random(&mut state) % 3 {
                        0 => code.insert(at, random(&mut state) as u8),
                        1 if at < code.len() => drop(code.remove(at)),
                        _ if at < code.len() => code[at] = random(&mut state) as u8 % 0x28,
                        _ => code.push(random(&mut state) as u8 % 0x28),
                    }
                }
                Some(code)
            });
            arrays[place] = BinaryViewArray::from_slice(damaged.collect::<Vec<_>>()).boxed();
            let mut decoder = Decoder::new(&arrays, rows, &columns, Arc::clone(&level)).unwrap();
            for row in 0..rows {
                match decoder.document(row) {
                    Some(document) => assert!(document.len() < 1 << 16),
                    None => refused += 1,
                }
            }
        }
        assert!(refused > rounds * rows / 4, "{refused}");
    }
}
