//! Puts values into their columns: documents, arrays, and documents whose names are data. A value
//! that would not decode to the same bytes becomes a leftover.

use super::{
    builder::{Builder, ListBuilder, MapBuilder},
    element::{Ahead, Stop},
    row::{NO_LEVEL, Row},
    scalars::{self, ARRAY, DOCUMENT, DOUBLE, INT32, INT64, Put, Said, magnitude_of},
};
use crate::{
    codec::is_driver_int32,
    codes::Op,
    columns::Gap,
    levels::{Item, Value},
    number_runs,
    raw::{ArrayKey, BsonType, body, cstring},
};

impl Row {
    /// Appends the value of a field, element or entry, and returns the bytes after it.
    pub(super) fn value<'a>(
        &mut self,
        item: &mut Item,
        gap: Gap,
        column: &mut Builder,
        at: usize,
        ahead: Ahead<'a>,
    ) -> Result<&'a [u8], Stop> {
        self.codes.visit(1);
        let put = match (&mut item.value, column, ahead.code()) {
            (Value::Document(level), Builder::Struct(columns), DOCUMENT) => {
                let (value, rest) = ahead.split(BsonType::Document)?;
                self.document(level, columns, at, value)?;
                return Ok(rest);
            }
            (Value::Map(value), Builder::Map(map), DOCUMENT) => {
                let (document, rest) = ahead.split(BsonType::Document)?;
                self.map(value, map, at, document)?;
                return Ok(rest);
            }
            (Value::List(element), Builder::List(list), ARRAY) => {
                let (value, rest) = ahead.split(BsonType::Array)?;
                if self.array(element, list, at, value)? {
                    return Ok(rest);
                }
                None
            }
            (value, column, _) => scalars::put(value, gap, column, at, ahead)?,
        };
        match put {
            Some(Put { rest, said }) => {
                match said {
                    Said::Nothing => {}
                    Said::Type => self.codes.here(Op::Type(BsonType::of(ahead.code())?)),
                    Said::Exponent(exponent) => self.codes.here(Op::Exponent(exponent)),
                }
                Ok(rest)
            }
            None => self.without_column(item.column, gap, ahead),
        }
    }

    /// Records a value that its column has no value for: its type in the code, or the element as a
    /// leftover.
    fn without_column<'a>(
        &mut self,
        column: usize,
        gap: Gap,
        ahead: Ahead<'a>,
    ) -> Result<&'a [u8], Stop> {
        let bson_type = BsonType::of(ahead.code())?;
        if bson_type.is_valueless() {
            if bson_type != BsonType::Null || gap != Gap::Null {
                self.codes.here(Op::Type(bson_type));
            }
            return Ok(ahead.value());
        }
        self.codes.here(Op::Left);
        self.misfits.push((column, bson_type));
        Ok(self.leave(ahead.bytes, bson_type, ahead.name_len)?)
    }

    /// Appends an array. Returns false, with nothing appended, if its keys do not count up from 0.
    fn array(
        &mut self,
        item: &mut Item,
        list: &mut ListBuilder,
        at: usize,
        array: &[u8],
    ) -> Result<bool, Stop> {
        let before = self.mark();
        let (elements, start) = list.elements();
        let (mut count, mut bytes) = copy_numbers(&mut item.value, elements, start, body(array)?);
        self.codes.visit(count as u64);
        let mut key = ArrayKey::at(count);
        while !bytes.is_empty() {
            let digits = key.bytes();
            let is_next = bytes[1..].strip_prefix(digits).and_then(<[u8]>::first) == Some(&0);
            if !is_next {
                elements.truncate(start);
                self.go_back(before);
                return Ok(false);
            }
            let ahead = Ahead {
                bytes,
                name_len: digits.len() + 1,
            };
            bytes = self.value(item, Gap::Null, elements, start + count, ahead)?;
            count += 1;
            key.advance();
        }
        list.close(at, start + count);
        Ok(true)
    }

    /// Appends a document whose names are data.
    fn map(
        &mut self,
        item: &mut Item,
        map: &mut MapBuilder,
        at: usize,
        document: &[u8],
    ) -> Result<(), Stop> {
        let mut bytes = body(document)?;
        let mut keys = None;
        while !bytes.is_empty() {
            let name = cstring(&bytes[1..])?;
            bytes = if self.is_new_key(&mut keys, name) {
                let name_len = name.len() + 1;
                self.map_entry(item, map, Ahead { bytes, name_len })?
            } else {
                self.insert(NO_LEVEL, bytes)?
            };
        }
        self.codes.visit(1);
        if let Some(keys) = keys {
            self.free_keys(keys);
        }
        map.close(at);
        Ok(())
    }

    /// Appends a field to the MAP of fields without a column.
    pub(super) fn entry<'a>(
        &mut self,
        item: &mut Item,
        map: &mut Builder,
        ahead: Ahead<'a>,
    ) -> Result<&'a [u8], Stop> {
        match (&mut item.value, map) {
            (Value::Map(value), Builder::Map(map)) => self.map_entry(value, map, ahead),
            _ => Ok(self.insert(NO_LEVEL, ahead.bytes)?),
        }
    }

    fn map_entry<'a>(
        &mut self,
        item: &mut Item,
        map: &mut MapBuilder,
        ahead: Ahead<'a>,
    ) -> Result<&'a [u8], Stop> {
        let (values, at) = map.put_key(&ahead.bytes[1..ahead.name_len]);
        self.value(item, Gap::Null, values, at, ahead)
    }
}

/// Copies the leading elements of an array of plain numbers, whose layout is known in advance.
/// Returns how many it copied, and the remaining elements for the walk to take one by one.
fn copy_numbers<'a>(
    value: &mut Value,
    elements: &mut Builder,
    start: usize,
    bytes: &'a [u8],
) -> (usize, &'a [u8]) {
    match (value, elements, bytes.first()) {
        (Value::Double { by_driver }, Builder::Double(values), Some(&DOUBLE)) => {
            let values = values.starting_at(start);
            let copied = number_runs::read(DOUBLE, values, bytes, f64::from_le_bytes);
            if *by_driver && values[start..].iter().any(|value| is_driver_int32(*value)) {
                values.truncate(start);
                return (0, bytes);
            }
            copied
        }
        (
            Value::Int64 {
                by_driver: false,
                magnitude,
            },
            Builder::Int64(values),
            Some(&INT64),
        ) => {
            let values = values.starting_at(start);
            let copied = number_runs::read(INT64, values, bytes, i64::from_le_bytes);
            for value in &values[start..] {
                *magnitude |= magnitude_of(*value);
            }
            copied
        }
        (
            Value::Int64 {
                by_driver: true, ..
            },
            Builder::Int64(values),
            Some(&INT32),
        ) => {
            let values = values.starting_at(start);
            number_runs::read(INT32, values, bytes, |bytes| {
                i32::from_le_bytes(bytes).into()
            })
        }
        _ => (0, bytes),
    }
}
