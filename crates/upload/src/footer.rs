//! What a Parquet file says of itself at its end: how many rows, and the names of its columns.
//!
//! The file may be damaged or no Parquet at all. Only the front of the footer is decoded, field by
//! field, so its size costs no memory and its nesting no stack; a type of column that is newer than
//! this tool does not matter.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use polars_parquet_format::thrift::Error as ThriftError;
use polars_parquet_format::thrift::protocol::{TCompactInputProtocol, TInputProtocol, TType};

/// The four bytes at both ends.
const MAGIC: [u8; 4] = *b"PAR1";
/// Magic, footer length and magic: the least that a file can have.
const SMALLEST: u64 = 12;
/// Footer length and magic.
const TAIL: u64 = 8;
/// `FileMetaData.schema` and `FileMetaData.num_rows` in parquet.thrift.
const SCHEMA: i16 = 2;
const NUM_ROWS: i16 = 3;
/// `SchemaElement.name` and `SchemaElement.num_children`.
const NAME: i16 = 4;
const NUM_CHILDREN: i16 = 5;
/// The Thrift reader charges each list entry 8 bytes and each string its size; an entry of a schema
/// has 4 bytes at least.
const CHARGE_PER_BYTE: usize = 4;

/// What the footer says of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Footer {
    /// Rows of all row groups.
    pub(crate) rows: u64,
    /// The names of the top-level columns, in the order of the schema.
    pub(crate) columns: Vec<String>,
}

/// Why a file is not taken for Parquet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FooterError {
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    #[error("it has {0} bytes, fewer than any Parquet file")]
    TooShort(u64),
    #[error("it does not begin with `PAR1`")]
    Head,
    #[error("it does not end with `PAR1`; it is cut off or not Parquet")]
    Tail,
    #[error("its footer has {0} bytes, more than the file")]
    Length(u64),
    #[error("its footer cannot be decoded")]
    Thrift(#[source] ThriftError),
    #[error("its footer holds no schema")]
    Schema,
    #[error("its footer holds no number of rows")]
    Rows,
}

impl Footer {
    /// Reads the two ends of the file, and no data.
    pub(crate) fn read(file: &File) -> Result<Self, FooterError> {
        let mut file = BufReader::new(file);
        let size = file.seek(SeekFrom::End(0))?;
        if size < SMALLEST {
            return Err(FooterError::TooShort(size));
        }
        let (mut head, mut length, mut tail) = ([0; 4], [0; 4], [0; 4]);
        file.rewind()?;
        file.read_exact(&mut head)?;
        file.seek(SeekFrom::Start(size - TAIL))?;
        file.read_exact(&mut length)?;
        file.read_exact(&mut tail)?;
        if head != MAGIC {
            return Err(FooterError::Head);
        }
        if tail != MAGIC {
            return Err(FooterError::Tail);
        }
        let length = u64::from(u32::from_le_bytes(length));
        if length > size - SMALLEST {
            return Err(FooterError::Length(length));
        }
        file.seek(SeekFrom::Start(size - TAIL - length))?;
        Self::decode(file.take(length), length)
    }

    fn decode(footer: impl Read, length: u64) -> Result<Self, FooterError> {
        let limit = usize::try_from(length).unwrap_or(usize::MAX);
        let mut thrift = TCompactInputProtocol::new(footer, limit.saturating_mul(CHARGE_PER_BYTE));
        let (mut columns, mut rows) = (None, None);
        thrift.read_struct_begin()?;
        while columns.is_none() || rows.is_none() {
            let field = thrift.read_field_begin()?;
            match (field.id, field.field_type) {
                (_, TType::Stop) => break,
                (Some(SCHEMA), TType::List) => columns = Some(top_level_names(&mut thrift)?),
                (Some(NUM_ROWS), TType::I64) => rows = Some(thrift.read_i64()?),
                (_, other) => thrift.skip(other)?,
            }
        }
        Ok(Self {
            columns: columns.ok_or(FooterError::Schema)?,
            rows: rows
                .and_then(|rows| u64::try_from(rows).ok())
                .ok_or(FooterError::Rows)?,
        })
    }
}

/// The schema is a tree, written as a list in depth-first order that begins with its root.
fn top_level_names(thrift: &mut impl TInputProtocol) -> Result<Vec<String>, FooterError> {
    let list = thrift.read_list_begin()?;
    let mut names = Vec::new();
    // How many children are still to come on each level.
    let mut open: Vec<u32> = Vec::new();
    for position in 0..list.size {
        let (name, children) = schema_element(thrift)?;
        match open.last_mut() {
            Some(left) => *left -= 1,
            None if position == 0 => {}
            None => return Err(FooterError::Schema),
        }
        if open.len() == 1 {
            names.push(name);
        }
        open.push(children);
        while open.pop_if(|left| *left == 0).is_some() {}
    }
    if list.size > 0 && open.is_empty() {
        Ok(names)
    } else {
        Err(FooterError::Schema)
    }
}

/// The name of a schema element and the number of its children.
fn schema_element(thrift: &mut impl TInputProtocol) -> Result<(String, u32), FooterError> {
    let (mut name, mut children) = (None, 0);
    thrift.read_struct_begin()?;
    loop {
        let field = thrift.read_field_begin()?;
        match (field.id, field.field_type) {
            (_, TType::Stop) => break,
            (Some(NAME), TType::String) => name = Some(thrift.read_string()?),
            (Some(NUM_CHILDREN), TType::I32) => children = thrift.read_i32()?,
            (_, other) => thrift.skip(other)?,
        }
    }
    thrift.read_struct_end()?;
    let children = u32::try_from(children).map_err(|_| FooterError::Schema)?;
    Ok((name.ok_or(FooterError::Schema)?, children))
}

impl From<ThriftError> for FooterError {
    fn from(error: ThriftError) -> Self {
        Self::Thrift(error)
    }
}
