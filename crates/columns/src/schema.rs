//! The Parquet schema, which depends on nothing but the columns.

use polars_arrow::datatypes::{ArrowDataType, Field, TimeUnit};
use polars_parquet::{
    parquet::schema::{
        Repetition,
        types::{GroupConvertedType, GroupLogicalType},
    },
    write::{ParquetType, SchemaDescriptor, to_parquet_type},
};

use crate::{
    columns::{ColumnType, Columns, Fields},
    limits::MAX_DECIMAL_DIGITS,
    own_columns::{BSON_COLUMN, DIFF_COLUMN, EMPTY_COLUMN},
};

/// Our own columns, which follow those of the fields.
pub(crate) const OWN_COLUMNS: [(&str, ArrowDataType); 2] = [
    (DIFF_COLUMN, ArrowDataType::LargeBinary),
    (BSON_COLUMN, ArrowDataType::LargeBinary),
];

/// The schema that readers see: strings, timestamps in UTC, decimals, lists, maps, structs.
/// Everything but the keys of maps is optional, as readers expect, and our own columns come last.
pub(crate) fn parquet_schema(
    columns: &Columns,
    own: &[(&str, ArrowDataType)],
) -> Result<SchemaDescriptor, String> {
    let mut types = Vec::new();
    for column in columns.root().in_file() {
        types.push(file_type(&column.name, &column.column_type)?);
    }
    types.extend(own_types(own)?);
    Ok(SchemaDescriptor::new("root".into(), types))
}

/// The types the library encodes pages by. It has no maps, so it gets lists of required structs
/// instead: their pages are the same, because a required group adds no level.
pub(crate) fn library_types(columns: &Columns) -> Result<Vec<ParquetType>, String> {
    let fields = arrow_fields(columns.root(), View::Readers);
    let mut types: Vec<_> = fields.iter().map(leaf_type).collect::<Result<_, _>>()?;
    types.extend(own_types(&OWN_COLUMNS)?);
    Ok(types)
}

fn own_types(own: &[(&str, ArrowDataType)]) -> Result<Vec<ParquetType>, String> {
    let field = |(name, dtype): &(&str, ArrowDataType)| {
        leaf_type(&Field::new((*name).into(), dtype.clone(), true))
    };
    own.iter().map(field).collect()
}

fn leaf_type(field: &Field) -> Result<ParquetType, String> {
    to_parquet_type(field).map_err(|error| error.to_string())
}

fn file_type(name: &str, column_type: &ColumnType) -> Result<ParquetType, String> {
    let (repeated, converted, logical) = match column_type {
        ColumnType::List(element) => {
            let list = group(
                "list",
                Repetition::Repeated,
                None,
                None,
                vec![file_type("element", element)?],
            );
            (list, GroupConvertedType::List, GroupLogicalType::List)
        }
        ColumnType::Map(value) => {
            let key = Field::new(
                "key".into(),
                arrow_type(&ColumnType::String, View::Readers),
                false,
            );
            let entry = vec![leaf_type(&key)?, file_type("value", value)?];
            let entries = group("key_value", Repetition::Repeated, None, None, entry);
            (entries, GroupConvertedType::Map, GroupLogicalType::Map)
        }
        ColumnType::Struct(fields) if fields.in_file().next().is_some() => {
            let fields = fields.in_file();
            let fields = fields.map(|field| file_type(&field.name, &field.column_type));
            let fields = fields.collect::<Result<_, _>>()?;
            return Ok(group(name, Repetition::Optional, None, None, fields));
        }
        _ => {
            let dtype = arrow_type(column_type, View::Readers);
            return leaf_type(&Field::new(name.into(), dtype, true));
        }
    };
    let (converted, logical) = (Some(converted), Some(logical));
    Ok(group(
        name,
        Repetition::Optional,
        converted,
        logical,
        vec![repeated],
    ))
}

fn group(
    name: &str,
    repetition: Repetition,
    converted: Option<GroupConvertedType>,
    logical: Option<GroupLogicalType>,
    fields: Vec<ParquetType>,
) -> ParquetType {
    ParquetType::from_group(name.into(), repetition, converted, logical, fields, None)
}

/// Who looks at the values of a column. Only other readers need to know that bytes are text or that
/// a number is a date; we neither check nor convert anything for ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Readers,
    Encoder,
    /// Text and bytes are not copied out of their pages, so a small file that repeats a large value
    /// stays small in memory.
    Decoder,
}

/// The fields that have a column.
fn arrow_fields(fields: &Fields, view: View) -> Vec<Field> {
    let field =
        |name: &str, column_type| Field::new(name.into(), arrow_type(column_type, view), true);
    fields
        .in_file()
        .map(|column| field(&column.name, &column.column_type))
        .collect()
}

/// The type of a column's array.
pub(crate) fn arrow_type(column_type: &ColumnType, view: View) -> ArrowDataType {
    match (column_type, view) {
        (ColumnType::Double | ColumnType::DriverDouble, _) => ArrowDataType::Float64,
        (ColumnType::Bool | ColumnType::Null, _) => ArrowDataType::Boolean,
        (ColumnType::Date, View::Readers) => {
            ArrowDataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
        }
        (ColumnType::Int64 | ColumnType::DriverInt64 | ColumnType::Date, _) => ArrowDataType::Int64,
        (ColumnType::Decimal(scale), _) => {
            ArrowDataType::Decimal(MAX_DECIMAL_DIGITS.into(), (*scale).into())
        }
        (ColumnType::String | ColumnType::ObjectId | ColumnType::DecimalText, View::Readers) => {
            ArrowDataType::LargeUtf8
        }
        (
            ColumnType::String
            | ColumnType::ObjectId
            | ColumnType::DecimalText
            | ColumnType::Binary(_)
            | ColumnType::Raw(_),
            View::Readers | View::Encoder,
        ) => ArrowDataType::LargeBinary,
        (
            ColumnType::String
            | ColumnType::ObjectId
            | ColumnType::DecimalText
            | ColumnType::Binary(_)
            | ColumnType::Raw(_),
            View::Decoder,
        ) => ArrowDataType::BinaryView,
        (ColumnType::List(element), _) => list_of(arrow_type(element, view), true),
        (ColumnType::Map(value), _) => list_of(map_entry_type(value, view), false),
        (ColumnType::Struct(fields), _) => {
            let mut fields = arrow_fields(fields, view);
            if fields.is_empty() {
                let boolean = ArrowDataType::Boolean;
                fields.push(Field::new(EMPTY_COLUMN.into(), boolean, true));
            }
            ArrowDataType::Struct(fields)
        }
    }
}

fn list_of(element: ArrowDataType, is_nullable: bool) -> ArrowDataType {
    ArrowDataType::LargeList(Box::new(Field::new("element".into(), element, is_nullable)))
}

/// The type of the array that holds a map's keys and values.
pub(crate) fn map_entry_type(value: &ColumnType, view: View) -> ArrowDataType {
    ArrowDataType::Struct(vec![
        Field::new("key".into(), arrow_type(&ColumnType::String, view), false),
        Field::new("value".into(), arrow_type(value, view), true),
    ])
}
