//! Walking a document in lockstep with a shape.
//!
//! The bytes before each value are compared with what the shape expects and the value is appended
//! to its column: no lookup, no allocation, no document in between. Whatever differs ends the walk;
//! the caller then undoes the row.

use std::sync::LazyLock;

use super::builder::{Builder, ListBuilder, StructBuilder};
use crate::{
    codec::Codec,
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
        (BoundValue::Scalar(codec), Some(column)) => {
            let (value, rest) = bytes.split_at(codec.bson_type().value_len(bytes).ok()?);
            column.put(*codec, at, value).then_some(rest)
        }
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
            copy_runs(code, values.starting_at(start), bytes, f64::from_le_bytes)
        }
        (BoundValue::Scalar(Codec::Int64), Builder::Int64(values)) => {
            copy_runs(code, values.starting_at(start), bytes, i64::from_le_bytes)
        }
        (BoundValue::Scalar(Codec::Int32), Builder::Int64(values)) => {
            copy_runs(code, values.starting_at(start), bytes, |bytes| {
                i32::from_le_bytes(bytes).into()
            })
        }
        _ => Some((0, bytes)),
    }
}

fn copy_runs<'a, T, const WIDTH: usize>(
    code: u8,
    values: &mut Vec<T>,
    bytes: &'a [u8],
    read: fn([u8; WIDTH]) -> T,
) -> Option<(usize, &'a [u8])> {
    let mut rest = copy_run::<T, 1, WIDTH>(code, values, bytes, read)?;
    rest = copy_run::<T, 2, WIDTH>(code, values, rest, read)?;
    rest = copy_run::<T, 3, WIDTH>(code, values, rest, read)?;
    rest = copy_run::<T, 4, WIDTH>(code, values, rest, read)?;
    Some((elements_in::<WIDTH>(bytes.len() - rest.len()), rest))
}

/// Keys of up to this many digits stand in [`KEYS`].
const KEY_DIGITS: u32 = 4;

/// Each key with its zero.
static KEYS: LazyLock<Vec<[u8; KEY_DIGITS as usize + 1]>> = LazyLock::new(|| {
    let key = |number| {
        let mut bytes = [0; KEY_DIGITS as usize + 1];
        let key = ArrayKey::at(number);
        bytes[..key.bytes().len()].copy_from_slice(key.bytes());
        bytes
    };
    (0..10_usize.pow(KEY_DIGITS)).map(key).collect()
});

/// Copies the elements whose keys have `DIGITS` digits, or as many of them as there are.
fn copy_run<'a, T, const DIGITS: usize, const WIDTH: usize>(
    code: u8,
    values: &mut Vec<T>,
    bytes: &'a [u8],
    read: fn([u8; WIDTH]) -> T,
) -> Option<&'a [u8]> {
    let stride = DIGITS + 2 + WIDTH;
    let first = if DIGITS == 1 {
        0
    } else {
        10_usize.pow(DIGITS as u32 - 1)
    };
    let end = 10_usize.pow(DIGITS as u32);
    let (run, rest) = bytes.split_at((bytes.len() / stride).min(end - first) * stride);
    let mut same = true;
    values.extend(
        run.chunks_exact(stride)
            .zip(&KEYS[first..end])
            .map(|(element, key)| {
                same &= element[0] == code && element[1..DIGITS + 2] == key[..DIGITS + 1];
                let mut value = [0; WIDTH];
                value.copy_from_slice(&element[DIGITS + 2..]);
                read(value)
            }),
    );
    same.then_some(rest)
}

/// The number of elements that take `len` bytes from the array's start.
fn elements_in<const WIDTH: usize>(mut len: usize) -> usize {
    let mut count = 0;
    for digits in 1..=KEY_DIGITS {
        let run = if digits == 1 {
            10
        } else {
            9 * 10_usize.pow(digits - 1)
        };
        let stride = digits as usize + 2 + WIDTH;
        let here = (len / stride).min(run);
        count += here;
        len -= here * stride;
    }
    count
}
