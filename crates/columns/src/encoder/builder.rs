//! Column values under construction.
//!
//! Each builder knows its own length; a value is put at a row, and rows skipped before it become
//! null only then. So an absent field costs nothing, and a row that turns out not to fit is undone
//! by cutting every builder back.

mod nested;
mod scalar;

use polars_arrow::array::Array;

pub(super) use nested::{ListBuilder, StructBuilder};
pub(crate) use scalar::{BytesBuilder, Values};

use crate::{
    codec::{Codec, int64_as_double, is_readable_date},
    columns::ColumnType,
};

/// The values of a column of any type.
#[derive(Debug)]
pub(crate) enum Builder {
    Double(Values<f64>),
    Int64(Values<i64>),
    Bool(Values<bool>),
    Bytes(BytesBuilder),
    List(ListBuilder),
    Struct(StructBuilder),
}

impl Builder {
    pub(crate) fn new(column_type: &ColumnType) -> Self {
        match column_type {
            ColumnType::Double => Self::Double(Values::default()),
            ColumnType::Int64 | ColumnType::Date => Self::Int64(Values::default()),
            ColumnType::Bool => Self::Bool(Values::default()),
            ColumnType::String
            | ColumnType::ObjectId
            | ColumnType::Decimal128
            | ColumnType::Binary(_)
            | ColumnType::Raw => Self::Bytes(BytesBuilder::default()),
            ColumnType::List(element) => Self::List(ListBuilder::new(element)),
            ColumnType::Struct(fields) => Self::Struct(StructBuilder::new(fields)),
        }
    }

    /// Puts the scalar that `bytes` begin with at a row that has none yet, and gives back what follows
    /// it; none, and nothing is put, if it does not come back the same.
    pub(crate) fn take<'a>(
        &mut self,
        codec: Codec,
        at: usize,
        bytes: &'a [u8],
    ) -> Option<&'a [u8]> {
        match (self, codec) {
            (Self::Double(values), Codec::Double) => {
                let (value, rest) = bytes.split_first_chunk()?;
                values.put(at, f64::from_le_bytes(*value));
                Some(rest)
            }
            (Self::Double(values), Codec::Int32AsDouble) => {
                let (value, rest) = bytes.split_first_chunk()?;
                values.put(at, i32::from_le_bytes(*value).into());
                Some(rest)
            }
            (Self::Double(values), Codec::Int64AsDouble) => {
                let (value, rest) = bytes.split_first_chunk()?;
                values.put(at, int64_as_double(i64::from_le_bytes(*value))?);
                Some(rest)
            }
            (Self::Int64(values), Codec::Int32) => {
                let (value, rest) = bytes.split_first_chunk()?;
                values.put(at, i32::from_le_bytes(*value).into());
                Some(rest)
            }
            (Self::Int64(values), Codec::Int64) => {
                let (value, rest) = bytes.split_first_chunk()?;
                values.put(at, i64::from_le_bytes(*value));
                Some(rest)
            }
            (Self::Int64(values), Codec::Date) => {
                let (value, rest) = bytes.split_first_chunk()?;
                let date = i64::from_le_bytes(*value);
                is_readable_date(date).then(|| values.put(at, date))?;
                Some(rest)
            }
            (Self::Bool(values), Codec::Bool) => match bytes {
                [byte @ (0 | 1), rest @ ..] => {
                    values.put(at, *byte == 1);
                    Some(rest)
                }
                _ => None,
            },
            (Self::Bytes(values), Codec::Bytes(codec)) => {
                let len = codec.bson_type().value_len(bytes).ok()?;
                let (value, rest) = bytes.split_at(len);
                values.put(codec, at, value).then_some(rest)
            }
            _ => None,
        }
    }

    /// Rows that have a value or are known to be null.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Double(values) => values.len(),
            Self::Int64(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(list) => list.len(),
            Self::Struct(fields) => fields.len(),
        }
    }

    /// Forgets the values from row `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        match self {
            Self::Double(values) => values.truncate(len),
            Self::Int64(values) => values.truncate(len),
            Self::Bool(values) => values.truncate(len),
            Self::Bytes(bytes) => bytes.truncate(len),
            Self::List(list) => list.truncate(len),
            Self::Struct(fields) => fields.truncate(len),
        }
    }

    /// The scalar columns in this one.
    fn leaves(&self) -> usize {
        match self {
            Self::List(list) => list.leaves(),
            Self::Struct(fields) => fields.leaves(),
            _ => 1,
        }
    }

    /// What the elements of lists take beyond their own values, in bytes: the columns of documents
    /// in lists grow with each element, be they null.
    fn list_bytes(&self) -> usize {
        match self {
            Self::List(list) => list.list_bytes(),
            Self::Struct(fields) => fields.list_bytes(),
            _ => 0,
        }
    }

    /// The values as an array of `rows`.
    pub(crate) fn into_array(
        self,
        rows: usize,
        column_type: &ColumnType,
    ) -> Result<Box<dyn Array>, String> {
        match (self, column_type) {
            (Self::Double(values), _) => Ok(values.into_array(rows)),
            (Self::Int64(values), _) => Ok(values.into_array(rows)),
            (Self::Bool(values), _) => values.into_bits(rows),
            (Self::Bytes(bytes), _) => bytes.into_array(rows),
            (Self::List(list), ColumnType::List(element)) => {
                list.into_array(rows, column_type, element)
            }
            (Self::Struct(fields), ColumnType::Struct(types)) => {
                fields.into_array(rows, column_type, types)
            }
            _ => Err("a builder is not of its column's type".into()),
        }
    }
}
