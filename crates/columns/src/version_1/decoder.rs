//! Turns version 1 rows back into documents, byte for byte.
//!
//! A document is written along its shape, field by field: the shape gives the bytes before each
//! value, the column gives the value. The columns are untrusted: a value that is missing or of the
//! wrong kind is an error.

use std::{ops::Range, sync::Arc};

use polars_arrow::{
    array::{Array, BinaryViewArray, PrimitiveArray},
    offset::OffsetsBuffer,
};

use super::{
    Shapes,
    codec::Codec,
    shape::{BoundField, BoundValue},
};
use crate::{
    bson_writer::{close, open},
    codec::double_as_int64,
    columns::Columns,
    number_runs,
    raw::{ArrayKey, MAX_DOCUMENT_BYTES, body},
    values::{Values, number, typed},
};

/// Decodes the documents of a row group.
#[derive(Debug)]
pub(crate) struct Decoder {
    columns: Vec<Values>,
    shape_ids: PrimitiveArray<i32>,
    documents: BinaryViewArray,
    shapes: Arc<Shapes>,
    last_bytes: usize,
}

impl Decoder {
    /// `arrays` are the file's columns, with our own two last. `None` if their types do not match
    /// the columns or any of them does not have `rows` rows.
    pub(crate) fn new(
        arrays: &[Box<dyn Array>],
        rows: usize,
        columns: &Columns,
        shapes: Arc<Shapes>,
    ) -> Option<Self> {
        let (own, of_fields) = (arrays.last_chunk::<2>()?, arrays.get(..arrays.len() - 2)?);
        if arrays.iter().any(|array| array.len() != rows) {
            return None;
        }
        Some(Self {
            columns: Values::of_fields(of_fields, columns.root())?,
            shape_ids: typed(own[0].as_ref())?,
            documents: typed(own[1].as_ref())?,
            shapes,
            last_bytes: 0,
        })
    }

    /// The document of a row; `None` if the row does not match its shape.
    pub(crate) fn document(&mut self, row: usize) -> Option<Vec<u8>> {
        match (number(&self.shape_ids, row), self.documents.get(row)) {
            (Some(shape), None) => {
                let shape = self.shapes.0.get(usize::try_from(shape).ok()?)?;
                let mut document = Vec::with_capacity(self.last_bytes);
                write_document(shape, Some(&self.columns), row, &mut document)?;
                self.last_bytes = document.len();
                Some(document)
            }
            (None, Some(document)) => body(document).ok().map(|_| document.to_vec()),
            _ => None,
        }
    }
}

fn write_document(
    shape: &[BoundField],
    columns: Option<&[Values]>,
    row: usize,
    document: &mut Vec<u8>,
) -> Option<()> {
    let start = open(document);
    for field in shape {
        document.extend_from_slice(&field.header);
        let column = columns
            .zip(field.column)
            .and_then(|(columns, at)| columns.get(at));
        write_value(&field.value, column, row, document)?;
    }
    close(start, document)
}

fn write_value(
    shape: &BoundValue,
    column: Option<&Values>,
    row: usize,
    document: &mut Vec<u8>,
) -> Option<()> {
    match (shape, column) {
        (BoundValue::Valueless, _) => Some(()),
        (BoundValue::Scalar(codec), Some(column)) => write_scalar(*codec, column, row, document),
        (BoundValue::Document(fields), Some(Values::Struct(columns, _))) => {
            write_document(fields, Some(columns), row, document)
        }
        (BoundValue::Document(fields), None) => write_document(fields, None, row, document),
        (BoundValue::EmptyArray, _) => {
            let start = open(document);
            close(start, document)
        }
        (BoundValue::List(code, element), Some(Values::List(offsets, elements, _))) => {
            write_list(*code, element, offsets, elements, row, document)
        }
        _ => None,
    }
}

fn write_list(
    code: u8,
    element: &BoundValue,
    offsets: &OffsetsBuffer<i64>,
    elements: &Values,
    row: usize,
    document: &mut Vec<u8>,
) -> Option<()> {
    let start = open(document);
    let at = |index: usize| usize::try_from(*offsets.as_slice().get(index)?).ok();
    let (from, to) = (at(row)?, at(row + 1)?);
    let written = write_numbers(code, element, elements, from..to, document)?;
    let mut key = ArrayKey::at(written);
    for index in from + written..to {
        document.push(code);
        document.extend_from_slice(key.bytes());
        document.push(0);
        write_value(element, Some(elements), index, document)?;
        // Each element is at most as large as a document; all of them together have the same limit.
        if document.len() > MAX_DOCUMENT_BYTES {
            return None;
        }
        key.advance();
    }
    close(start, document)
}

/// Writes the leading elements of an array of plain numbers, whose layout is known in advance, and
/// returns how many it wrote.
fn write_numbers(
    code: u8,
    element: &BoundValue,
    elements: &Values,
    range: Range<usize>,
    document: &mut Vec<u8>,
) -> Option<usize> {
    match (element, elements) {
        (BoundValue::Scalar(Codec::Double), Values::Double(array)) if array.null_count() == 0 => {
            let values = array.values().get(range)?;
            Some(number_runs::write(code, values, f64::to_le_bytes, document))
        }
        (BoundValue::Scalar(Codec::Int64), Values::Int64(array)) if array.null_count() == 0 => {
            let values = array.values().get(range)?;
            Some(number_runs::write(code, values, i64::to_le_bytes, document))
        }
        _ => Some(0),
    }
}

fn write_scalar(codec: Codec, column: &Values, row: usize, document: &mut Vec<u8>) -> Option<()> {
    match (codec, column) {
        (Codec::Double, Values::Double(array)) => {
            document.extend_from_slice(&number(array, row)?.to_le_bytes());
        }
        (Codec::Int32AsDouble, Values::Double(array)) => {
            let value = i32::try_from(double_as_int64(number(array, row)?)?).ok()?;
            document.extend_from_slice(&value.to_le_bytes());
        }
        (Codec::Int64AsDouble, Values::Double(array)) => {
            let value = double_as_int64(number(array, row)?)?;
            document.extend_from_slice(&value.to_le_bytes());
        }
        (Codec::Int32, Values::Int64(array)) => {
            let value = i32::try_from(number(array, row)?).ok()?;
            document.extend_from_slice(&value.to_le_bytes());
        }
        (Codec::Int64 | Codec::Date, Values::Int64(array)) => {
            document.extend_from_slice(&number(array, row)?.to_le_bytes());
        }
        (Codec::Bool, Values::Bool(array)) => document.push(array.get(row)?.into()),
        (Codec::Bytes(codec), Values::Bytes(array)) => {
            return codec.decode(array.get(row)?, document).then_some(());
        }
        _ => return None,
    }
    Some(())
}
