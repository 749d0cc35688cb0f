//! The values of columns, as read by the Parquet library.

use std::hint::black_box;

use polars_arrow::{
    array::{Array, BinaryViewArray, BooleanArray, ListArray, PrimitiveArray, StructArray},
    bitmap::Bitmap,
    offset::OffsetsBuffer,
    types::NativeType,
};

use crate::columns::{ColumnType, Fields};

/// The values of one column. Lists, maps and structs also record which rows have one.
#[derive(Debug)]
pub(crate) enum Values {
    Double(PrimitiveArray<f64>),
    Int64(PrimitiveArray<i64>),
    Decimal(PrimitiveArray<i128>),
    Bool(BooleanArray),
    Bytes(BinaryViewArray),
    /// A field that never has a value.
    Null,
    List(OffsetsBuffer<i64>, Box<Values>, Option<Bitmap>),
    Map(Entries, Option<Bitmap>),
    /// In field order.
    Struct(Vec<Values>, Option<Bitmap>),
}

/// The entries of maps.
#[derive(Debug)]
pub(crate) struct Entries {
    pub(crate) offsets: OffsetsBuffer<i64>,
    pub(crate) keys: BinaryViewArray,
    pub(crate) values: Box<Values>,
}

impl Values {
    /// `None` if the array does not match the column's type.
    fn new(array: &dyn Array, column_type: &ColumnType) -> Option<Self> {
        Some(match column_type {
            ColumnType::Double | ColumnType::DriverDouble => Self::Double(typed(array)?),
            ColumnType::Int64 | ColumnType::DriverInt64 | ColumnType::Date => {
                Self::Int64(typed(array)?)
            }
            ColumnType::Decimal(_) => Self::Decimal(typed(array)?),
            ColumnType::Bool => Self::Bool(typed(array)?),
            ColumnType::String
            | ColumnType::ObjectId
            | ColumnType::DecimalText
            | ColumnType::Binary(_)
            | ColumnType::Raw(_) => Self::Bytes(typed(array)?),
            ColumnType::Null => Self::Null,
            ColumnType::List(element) => {
                let list: ListArray<i64> = typed(array)?;
                let elements = Self::new(list.values().as_ref(), element)?;
                let validity = list.validity().cloned();
                Self::List(list.offsets().clone(), Box::new(elements), validity)
            }
            ColumnType::Map(value) => {
                let map: ListArray<i64> = typed(array)?;
                let entries: StructArray = typed(map.values().as_ref())?;
                let [keys, values] = entries.values() else {
                    return None;
                };
                let entries = Entries {
                    offsets: map.offsets().clone(),
                    keys: typed(keys.as_ref())?,
                    values: Box::new(Self::new(values.as_ref(), value)?),
                };
                Self::Map(entries, map.validity().cloned())
            }
            ColumnType::Struct(fields) => {
                let array: StructArray = typed(array)?;
                let has_columns = fields.in_file().next().is_some();
                let arrays = if has_columns { array.values() } else { &[] };
                let children = Self::of_fields(arrays, fields)?;
                Self::Struct(children, array.validity().cloned())
            }
        })
    }

    /// Whether a row has a value. The row may be out of range.
    #[inline]
    pub(crate) fn has_value(&self, row: usize) -> bool {
        match self {
            Self::Double(array) => is_valid(array.validity(), row),
            Self::Int64(array) => is_valid(array.validity(), row),
            Self::Decimal(array) => is_valid(array.validity(), row),
            Self::Bool(array) => is_valid(array.validity(), row),
            Self::Bytes(array) => is_valid(array.validity(), row),
            Self::Null => false,
            Self::List(_, _, validity) | Self::Map(_, validity) | Self::Struct(_, validity) => {
                is_valid(validity.as_ref(), row)
            }
        }
    }

    /// Fetches numbers into the cache before their row is decoded: dozens of columns are too many
    /// for a processor to predict, and the cache misses would cost more than everything else in a
    /// row.
    pub(crate) fn prefetch(&self, row: usize) {
        match self {
            Self::Double(array) => drop(black_box(array.values().get(row).copied())),
            Self::Int64(array) => drop(black_box(array.values().get(row).copied())),
            _ => {}
        }
    }

    /// The values of each field; `None` if the arrays do not match the fields that have a column.
    pub(crate) fn of_fields(arrays: &[Box<dyn Array>], fields: &Fields) -> Option<Vec<Self>> {
        let mut arrays = arrays.iter();
        let of_field = |column_type: &ColumnType| match column_type {
            ColumnType::Null => Some(Self::Null),
            _ => Self::new(arrays.next()?.as_ref(), column_type),
        };
        let types = fields.list().iter().map(|column| &column.column_type);
        let values = types.map(of_field).collect::<Option<_>>()?;
        arrays.next().is_none().then_some(values)
    }
}

pub(crate) fn typed<A: Clone + 'static>(array: &dyn Array) -> Option<A> {
    array.as_any().downcast_ref::<A>().cloned()
}

/// The number in a row, if it has one.
#[inline]
pub(crate) fn number<T: NativeType>(array: &PrimitiveArray<T>, row: usize) -> Option<T> {
    let value = *array.values().get(row)?;
    is_valid(array.validity(), row).then_some(value)
}

#[inline]
pub(crate) fn is_valid(validity: Option<&Bitmap>, row: usize) -> bool {
    validity.is_none_or(|validity| row < validity.len() && validity.get_bit(row))
}
