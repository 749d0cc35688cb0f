//! Reads what Spark wrote for the legacy export.
//!
//! Such a file has columns but nothing that says what the documents were like, so they are rebuilt
//! as Spark's own connector would write them: each column becomes a field, `_id` first, nulls stay
//! nulls, and the column types decide the types of numbers and times. An `_id` of 24 hexadecimal
//! digits was an ObjectId, because the legacy scripts turned ObjectIds into text. Anything Spark
//! does not write for documents is rejected, with the column's name.
//!
//! The only protection of such a file's bytes are the CRCs of its pages, if it has them.

mod schema;
mod values;

use std::io::{Read, Seek};

use polars_arrow::array::Array;
use polars_parquet::write::FileMetadata;

use self::{schema::Column, values::Filled};
use super::{checks, read_columns, read_footer};
use crate::{
    bson_writer::{close, open},
    error::ReadError,
    footer::VERSION_KEY,
};

/// The field that the server requires and keeps first.
const ID: &str = "_id";

/// What to do with an `_id` of 24 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacyIds {
    /// Turn it back into an ObjectId.
    ObjectId,
    /// Leave it a string.
    String,
}

/// Reads the documents of one legacy data file.
#[derive(Debug)]
pub struct LegacyReader<R> {
    source: R,
    metadata: FileMetadata,
    /// In file order.
    columns: Vec<Column>,
    /// The index of `_id` in `columns`.
    id: usize,
    ids: LegacyIds,
}

impl<R: Read + Seek> LegacyReader<R> {
    /// Reads and checks the footer.
    ///
    /// # Errors
    /// The source fails, or is not a complete Parquet file whose columns Spark writes for
    /// documents.
    pub fn open(mut source: R, ids: LegacyIds) -> Result<Self, ReadError> {
        let metadata = read_footer(&mut source)?;
        let mut key_values = metadata.key_value_metadata.iter().flatten();
        if key_values.any(|pair| pair.key == VERSION_KEY) {
            return Err(ReadError::Unsound(
                "lob-export wrote it, not the legacy scripts",
            ));
        }
        let columns = schema::columns(metadata.schema_descr.fields())?;
        let id = columns.iter().position(|column| column.name == ID);
        let id = id.ok_or(ReadError::Unsound("it has no column `_id`"))?;
        Ok(Self {
            source,
            metadata,
            columns,
            id,
            ids,
        })
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

    /// The documents of a row group, counted from 0. The row group's columns stay in memory while
    /// the iterator lives. The iterator ends after an error.
    ///
    /// # Errors
    /// The source fails, or the row group is damaged or does not exist.
    pub fn read_row_group(
        &mut self,
        index: usize,
    ) -> Result<impl Iterator<Item = Result<Vec<u8>, ReadError>> + Send + use<R>, ReadError> {
        let row_group = self.metadata.row_groups.get(index);
        let row_group = row_group.ok_or(ReadError::Unsound("there is no such row group"))?;
        let rows = row_group.num_rows();
        let fields = self.columns.iter().map(Column::field);
        let arrays = read_columns(&mut self.source, row_group, fields)?;
        let is_whole =
            arrays.len() == self.columns.len() && arrays.iter().all(|array| array.len() == rows);
        let fill = |(column, array): (&Column, &dyn Array)| {
            Some(Field {
                name: column.name.clone(),
                values: Filled::new(array, &column.kind)?,
            })
        };
        let arrays = arrays.iter().map(AsRef::as_ref);
        let fields = self.columns.iter().zip(arrays).map(fill);
        let fields: Option<Vec<_>> = fields.collect();
        let mut fields = fields.filter(|_| is_whole).ok_or(ReadError::Unsound(
            "a column has the wrong type or number of rows",
        ))?;
        fields[..=self.id].rotate_right(1);
        if self.ids == LegacyIds::ObjectId {
            fields[0].values.were_object_ids();
        }
        let mut failed = false;
        let documents = (0..rows).map(move |row| document(&fields, row));
        Ok(
            documents
                .take_while(move |document| !std::mem::replace(&mut failed, document.is_err())),
        )
    }
}

/// A column of a row group with its values.
#[derive(Debug)]
struct Field {
    name: String,
    values: Filled,
}

fn document(fields: &[Field], row: usize) -> Result<Vec<u8>, ReadError> {
    let mut document = Vec::new();
    let start = open(&mut document);
    for field in fields {
        let written = field
            .values
            .write(field.name.as_bytes(), row, &mut document);
        written.map_err(|refused| ReadError::Column {
            column: field.name.chars().take(80).collect(),
            problem: refused.0.to_owned(),
        })?;
    }
    close(start, &mut document).ok_or(ReadError::Row { row })?;
    Ok(document)
}
