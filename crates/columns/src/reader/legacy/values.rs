//! Columns as read by the Parquet library, and their values as BSON.

use bson::Decimal128;
use polars_arrow::{
    array::{Array, BinaryViewArray, BooleanArray, ListArray, PrimitiveArray, StructArray},
    bitmap::Bitmap,
    offset::OffsetsBuffer,
};

use super::schema::{Column, Kind};
use crate::{
    bson_writer::{close, open},
    codec::BytesCodec,
    raw::{ArrayKey, BsonType, MAX_DOCUMENT_BYTES},
    values::typed,
};

/// Hexadecimal digits in an ObjectId.
const OBJECT_ID_DIGITS: usize = 24;

/// A value that a document cannot hold.
#[derive(Debug)]
pub(super) struct Refused(pub(super) &'static str);

impl Refused {
    const TOO_LARGE: Self = Self("makes a document too large");

    /// A single value is at most as large as a row group; the whole document has the tighter limit.
    fn if_too_large(document: &[u8]) -> Result<(), Self> {
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(Self::TOO_LARGE);
        }
        Ok(())
    }
}

/// A column with its values, some of which may be null.
#[derive(Debug)]
pub(super) struct Filled {
    validity: Option<Bitmap>,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Bool(BooleanArray),
    Int32(PrimitiveArray<i32>),
    Int64(PrimitiveArray<i64>),
    Float(PrimitiveArray<f32>),
    Double(PrimitiveArray<f64>),
    String(BinaryViewArray),
    /// Text that was an ObjectId if it looks like one.
    ObjectIds(BinaryViewArray),
    Binary(BinaryViewArray),
    /// Ticks, and the number of ticks per millisecond.
    Time(PrimitiveArray<i64>, i64),
    /// Unscaled values, and the scale.
    Decimal(PrimitiveArray<i128>, usize),
    List(OffsetsBuffer<i64>, Box<Filled>),
    Struct(Vec<(String, Filled)>),
}

impl Filled {
    /// `None` if the array does not match the column's kind.
    pub(super) fn new(array: &dyn Array, kind: &Kind) -> Option<Self> {
        let values = match kind {
            Kind::Bool => Values::Bool(typed(array)?),
            Kind::Int32 => Values::Int32(typed(array)?),
            Kind::Int64 => Values::Int64(typed(array)?),
            Kind::Float => Values::Float(typed(array)?),
            Kind::Double => Values::Double(typed(array)?),
            Kind::String => Values::String(typed(array)?),
            Kind::Binary => Values::Binary(typed(array)?),
            Kind::Int96 | Kind::Micros => Values::Time(typed(array)?, 1000),
            Kind::Millis => Values::Time(typed(array)?, 1),
            Kind::Decimal { scale, .. } => Values::Decimal(typed(array)?, *scale),
            Kind::List(element) => {
                let list: ListArray<i64> = typed(array)?;
                let elements = Self::new(list.values().as_ref(), &element.kind)?;
                Values::List(list.offsets().clone(), Box::new(elements))
            }
            Kind::Struct(columns) => {
                let array: StructArray = typed(array)?;
                let field = |(child, column): (&dyn Array, &Column)| {
                    Some((column.name.clone(), Self::new(child, &column.kind)?))
                };
                let children = array.values().iter().map(AsRef::as_ref);
                let fields = children.zip(columns).map(field);
                Values::Struct(fields.collect::<Option<_>>()?)
            }
        };
        let validity = array.validity().cloned();
        Some(Self { validity, values })
    }

    /// Treats text as former ObjectIds.
    pub(super) fn were_object_ids(&mut self) {
        if let Values::String(texts) = &self.values {
            self.values = Values::ObjectIds(texts.clone());
        }
    }

    /// Appends an element with this name and the value in a row.
    pub(super) fn write(
        &self,
        name: &[u8],
        row: usize,
        document: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let code = document.len();
        document.push(BsonType::Null.code());
        document.extend_from_slice(name);
        document.push(0);
        if self
            .validity
            .as_ref()
            .is_none_or(|validity| validity.get(row).unwrap_or(false))
        {
            document[code] = self.values.write(row, document)?.code();
        }
        Refused::if_too_large(document)
    }
}

