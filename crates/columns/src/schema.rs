//! The Parquet schema that follows from the columns, and from nothing else.

use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field, TimeUnit};
use polars_parquet::write::{SchemaDescriptor, to_parquet_schema};

use crate::columns::{BSON_COLUMN, ColumnType, Columns, Fields, SHAPE_COLUMN};

/// What readers are told: strings, timestamps in UTC, lists, structs. All of it is optional, as
/// readers expect, and our own columns come last.
pub(crate) fn parquet_schema(columns: &Columns) -> Result<SchemaDescriptor, String> {
    let own = [
        (SHAPE_COLUMN, ArrowDataType::Int32),
        (BSON_COLUMN, ArrowDataType::LargeBinary),
    ];
    let own = own.map(|(name, dtype)| Field::new(name.into(), dtype, true));
    let fields = arrow_fields(columns.root(), View::Readers)
        .into_iter()
        .chain(own);
    let schema: ArrowSchema = fields.map(|field| (field.name.clone(), field)).collect();
    to_parquet_schema(&schema).map_err(|error| error.to_string())
}

/// Who looks at the values of a column. Only other readers need to know that bytes are text or that
/// a number is a date; nothing is checked or converted for ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Readers,
    Encoder,
    /// Text and bytes are not copied out of their pages, so that a small file which repeats a large
    /// value stays small in memory.
    Decoder,
}

fn arrow_fields(fields: &Fields, view: View) -> Vec<Field> {
    let field =
        |name: &str, column_type| Field::new(name.into(), arrow_type(column_type, view), true);
    fields
        .list()
        .iter()
        .map(|column| field(&column.name, &column.column_type))
        .collect()
}

/// The type of a column's array.
pub(crate) fn arrow_type(column_type: &ColumnType, view: View) -> ArrowDataType {
    match (column_type, view) {
        (ColumnType::Double, _) => ArrowDataType::Float64,
        (ColumnType::Bool, _) => ArrowDataType::Boolean,
        (ColumnType::Date, View::Readers) => {
            ArrowDataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
        }
        (ColumnType::Int64 | ColumnType::Date, _) => ArrowDataType::Int64,
        (ColumnType::String | ColumnType::ObjectId | ColumnType::Decimal128, View::Readers) => {
            ArrowDataType::LargeUtf8
        }
        (
            ColumnType::String
            | ColumnType::ObjectId
            | ColumnType::Decimal128
            | ColumnType::Binary(_)
            | ColumnType::Raw,
            View::Readers | View::Encoder,
        ) => ArrowDataType::LargeBinary,
        (
            ColumnType::String
            | ColumnType::ObjectId
            | ColumnType::Decimal128
            | ColumnType::Binary(_)
            | ColumnType::Raw,
            View::Decoder,
        ) => ArrowDataType::BinaryView,
        (ColumnType::List(element), _) => {
            let element = Field::new("element".into(), arrow_type(element, view), true);
            ArrowDataType::LargeList(Box::new(element))
        }
        (ColumnType::Struct(fields), _) => ArrowDataType::Struct(arrow_fields(fields, view)),
    }
}
