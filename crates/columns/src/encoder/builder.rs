//! Column values under construction.
//!
//! Each builder knows its own length. A value is put at a row, and only then do the rows skipped
//! before it become null. So an absent field costs nothing, and a row that turns out not to fit is
//! undone by truncating every builder.

mod nested;
mod scalar;

use polars_arrow::{
    array::{Array, BooleanArray},
    datatypes::ArrowDataType,
};

pub(crate) use nested::StructBuilder;
pub(super) use nested::{ListBuilder, MapBuilder};
pub(crate) use scalar::{BytesBuilder, Values};

use crate::{
    columns::ColumnType,
    schema::{View, arrow_type},
};

/// The values of a column of any type.
#[derive(Debug)]
pub(crate) enum Builder {
    Double(Values<f64>),
    Int64(Values<i64>),
    /// With the type of the column's array.
    Decimal(Values<i128>, ArrowDataType),
    Bool(Values<bool>),
    Bytes(BytesBuilder),
    /// A field that never has a value.
    Null,
    List(ListBuilder),
    Map(MapBuilder),
    Struct(StructBuilder),
}

impl Builder {
    pub(crate) fn new(column_type: &ColumnType) -> Self {
        match column_type {
            ColumnType::Double | ColumnType::DriverDouble => Self::Double(Values::default()),
            ColumnType::Int64 | ColumnType::DriverInt64 | ColumnType::Date => {
                Self::Int64(Values::default())
            }
            ColumnType::Decimal(_) => {
                Self::Decimal(Values::default(), arrow_type(column_type, View::Encoder))
            }
            ColumnType::Bool => Self::Bool(Values::default()),
            ColumnType::String
            | ColumnType::ObjectId
            | ColumnType::DecimalText
            | ColumnType::Binary(_)
            | ColumnType::Raw(_) => Self::Bytes(BytesBuilder::default()),
            ColumnType::Null => Self::Null,
            ColumnType::List(element) => Self::List(ListBuilder::new(element)),
            ColumnType::Map(value) => Self::Map(MapBuilder::new(value)),
            ColumnType::Struct(fields) => Self::Struct(StructBuilder::new(fields)),
        }
    }

    /// An empty one with room for about as many values: to grow step by step would copy them over
    /// and over.
    fn successor(&self) -> Self {
        match self {
            Self::Double(values) => Self::Double(values.successor()),
            Self::Int64(values) => Self::Int64(values.successor()),
            Self::Decimal(values, dtype) => Self::Decimal(values.successor(), dtype.clone()),
            Self::Bool(values) => Self::Bool(values.successor()),
            Self::Bytes(bytes) => Self::Bytes(bytes.successor()),
            Self::Null => Self::Null,
            Self::List(list) => Self::List(list.successor()),
            Self::Map(map) => Self::Map(map.successor()),
            Self::Struct(fields) => Self::Struct(fields.successor()),
        }
    }

    /// Drops the values from row `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        match self {
            Self::Double(values) => values.truncate(len),
            Self::Int64(values) => values.truncate(len),
            Self::Decimal(values, _) => values.truncate(len),
            Self::Bool(values) => values.truncate(len),
            Self::Bytes(bytes) => bytes.truncate(len),
            Self::Null => {}
            Self::List(list) => list.truncate(len),
            Self::Map(map) => map.truncate(len),
            Self::Struct(fields) => fields.truncate(len),
        }
    }

    /// The number of scalar columns in this one.
    fn leaves(&self) -> usize {
        match self {
            Self::List(list) => list.leaves(),
            Self::Map(map) => map.leaves(),
            Self::Struct(fields) => fields.leaves(),
            _ => 1,
        }
    }

    /// Bytes that the elements of lists take up beyond their own values: the columns of documents
    /// in lists grow with each element, even a null one.
    fn list_bytes(&self) -> usize {
        match self {
            Self::List(list) => list.list_bytes(),
            Self::Map(map) => map.list_bytes(),
            Self::Struct(fields) => fields.list_bytes(),
            _ => 0,
        }
    }

    /// The values as an array of `rows` rows.
    pub(crate) fn into_array(
        self,
        rows: usize,
        column_type: &ColumnType,
    ) -> Result<Box<dyn Array>, String> {
        match (self, column_type) {
            (Self::Double(values), _) => Ok(values.into_array(rows).boxed()),
            (Self::Int64(values), _) => Ok(values.into_array(rows).boxed()),
            (Self::Decimal(values, dtype), _) => Ok(values.into_array(rows).to(dtype).boxed()),
            (Self::Bool(values), _) => values.into_bits(rows),
            (Self::Bytes(bytes), _) => bytes.into_array(rows),
            (Self::Null, _) => Ok(BooleanArray::new_null(ArrowDataType::Boolean, rows).boxed()),
            (Self::List(list), ColumnType::List(element)) => {
                list.into_array(rows, column_type, element)
            }
            (Self::Map(map), ColumnType::Map(value)) => map.into_array(rows, column_type, value),
            (Self::Struct(fields), ColumnType::Struct(types)) => {
                fields.into_array(rows, column_type, types)
            }
            _ => Err("a builder has the wrong type for its column".into()),
        }
    }
}
