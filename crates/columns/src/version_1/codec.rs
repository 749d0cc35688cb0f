//! Which BSON types each column of version 1 could hold.

use crate::{codec::BytesCodec, columns::ColumnType, raw::BsonType};

/// A matching pair of BSON type and column type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Double,
    Int32AsDouble,
    Int64AsDouble,
    Int32,
    Int64,
    Bool,
    Date,
    Bytes(BytesCodec),
}

impl Codec {
    pub(super) fn of(bson_type: BsonType, column_type: &ColumnType) -> Option<Self> {
        Some(match (column_type, bson_type) {
            (ColumnType::Double, BsonType::Double) => Self::Double,
            (ColumnType::Double, BsonType::Int32) => Self::Int32AsDouble,
            (ColumnType::Double, BsonType::Int64) => Self::Int64AsDouble,
            (ColumnType::Int64, BsonType::Int32) => Self::Int32,
            (ColumnType::Int64, BsonType::Int64) => Self::Int64,
            (ColumnType::Bool, BsonType::Bool) => Self::Bool,
            (ColumnType::Date, BsonType::Date) => Self::Date,
            _ => Self::Bytes(BytesCodec::of(column_type)?.for_type(bson_type)?),
        })
    }
}
