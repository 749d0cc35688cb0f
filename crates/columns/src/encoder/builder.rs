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

    /// Puts a scalar at a row that has none yet; false, and nothing is put, if it does not come
    /// back the same.
    pub(crate) fn put(&mut self, codec: Codec, at: usize, value: &[u8]) -> bool {
        match (self, codec) {
            (Self::Double(values), Codec::Double) => fixed(value)
                .map(|bytes| values.put(at, f64::from_le_bytes(bytes)))
                .is_some(),
            (Self::Double(values), Codec::Int32AsDouble) => fixed(value)
                .map(|bytes| values.put(at, i32::from_le_bytes(bytes).into()))
                .is_some(),
            (Self::Double(values), Codec::Int64AsDouble) => {
                let double =
                    fixed(value).and_then(|bytes| int64_as_double(i64::from_le_bytes(bytes)));
                double.map(|double| values.put(at, double)).is_some()
            }
            (Self::Int64(values), Codec::Int32) => fixed(value)
                .map(|bytes| values.put(at, i32::from_le_bytes(bytes).into()))
                .is_some(),
            (Self::Int64(values), Codec::Int64) => fixed(value)
                .map(|bytes| values.put(at, i64::from_le_bytes(bytes)))
                .is_some(),
            (Self::Int64(values), Codec::Date) => {
                let date = fixed(value)
                    .map(i64::from_le_bytes)
                    .filter(|date| is_readable_date(*date));
                date.map(|date| values.put(at, date)).is_some()
            }
            (Self::Bool(values), Codec::Bool) => match value {
                [byte @ (0 | 1)] => {
                    values.put(at, *byte == 1);
                    true
                }
                _ => false,
            },
            (Self::Bytes(bytes), Codec::Bytes(codec)) => bytes.put(codec, at, value),
            _ => false,
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

fn fixed<const LEN: usize>(value: &[u8]) -> Option<[u8; LEN]> {
    value.try_into().ok()
}
