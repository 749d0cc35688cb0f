//! Puts scalars into their columns, but only those that decode to the same bytes.

use super::{
    builder::{Builder, BytesBuilder, Values},
    element::Ahead,
};
use crate::{
    codec::{BytesCodec, double_as_int64, int64_as_double, is_driver_int32, is_readable_date},
    columns::Gap,
    decimal::Decimal,
    levels::Value,
    raw::{BsonType, MalformedBson},
};

pub(super) const DOUBLE: u8 = BsonType::Double.code();
pub(super) const DOCUMENT: u8 = BsonType::Document.code();
pub(super) const ARRAY: u8 = BsonType::Array.code();
const BOOL: u8 = BsonType::Bool.code();
const DATE: u8 = BsonType::Date.code();
pub(super) const INT32: u8 = BsonType::Int32.code();
pub(super) const INT64: u8 = BsonType::Int64.code();
const DECIMAL: u8 = BsonType::Decimal128.code();

/// A value that is in its column or fully described by the code.
pub(super) struct Put<'a> {
    /// The bytes after the value.
    pub(super) rest: &'a [u8],
    pub(super) said: Said,
}

/// What the code must say about a value.
#[derive(Clone, Copy)]
pub(super) enum Said {
    /// Nothing: it matches its column.
    Nothing,
    /// Its type.
    Type,
    /// The power of ten of a decimal.
    Exponent(i32),
}

impl<'a> Put<'a> {
    fn of_type(rest: &'a [u8], is_default: bool) -> Self {
        let said = if is_default {
            Said::Nothing
        } else {
            Said::Type
        };
        Self { rest, said }
    }
}

/// Puts a scalar at row `at` of its column; `None` if the column cannot hold it.
#[inline]
pub(super) fn put<'a>(
    value: &mut Value,
    gap: Gap,
    column: &mut Builder,
    at: usize,
    ahead: Ahead<'a>,
) -> Result<Option<Put<'a>>, MalformedBson> {
    match (value, column) {
        (Value::Double { by_driver }, Builder::Double(values)) => {
            double(*by_driver, values, at, ahead)
        }
        (
            Value::Int64 {
                by_driver,
                magnitude,
            },
            Builder::Int64(values),
        ) => int64(*by_driver, magnitude, values, at, ahead),
        (Value::Bool, Builder::Bool(values)) if ahead.code() == BOOL => {
            let ([byte], rest) = ahead.fixed()?;
            let value = (byte <= 1).then_some(byte == 1);
            Ok(value.map(|value| {
                values.put(at, value);
                Put::of_type(rest, true)
            }))
        }
        (Value::Date, Builder::Int64(values)) if ahead.code() == DATE => {
            let (value, rest) = ahead.fixed()?;
            let date = Some(i64::from_le_bytes(value)).filter(|date| is_readable_date(*date));
            Ok(date.map(|date| {
                values.put(at, date);
                Put::of_type(rest, true)
            }))
        }
        (Value::Decimal(scale), Builder::Decimal(values, _)) if ahead.code() == DECIMAL => {
            decimal(*scale, values, at, ahead)
        }
        (Value::Bytes(codec), Builder::Bytes(values)) => bytes(*codec, values, at, ahead),
        (Value::Null, _) => Ok(empty(gap, ahead)),
        _ => Ok(None),
    }
}

#[inline]
fn double<'a>(
    by_driver: bool,
    values: &mut Values<f64>,
    at: usize,
    ahead: Ahead<'a>,
) -> Result<Option<Put<'a>>, MalformedBson> {
    let (value, is_default, rest) = match ahead.code() {
        DOUBLE => {
            let (value, rest) = ahead.fixed()?;
            let value = f64::from_le_bytes(value);
            (Some(value), !(by_driver && is_driver_int32(value)), rest)
        }
        INT32 => {
            let (value, rest) = ahead.fixed()?;
            (Some(i32::from_le_bytes(value).into()), by_driver, rest)
        }
        INT64 => {
            let (value, rest) = ahead.fixed()?;
            (int64_as_double(i64::from_le_bytes(value)), false, rest)
        }
        _ => return Ok(None),
    };
    Ok(value.map(|value| {
        values.put(at, value);
        Put::of_type(rest, is_default)
    }))
}

#[inline]
fn int64<'a>(
    by_driver: bool,
    magnitude: &mut u64,
    values: &mut Values<i64>,
    at: usize,
    ahead: Ahead<'a>,
) -> Result<Option<Put<'a>>, MalformedBson> {
    let (value, is_default, rest) = match ahead.code() {
        INT32 => {
            let (value, rest) = ahead.fixed()?;
            (Some(i32::from_le_bytes(value).into()), by_driver, rest)
        }
        INT64 => {
            let (value, rest) = ahead.fixed()?;
            let value = i64::from_le_bytes(value);
            (
                Some(value),
                !(by_driver && i32::try_from(value).is_ok()),
                rest,
            )
        }
        DOUBLE => {
            let (value, rest) = ahead.fixed()?;
            (double_as_int64(f64::from_le_bytes(value)), false, rest)
        }
        _ => return Ok(None),
    };
    Ok(value.map(|value| {
        values.put(at, value);
        *magnitude |= magnitude_of(value);
        Put::of_type(rest, is_default)
    }))
}

/// The bits of a number regardless of its sign.
pub(super) fn magnitude_of(value: i64) -> u64 {
    (value ^ (value >> 63)).cast_unsigned()
}

fn decimal<'a>(
    scale: u8,
    values: &mut Values<i128>,
    at: usize,
    ahead: Ahead<'a>,
) -> Result<Option<Put<'a>>, MalformedBson> {
    let (value, rest) = ahead.fixed()?;
    let decimal = Decimal::of_bytes(value);
    let number = decimal.and_then(|decimal| decimal.to_scale(scale));
    Ok(decimal.zip(number).map(|(decimal, number)| {
        values.put(at, number);
        let said = if decimal.exponent == -i32::from(scale) {
            Said::Nothing
        } else {
            Said::Exponent(decimal.exponent)
        };
        Put { rest, said }
    }))
}

#[inline]
fn bytes<'a>(
    codec: BytesCodec,
    values: &mut BytesBuilder,
    at: usize,
    ahead: Ahead<'a>,
) -> Result<Option<Put<'a>>, MalformedBson> {
    let bson_type = BsonType::of(ahead.code())?;
    let Some(of_type) = codec.for_type(bson_type) else {
        return Ok(None);
    };
    let (value, rest) = ahead.split(bson_type)?;
    let is_put = values.put(of_type, at, value);
    Ok(is_put.then(|| Put::of_type(rest, of_type == codec)))
}

/// An empty document or array, in a column where no other occurs.
fn empty(gap: Gap, ahead: Ahead<'_>) -> Option<Put<'_>> {
    let default = match ahead.code() {
        DOCUMENT => Gap::Document,
        ARRAY => Gap::Array,
        _ => return None,
    };
    let rest = ahead.value().strip_prefix(b"\x05\0\0\0\0")?;
    Some(Put::of_type(rest, gap == default))
}
