//! Reading a data file back.
//!
//! The file is untrusted: what it claims is compared with its size and with limits before the
//! Parquet library sees it, and a panic of the library is an error like any other. None of this
//! proves that the values are right: most flipped bits read as other values, so compare the file's
//! hash first and the documents' digest afterwards.

mod checks;
mod legacy;

use std::{
    io::{self, Read, Seek, SeekFrom},
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

use crate::{
    columns::Columns,
    decoder::Documents,
    footer::{self, InvalidFooter},
    schema::{View, arrow_type, parquet_schema},
    shape::{BoundField, Shape},
};

/// Largest footer that is read.
pub(crate) const MAX_FOOTER_BYTES: usize = 64 << 20;

/// A data file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source fails.
    #[error("a data file cannot be read")]
    Io(#[from] io::Error),
    /// No Parquet file, or one that contradicts itself or is too large to be read safely.
    #[error("not a sound Parquet file: {0}")]
    Unsound(&'static str),
    /// A Parquet file, but not one of ours.
    #[error("the footer is not one of lob-export")]
    Footer(#[from] InvalidFooter),
    /// The Parquet library cannot decode it.
    #[error("damaged Parquet file: {0}")]
    Damaged(String),
    /// A column of a legacy file that cannot be made BSON again.
    #[error("column `{}` {problem}", .column.escape_debug())]
    Column {
        /// The top-level column.
        column: String,
        /// What is wrong with it, for a person.
        problem: String,
    },
    /// A row is not what its shape says.
    #[error("row {row} of a row group does not match its shape")]
    Row {
        /// From 0, in its row group.
        row: usize,
    },
}

/// Reads the documents of one data file.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    metadata: FileMetadata,
    columns: Columns,
    shapes: Arc<Vec<Vec<BoundField>>>,
}

impl<R: Read + Seek> Reader<R> {
    /// Reads and checks the footer.
    ///
    /// # Errors
    /// The source fails, or does not hold a whole data file of ours.
    pub fn open(mut source: R) -> Result<Self, ReadError> {
        let metadata = read_footer(&mut source)?;
        let key_values = metadata.key_value_metadata.as_deref().unwrap_or_default();
        let (columns, shapes) = footer::read(key_values)?;
        let schema = parquet_schema(&columns).map_err(ReadError::Damaged)?;
        if metadata.schema_descr.fields() != schema.fields() {
            return Err(ReadError::Unsound("the schema is not that of its columns"));
        }
        let bind = |(position, shape): (usize, &Shape)| {
            shape
                .bind(columns.root())
                .ok_or(InvalidFooter::Unbound(position))
        };
        let shapes = shapes
            .iter()
            .enumerate()
            .map(bind)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            source,
            metadata,
            columns,
            shapes: Arc::new(shapes),
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

    /// The raw documents of a row group, from 0, in the order in which they were pushed. The row
    /// group's columns are in memory while the iterator lives; after an error it ends.
    ///
    /// # Errors
    /// The source fails, or the row group is damaged or is not there.
    pub fn read_row_group(
        &mut self,
        index: usize,
    ) -> Result<impl Iterator<Item = Result<Vec<u8>, ReadError>> + Send + use<R>, ReadError> {
        let row_group = self.metadata.row_groups.get(index);
        let row_group = row_group.ok_or(ReadError::Unsound("there is no such row group"))?;
        let rows = row_group.num_rows();
        let own = [ArrowDataType::Int32, ArrowDataType::BinaryView];
        let of_fields = self.columns.root().list().iter();
        let types = of_fields.map(|column| arrow_type(&column.column_type, View::Decoder));
        let names = self.metadata.schema_descr.fields().iter();
        let fields = names
            .zip(types.chain(own))
            .map(|(parquet_type, dtype)| Field::new(parquet_type.name().into(), dtype, true));
        let arrays = read_columns(&mut self.source, row_group, fields)?;
        let shapes = Arc::clone(&self.shapes);
        Documents::new(&arrays, rows, &self.columns, shapes).ok_or(ReadError::Unsound(
            "a column does not have its type or its rows",
        ))
    }
}

/// Reads the footer, and checks what it claims.
fn read_footer<R: Read + Seek>(source: &mut R) -> Result<FileMetadata, ReadError> {
    let (bytes, data_end) = checks::footer(source)?;
    let metadata = guard(|| deserialize_metadata(bytes.into()).map_err(|e| e.to_string()))?;
    checks::row_groups(&metadata, data_end)?;
    Ok(metadata)
}

/// Reads the top-level columns of a row group, all of them in the file's order.
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
    let (mut pages, mut types) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let range = checks::chunk_range(chunk)?;
        let bytes = read_range(source, range.start, range.end - range.start)?;
        checks::pages(&bytes, chunk)?;
        let bytes = io::Cursor::new(bytes.into());
        let reader = PageReader::new(bytes, chunk, Vec::new(), checks::MAX_CHUNK_BYTES);
        pages.push(BasicDecompressor::new(reader, Vec::new()));
        types.push(&chunk.descriptor().descriptor.primitive_type);
    }
    let decode = || column_iter_to_arrays(pages, types, field, None);
    guard(|| {
        decode()
            .map(|(arrays, _)| arrays)
            .map_err(|error| error.to_string())
    })
}

fn read_range<R: Read + Seek>(source: &mut R, start: u64, len: u64) -> Result<Vec<u8>, ReadError> {
    source.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    source.take(len).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == len {
        Ok(bytes)
    } else {
        Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
    }
}

/// The Parquet library panics on some damaged files; that is damage too.
fn guard<T>(decode: impl FnOnce() -> Result<T, String>) -> Result<T, ReadError> {
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    decoded
        .unwrap_or_else(|_| Err("the Parquet library panicked".into()))
        .map_err(ReadError::Damaged)
}
