//! The subset of Parquet schemas that Spark writes for documents.
//!
//! Everything else is rejected, with the column's name: a type nobody has thought of must not
//! silently become some other type.

use std::collections::HashSet;

use polars_arrow::datatypes::{ArrowDataType, Field, TimeUnit};
use polars_parquet::{
    parquet::schema::{
        Repetition,
        types::{FieldInfo, GroupConvertedType, IntegerType, PrimitiveType},
    },
    read::{
        GroupLogicalType, ParquetTimeUnit, ParquetType, PhysicalType,
        PrimitiveConvertedType as Converted, PrimitiveLogicalType as Logical,
    },
};

use crate::error::ReadError;

/// Maximum number of digits in a Decimal128.
const DECIMAL_DIGITS: usize = 34;

/// A column, a field of one, or the elements of one.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    is_nullable: bool,
}

/// What a column holds.
#[derive(Debug)]
pub(super) enum Kind {
    Bool,
    Int32,
    Int64,
    Float,
    Double,
    String,
    Binary,
    /// A day and the nanoseconds within it, which is how Spark writes its microseconds.
    Int96,
    /// UTC microseconds.
    Micros,
    /// UTC milliseconds.
    Millis,
    Decimal {
        precision: usize,
        scale: usize,
    },
    List(Box<Column>),
    Struct(Vec<Column>),
}

/// The columns of a file, in file order.
pub(super) fn columns(fields: &[ParquetType]) -> Result<Vec<Column>, ReadError> {
    let column = |field: &ParquetType| {
        Column::of(field).map_err(|problem| ReadError::Column {
            column: field.name().chars().take(80).collect(),
            problem,
        })
    };
    let columns = fields.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    if are_distinct(&columns) {
        Ok(columns)
    } else {
        Err(ReadError::Unsound("two columns have the same name"))
    }
}

fn are_distinct(columns: &[Column]) -> bool {
    let mut names = HashSet::with_capacity(columns.len());
    columns.iter().all(|column| names.insert(&column.name))
}

impl Column {
    /// Recurses as deep as the schema, which is bounded. The error completes a sentence that starts
    /// with the column's name.
    fn of(parquet_type: &ParquetType) -> Result<Self, String> {
        let FieldInfo {
            name, repetition, ..
        } = parquet_type.get_field_info();
        if *repetition == Repetition::Repeated {
            return Err("is repeated without being a list".to_owned());
        }
        if name.contains('\0') {
            return Err("has a zero byte in its name".to_owned());
        }
        let kind = match parquet_type {
            ParquetType::PrimitiveType(primitive) => scalar(primitive)?,
            ParquetType::GroupType {
                logical_type,
                converted_type,
                fields,
                ..
            } => match (logical_type, converted_type) {
                (Some(GroupLogicalType::List), _) | (None, Some(GroupConvertedType::List)) => {
                    Kind::List(Box::new(Self::of(element(fields)?)?))
                }
                (None, None) => {
                    let fields = fields.iter().map(Self::of).collect::<Result<Vec<_>, _>>()?;
                    if fields.is_empty() || !are_distinct(&fields) {
                        return Err("has no fields, or two with the same name".to_owned());
                    }
                    Kind::Struct(fields)
                }
                _ => return Err("is a map, which is not supported".to_owned()),
            },
        };
        Ok(Self {
            name: name.to_string(),
            kind,
            is_nullable: *repetition == Repetition::Optional,
        })
    }

    /// The field to request from the Parquet library.
    pub(super) fn field(&self) -> Field {
        let dtype = match &self.kind {
            Kind::Bool => ArrowDataType::Boolean,
            Kind::Int32 => ArrowDataType::Int32,
            Kind::Int64 | Kind::Micros | Kind::Millis => ArrowDataType::Int64,
            Kind::Float => ArrowDataType::Float32,
            Kind::Double => ArrowDataType::Float64,
            Kind::String | Kind::Binary => ArrowDataType::BinaryView,
            // As nanoseconds the library cannot represent times after 2262; as milliseconds it
            // rounds.
            Kind::Int96 => ArrowDataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::Decimal { precision, scale } => ArrowDataType::Decimal(*precision, *scale),
            Kind::List(element) => ArrowDataType::LargeList(Box::new(element.field())),
            Kind::Struct(fields) => ArrowDataType::Struct(fields.iter().map(Self::field).collect()),
        };
        Field::new(self.name.as_str().into(), dtype, self.is_nullable)
    }
}

/// The element of a three-level list: `list.element`, or `bag.array_element` and `bag.array`, as
/// Hive and older Spark versions name it.
fn element(fields: &[ParquetType]) -> Result<&ParquetType, String> {
    match fields {
        [
            ParquetType::GroupType {
                field_info, fields, ..
            },
        ] if field_info.repetition == Repetition::Repeated && field_info.name != "array" => {
            match &fields[..] {
                [element] => Ok(element),
                _ => Err("is a list without a single element type".to_owned()),
            }
        }
        _ => Err("is a two-level list, which Spark does not write".to_owned()),
    }
}

fn scalar(primitive: &PrimitiveType) -> Result<Kind, String> {
    let (logical, converted) = (&primitive.logical_type, &primitive.converted_type);
    Ok(match (primitive.physical_type, logical, converted) {
        (PhysicalType::Boolean, None, None) => Kind::Bool,
        (
            PhysicalType::Int32,
            None
            | Some(Logical::Integer(IntegerType::Int8 | IntegerType::Int16 | IntegerType::Int32)),
            None | Some(Converted::Int8 | Converted::Int16 | Converted::Int32),
        ) => Kind::Int32,
        (
            PhysicalType::Int64,
            None | Some(Logical::Integer(IntegerType::Int64)),
            None | Some(Converted::Int64),
        ) => Kind::Int64,
        (PhysicalType::Float, None, None) => Kind::Float,
        (PhysicalType::Double, None, None) => Kind::Double,
        (PhysicalType::ByteArray, Some(Logical::String), _)
        | (PhysicalType::ByteArray, None, Some(Converted::Utf8)) => Kind::String,
        (PhysicalType::ByteArray, None, None) => Kind::Binary,
        (PhysicalType::Int96, None, None) => Kind::Int96,
        (
            PhysicalType::Int64,
            Some(Logical::Timestamp {
                is_adjusted_to_utc: true,
                unit: ParquetTimeUnit::Microseconds,
            }),
            _,
        )
        | (PhysicalType::Int64, None, Some(Converted::TimestampMicros)) => Kind::Micros,
        (
            PhysicalType::Int64,
            Some(Logical::Timestamp {
                is_adjusted_to_utc: true,
                unit: ParquetTimeUnit::Milliseconds,
            }),
            _,
        )
        | (PhysicalType::Int64, None, Some(Converted::TimestampMillis)) => Kind::Millis,
        (
            PhysicalType::Int32 | PhysicalType::Int64 | PhysicalType::FixedLenByteArray(..=16),
            Some(Logical::Decimal(precision, scale)),
            _,
        )
        | (
            PhysicalType::Int32 | PhysicalType::Int64 | PhysicalType::FixedLenByteArray(..=16),
            None,
            Some(Converted::Decimal(precision, scale)),
        ) if *precision <= DECIMAL_DIGITS && scale <= precision => Kind::Decimal {
            precision: *precision,
            scale: *scale,
        },
        (physical, logical, _) => {
            let logical = logical.map(|logical| format!(" ({logical:?})"));
            let logical = logical.unwrap_or_default();
            return Err(format!(
                "has the Parquet type {physical:?}{logical}, which is not supported"
            ));
        }
    })
}