impl Values {
    /// Appends a value that is not null and returns its type.
    fn write(&self, row: usize, document: &mut Vec<u8>) -> Result<BsonType, Refused> {
        const GONE: Refused = Refused("has the wrong number of rows");
        match self {
            Self::Bool(values) => {
                let value = values.get(row).ok_or(GONE)?;
                document.push(value.into());
                Ok(BsonType::Bool)
            }
            Self::Int32(values) => {
                let value = values.values().get(row).ok_or(GONE)?;
                document.extend_from_slice(&value.to_le_bytes());
                Ok(BsonType::Int32)
            }
            Self::Int64(values) => {
                let value = values.values().get(row).ok_or(GONE)?;
                document.extend_from_slice(&value.to_le_bytes());
                Ok(BsonType::Int64)
            }
            Self::Float(values) => {
                let value = values.values().get(row).ok_or(GONE)?;
                document.extend_from_slice(&f64::from(*value).to_le_bytes());
                Ok(BsonType::Double)
            }
            Self::Double(values) => {
                let value = values.values().get(row).ok_or(GONE)?;
                document.extend_from_slice(&value.to_le_bytes());
                Ok(BsonType::Double)
            }
            Self::String(values) => string(values.get(row).ok_or(GONE)?, document),
            Self::ObjectIds(values) => {
                let text = values.get(row).ok_or(GONE)?;
                let start = document.len();
                if text.len() == OBJECT_ID_DIGITS && BytesCodec::ObjectId.decode(text, document) {
                    return Ok(BsonType::ObjectId);
                }
                document.truncate(start);
                string(text, document)
            }
            Self::Binary(values) => {
                let bytes = values.get(row).ok_or(GONE)?;
                if !BytesCodec::Binary(0).decode(bytes, document) {
                    return Err(Refused::TOO_LARGE);
                }
                Ok(BsonType::Binary)
            }
            Self::Time(values, per_millisecond) => {
                let ticks = *values.values().get(row).ok_or(GONE)?;
                if ticks % per_millisecond != 0 {
                    return Err(Refused(
                        "has a time finer than a millisecond, which no MongoDB date can hold",
                    ));
                }
                document.extend_from_slice(&(ticks / per_millisecond).to_le_bytes());
                Ok(BsonType::Date)
            }
            Self::Decimal(values, scale) => {
                let unscaled = values.values().get(row).ok_or(GONE)?;
                let decimal: Decimal128 = format!("{unscaled}E-{scale}")
                    .parse()
                    .map_err(|_| Refused("has a decimal of more than 34 digits"))?;
                document.extend_from_slice(&decimal.bytes());
                Ok(BsonType::Decimal128)
            }
            Self::List(offsets, elements) => {
                let at = |index: usize| usize::try_from(*offsets.as_slice().get(index)?).ok();
                let (from, to) = at(row).zip(at(row + 1)).ok_or(GONE)?;
                let start = open(document);
                let mut key = ArrayKey::first();
                for index in from..to {
                    elements.write(key.bytes(), index, document)?;
                    key.advance();
                }
                close(start, document).ok_or(Refused::TOO_LARGE)?;
                Ok(BsonType::Array)
            }
            Self::Struct(fields) => {
                let start = open(document);
                for (name, field) in fields {
                    field.write(name.as_bytes(), row, document)?;
                }
                close(start, document).ok_or(Refused::TOO_LARGE)?;
                Ok(BsonType::Document)
            }
        }
    }
}

fn string(text: &[u8], document: &mut Vec<u8>) -> Result<BsonType, Refused> {
    if std::str::from_utf8(text).is_err() {
        return Err(Refused("has text that is not UTF-8"));
    }
    if !BytesCodec::String.decode(text, document) {
        return Err(Refused::TOO_LARGE);
    }
    Ok(BsonType::String)
}
