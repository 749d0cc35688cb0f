//! Reads values from their columns. A value is what the column says by default; deviations in the
//! code are checked against the column.

use std::ops::Range;

use polars_arrow::array::Array;

use super::{Visited, Walk, range};
use crate::{
    bson_writer::{close, open},
    codec::{BytesCodec, double_as_int64, is_driver_int32},
    codes::Op,
    columns::Gap,
    decimal::Decimal,
    levels::{Item, Value},
    number_runs,
    raw::{ArrayKey, BsonType},
    values::{Values, number},
};

impl Walk<'_> {
    /// Visits a field, element or entry; `name` ends with a zero byte.
    pub(super) fn value(
        &mut self,
        item: &Item,
        gap: Gap,
        name: &[u8],
        column: &Values,
        row: usize,
    ) -> Option<Visited> {
        match self.codes.visit()? {
            None => self.as_column_says(item, gap, name, column, row)?,
            Some(Op::Type(bson_type)) if column.has_value(row) => {
                self.of_type(bson_type, item, name, column, row)?;
            }
            Some(Op::Exponent(exponent)) => match (&item.value, column) {
                (Value::Decimal(scale), Values::Decimal(array)) => {
                    self.decimal(name, number(array, row)?, *scale, exponent)?;
                }
                _ => return None,
            },
            Some(_) if column.has_value(row) => return None,
            Some(Op::Type(bson_type)) => self.valueless_of_type(bson_type, item, name)?,
            Some(Op::Absent(following)) => return Some(Visited::Absent(following)),
            Some(Op::Left) => self.leftover()?,
            Some(_) => return None,
        }
        Some(Visited::Written)
    }

    fn as_column_says(
        &mut self,
        item: &Item,
        gap: Gap,
        name: &[u8],
        column: &Values,
        row: usize,
    ) -> Option<()> {
        match (&item.value, column) {
            (Value::Double { by_driver }, Values::Double(array)) => {
                let Some(value) = number(array, row) else {
                    return self.valueless(item, gap, name);
                };
                if *by_driver && is_driver_int32(value) {
                    self.fixed(BsonType::Int32, name, (value as i32).to_le_bytes());
                } else {
                    self.fixed(BsonType::Double, name, value.to_le_bytes());
                }
            }
            (Value::Int64 { by_driver, .. }, Values::Int64(array)) => {
                let Some(value) = number(array, row) else {
                    return self.valueless(item, gap, name);
                };
                match i32::try_from(value) {
                    Ok(value) if *by_driver => {
                        self.fixed(BsonType::Int32, name, value.to_le_bytes());
                    }
                    _ => self.fixed(BsonType::Int64, name, value.to_le_bytes()),
                }
            }
            _ if !column.has_value(row) => return self.valueless(item, gap, name),
            (Value::Date, Values::Int64(array)) => {
                self.fixed(BsonType::Date, name, number(array, row)?.to_le_bytes());
            }
            (Value::Bool, Values::Bool(array)) => {
                self.fixed(BsonType::Bool, name, [array.get(row)?.into()]);
            }
            (Value::Decimal(scale), Values::Decimal(array)) => {
                self.decimal(name, number(array, row)?, *scale, -i32::from(*scale))?;
            }
            (Value::Bytes(codec), Values::Bytes(array)) => {
                self.bytes(name, *codec, array.get(row)?)?;
            }
            (Value::List(item), Values::List(offsets, elements, _)) => {
                let range = range(offsets.as_slice(), row)?;
                self.header(BsonType::Array, name);
                self.list(item, elements, range)?;
            }
            (Value::Map(value), Values::Map(entries, _)) => {
                self.header(BsonType::Document, name);
                let start = open(&mut self.document);
                for entry in range(entries.offsets.as_slice(), row)? {
                    self.entry(value, entries, entry)?;
                }
                self.end()?;
                close(start, &mut self.document)?;
            }
            (Value::Document(level), Values::Struct(columns, _)) => {
                self.header(BsonType::Document, name);
                self.document(level, columns, row)?;
            }
            _ => return None,
        }
        Some(())
    }

    /// A number of a different type than its column's, or bytes that another codec reads.
    fn of_type(
        &mut self,
        bson_type: BsonType,
        item: &Item,
        name: &[u8],
        column: &Values,
        row: usize,
    ) -> Option<()> {
        match (&item.value, column) {
            (Value::Double { .. }, Values::Double(array)) => {
                let value = number(array, row)?;
                match bson_type {
                    BsonType::Double => self.fixed(bson_type, name, value.to_le_bytes()),
                    BsonType::Int64 => {
                        self.fixed(bson_type, name, double_as_int64(value)?.to_le_bytes());
                    }
                    BsonType::Int32 if is_driver_int32(value) => {
                        self.fixed(bson_type, name, (value as i32).to_le_bytes());
                    }
                    _ => return None,
                }
            }
            (Value::Int64 { .. }, Values::Int64(array)) => {
                let value = number(array, row)?;
                match bson_type {
                    BsonType::Int64 => self.fixed(bson_type, name, value.to_le_bytes()),
                    BsonType::Int32 => {
                        let value = i32::try_from(value).ok()?;
                        self.fixed(bson_type, name, value.to_le_bytes());
                    }
                    BsonType::Double if double_as_int64(value as f64) == Some(value) => {
                        self.fixed(bson_type, name, (value as f64).to_le_bytes());
                    }
                    _ => return None,
                }
            }
            (Value::Bytes(codec), Values::Bytes(array)) => {
                self.bytes(name, codec.for_type(bson_type)?, array.get(row)?)?;
            }
            _ => return None,
        }
        Some(())
    }

    /// Writes what a missing value means in this column.
    fn valueless(&mut self, item: &Item, gap: Gap, name: &[u8]) -> Option<()> {
        match gap {
            Gap::Absent => Some(()),
            Gap::Null => self.valueless_of_type(BsonType::Null, item, name),
            Gap::Array => self.valueless_of_type(BsonType::Array, item, name),
            Gap::Document => self.valueless_of_type(BsonType::Document, item, name),
        }
    }

    fn valueless_of_type(&mut self, bson_type: BsonType, item: &Item, name: &[u8]) -> Option<()> {
        let is_empty = matches!(bson_type, BsonType::Array | BsonType::Document);
        if !(bson_type.is_valueless() || is_empty && matches!(item.value, Value::Null)) {
            return None;
        }
        self.header(bson_type, name);
        if is_empty {
            let start = open(&mut self.document);
            close(start, &mut self.document)?;
        }
        Some(())
    }

    #[inline]
    fn header(&mut self, bson_type: BsonType, name: &[u8]) {
        self.document.push(bson_type.code());
        self.document.extend_from_slice(name);
    }

    #[inline]
    fn fixed<const N: usize>(&mut self, bson_type: BsonType, name: &[u8], value: [u8; N]) {
        self.header(bson_type, name);
        self.document.extend_from_slice(&value);
    }

    fn decimal(&mut self, name: &[u8], digits: i128, scale: u8, exponent: i32) -> Option<()> {
        let decimal = Decimal::of_scale(digits, scale, exponent)?;
        self.fixed(BsonType::Decimal128, name, decimal.bytes()?);
        Some(())
    }

    fn bytes(&mut self, name: &[u8], codec: BytesCodec, cell: &[u8]) -> Option<()> {
        self.header(codec.bson_type(), name);
        codec.decode(cell, &mut self.document).then_some(())
    }

    fn list(&mut self, item: &Item, elements: &Values, range: Range<usize>) -> Option<()> {
        let start = open(&mut self.document);
        let written = self.numbers(item, elements, range.clone())?;
        let mut key = ArrayKey::at(written);
        for element in range.start + written..range.end {
            self.named(key.bytes(), item, elements, element)?;
            key.advance();
        }
        close(start, &mut self.document)
    }

    /// Writes the leading elements of an array of plain numbers, whose layout is known in advance,
    /// and returns how many it wrote.
    fn numbers(&mut self, item: &Item, elements: &Values, range: Range<usize>) -> Option<usize> {
        let count = range.len().min(number_runs::MAX_ELEMENTS);
        let range = range.start..range.start + count;
        let (code, document) = (BsonType::code, &mut self.document);
        match (&item.value, elements) {
            (Value::Double { by_driver }, Values::Double(array)) if array.null_count() == 0 => {
                let values = array.values().get(range)?;
                let is_plain = !by_driver || !values.iter().any(|value| is_driver_int32(*value));
                if is_plain && self.codes.visit_alike(count) {
                    let double = code(BsonType::Double);
                    number_runs::write(double, values, f64::to_le_bytes, document);
                    return Some(count);
                }
            }
            (Value::Int64 { by_driver, .. }, Values::Int64(array)) if array.null_count() == 0 => {
                let values = array.values().get(range)?;
                let fits = |value: &i64| i32::try_from(*value).is_ok();
                if !by_driver && self.codes.visit_alike(count) {
                    let int64 = code(BsonType::Int64);
                    number_runs::write(int64, values, i64::to_le_bytes, document);
                    return Some(count);
                }
                if *by_driver && values.iter().all(fits) && self.codes.visit_alike(count) {
                    let bytes = |value: i64| (value as i32).to_le_bytes();
                    number_runs::write(code(BsonType::Int32), values, bytes, document);
                    return Some(count);
                }
            }
            _ => {}
        }
        Some(0)
    }
}
