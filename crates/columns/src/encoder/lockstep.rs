//! Walking a document in lockstep with a shape.
//!
//! The bytes before each value are compared with what the shape expects and the value is appended
//! to its column: no lookup, no allocation, no document in between. Whatever differs ends the walk;
//! the caller then undoes the row.

use super::builder::{Builder, ListBuilder, StructBuilder};
use crate::{
    codec::Codec,
    number_runs,
    raw::{ArrayKey, BsonType, body},
    shape::{BoundField, BoundValue},
};

/// Appends `document` at row `at` if it is exactly this shape with values that fit its columns.
pub(super) fn document(
    shape: &[BoundField],
    mut columns: Option<&mut StructBuilder>,
    at: usize,
    document: &[u8],
) -> Option<()> {
    let mut rest = body(document).ok()?;
    if let Some(columns) = &mut columns {
        columns.open(at);
    }
    for field in shape {
        rest = rest.strip_prefix(&*field.header)?;
        let column = match (&mut columns, field.column) {
            (Some(columns), Some(position)) => columns.child(position),
            _ => None,
        };
        rest = value(&field.value, column, at, rest)?;
    }
    rest.is_empty().then_some(())
}

/// Appends the value that `bytes` start with, and gives back what follows it.
fn value<'a>(
    shape: &BoundValue,
    column: Option<&mut Builder>,
    at: usize,
    bytes: &'a [u8],
) -> Option<&'a [u8]> {
    match (shape, column) {
        (BoundValue::Valueless, _) => Some(bytes),
        (BoundValue::Scalar(codec), Some(column)) => column.take(*codec, at, bytes),
        (BoundValue::Document(fields), column) => {
            let (value, rest) = bytes.split_at(BsonType::Document.value_len(bytes).ok()?);
            let columns = match column {
                Some(Builder::Struct(columns)) => Some(columns),
                _ => None,
            };
            document(fields, columns, at, value)?;
            Some(rest)
        }
        (BoundValue::EmptyArray, column) => {
            if let Some(Builder::List(list)) = column {
                let (_, end) = list.elements();
                list.close(at, end);
            }
            bytes.strip_prefix(b"\x05\0\0\0\0")
        }
        (BoundValue::List(code, element), Some(Builder::List(list))) => {
            let (value, rest) = bytes.split_at(BsonType::Array.value_len(bytes).ok()?);
            array(*code, element, list, at, value)?;
            Some(rest)
        }
        (BoundValue::Scalar(_) | BoundValue::List(..), _) => None,
    }
}

fn array(
    code: u8,
    element: &BoundValue,
    list: &mut ListBuilder,
    at: usize,
    array: &[u8],
) -> Option<()> {
    let all = body(array).ok()?;
    let (elements, start) = list.elements();
    let (mut count, mut rest) = copy_numbers(code, element, elements, start, all)?;
    let mut key = ArrayKey::at(count);
    while !rest.is_empty() {
        rest = rest
            .strip_prefix(&[code])?
            .strip_prefix(key.bytes())?
            .strip_prefix(b"\0")?;
        rest = value(element, Some(elements), start + count, rest)?;
        count += 1;
        key.advance();
    }
    list.close(at, start + count);
    Some(())
}

/// Copies the leading elements of an array of plain numbers, whose layout is known in advance: how
/// many, and the elements that are left for the walk one by one.
fn copy_numbers<'a>(
    code: u8,
    element: &BoundValue,
    elements: &mut Builder,
    start: usize,
    bytes: &'a [u8],
) -> Option<(usize, &'a [u8])> {
    match (element, elements) {
        (BoundValue::Scalar(Codec::Double), Builder::Double(values)) => {
            number_runs::read(code, values.starting_at(start), bytes, f64::from_le_bytes)
        }
        (BoundValue::Scalar(Codec::Int64), Builder::Int64(values)) => {
            number_runs::read(code, values.starting_at(start), bytes, i64::from_le_bytes)
        }
        (BoundValue::Scalar(Codec::Int32), Builder::Int64(values)) => {
            number_runs::read(code, values.starting_at(start), bytes, |bytes| {
                i32::from_le_bytes(bytes).into()
            })
        }
        _ => Some((0, bytes)),
    }
}
