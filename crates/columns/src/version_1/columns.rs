//! The columns of version 1, read from their JSON.

use polars_arrow::datatypes::ArrowDataType;
use serde::{Deserialize, de};

use crate::{
    columns::{self, Columns, Fields, Gap},
    own_columns::{BSON_COLUMN, fold},
    raw::BsonType,
};

/// The column with a row's shape; null if the whole document was kept.
const SHAPE_COLUMN: &str = "_lob_shape";
pub(crate) const OWN_COLUMNS: [(&str, ArrowDataType); 2] = [
    (SHAPE_COLUMN, ArrowDataType::Int32),
    (BSON_COLUMN, ArrowDataType::LargeBinary),
];
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    column_type: ColumnType,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum ColumnType {
    Double,
    Int64,
    Bool,
    String,
    Date,
    ObjectId,
    Decimal128,
    Binary(u8),
    Raw,
    List(Box<ColumnType>),
    Struct(Vec<Column>),
}

/// Reads the columns from their JSON.
///
/// # Errors
/// The JSON does not describe columns, or the columns are rejected.
pub(super) fn read(json: &str) -> Result<Columns, serde_json::Error> {
    let columns: Vec<Column> = serde_json::from_str(json)?;
    let is_own_name = |name: &str| [SHAPE_COLUMN, BSON_COLUMN].contains(&&*fold(name));
    fields(columns)
        .and_then(|root| Columns::with_own_names(root, is_own_name))
        .map_err(de::Error::custom)
}

/// Recurses as deep as `serde_json` allows.
fn fields(columns: Vec<Column>) -> Result<Fields, columns::InvalidColumns> {
    let column = |column: Column| {
        Ok(columns::Column {
            name: column.name,
            column_type: column.column_type.today()?,
            gap: Gap::Null,
        })
    };
    Fields::new(columns.into_iter().map(column).collect::<Result<_, _>>()?)
}

impl ColumnType {
    /// The current type with the same column in a file. Shapes tell the BSON type of each value.
    fn today(self) -> Result<columns::ColumnType, columns::InvalidColumns> {
        use columns::ColumnType as Today;
        Ok(match self {
            Self::Double => Today::Double,
            Self::Int64 => Today::Int64,
            Self::Bool => Today::Bool,
            Self::String => Today::String,
            Self::Date => Today::Date,
            Self::ObjectId => Today::ObjectId,
            Self::Decimal128 => Today::DecimalText,
            Self::Binary(subtype) => Today::Binary(subtype),
            Self::Raw => Today::Raw(BsonType::Timestamp),
            Self::List(element) => Today::List(Box::new(element.today()?)),
            Self::Struct(columns) => Today::Struct(fields(columns)?),
        })
    }
}
