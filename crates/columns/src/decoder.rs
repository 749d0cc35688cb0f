//! Rows back into documents, byte for byte: the inverse of the encoder.
//!
//! A document is written along its shape, field by field: the bytes before a value stand in the
//! shape, the value in its column. The columns are untrusted: a value that is missing or not of its
//! kind is an error.

use std::{ops::Range, sync::Arc};

use polars_arrow::{
    array::{Array, BinaryViewArray, BooleanArray, ListArray, PrimitiveArray, StructArray},
    offset::OffsetsBuffer,
    types::NativeType,
};

use crate::{
    codec::{Codec, double_as_int64},
    columns::{ColumnType, Columns},
    number_runs,
    raw::{ArrayKey, MAX_DOCUMENT_BYTES, body},
    reader::ReadError,
    shape::{BoundField, BoundValue},
};

/// The values of a column, as the Parquet library has read them.
#[derive(Debug)]
enum Values {
    Double(PrimitiveArray<f64>),
    Int64(PrimitiveArray<i64>),
    Bool(BooleanArray),
    Bytes(BinaryViewArray),
    List(OffsetsBuffer<i64>, Box<Values>),
    Struct(Vec<Values>),
}

impl Values {
    /// None if the array is not of the column's type.
    fn new(array: &dyn Array, column_type: &ColumnType) -> Option<Self> {
        Some(match column_type {
            ColumnType::Double => Self::Double(typed(array)?),
            ColumnType::Int64 | ColumnType::Date => Self::Int64(typed(array)?),
            ColumnType::Bool => Self::Bool(typed(array)?),
            ColumnType::String
            | ColumnType::ObjectId
            | ColumnType::Decimal128
            | ColumnType::Binary(_)
            | ColumnType::Raw => Self::Bytes(typed(array)?),
            ColumnType::List(element) => {
                let list: ListArray<i64> = typed(array)?;
                let elements = Self::new(list.values().as_ref(), element)?;
                Self::List(list.offsets().clone(), Box::new(elements))
            }
            ColumnType::Struct(fields) => {
                let array: StructArray = typed(array)?;
                let pairs = array.values().iter().zip(fields.list());
                let children =
                    pairs.map(|(child, column)| Self::new(child.as_ref(), &column.column_type));
                Self::Struct(children.collect::<Option<_>>()?)
            }
        })
    }
}

pub(crate) fn typed<A: Clone + 'static>(array: &dyn Array) -> Option<A> {
    array.as_any().downcast_ref::<A>().cloned()
}

fn number<T: NativeType>(array: &PrimitiveArray<T>, row: usize) -> Option<T> {
    let value = *array.values().get(row)?;
    array
        .validity()
        .is_none_or(|validity| validity.get_bit(row))
        .then_some(value)
}

/// The documents of a row group, in order; the first error is the last item.
#[derive(Debug)]
pub(crate) struct Documents {
    columns: Vec<Values>,
    shape_ids: PrimitiveArray<i32>,
    documents: BinaryViewArray,
    shapes: Arc<Vec<Vec<BoundField>>>,
    row: usize,
    rows: usize,
    last_bytes: usize,
}

impl Documents {
    /// `arrays` are the file's columns, our own two at the end; none if they are not of the columns'
    /// types or not of `rows` rows.
    pub(crate) fn new(
        arrays: &[Box<dyn Array>],
        rows: usize,
        columns: &Columns,
        shapes: Arc<Vec<Vec<BoundField>>>,
    ) -> Option<Self> {
        let (own, of_fields) = (arrays.last_chunk::<2>()?, arrays.get(..arrays.len() - 2)?);
        if of_fields.len() != columns.root().list().len()
            || arrays.iter().any(|array| array.len() != rows)
        {
            return None;
        }
        let pairs = of_fields.iter().zip(columns.root().list());
        let columns = pairs.map(|(array, column)| Values::new(array.as_ref(), &column.column_type));
        Some(Self {
            columns: columns.collect::<Option<_>>()?,
            shape_ids: typed(own[0].as_ref())?,
            documents: typed(own[1].as_ref())?,
            shapes,
            row: 0,
            rows,
            last_bytes: 0,
        })
    }

    fn document(&self, row: usize) -> Option<Vec<u8>> {
        match (number(&self.shape_ids, row), self.documents.get(row)) {
            (Some(shape), None) => {
                let shape = self.shapes.get(usize::try_from(shape).ok()?)?;
                let mut document = Vec::with_capacity(self.last_bytes);
                write_document(shape, Some(&self.columns), row, &mut document)?;
                Some(document)
            }
            (None, Some(document)) => body(document).ok().map(|_| document.to_vec()),
            _ => None,
        }
    }
}

impl Iterator for Documents {
    type Item = Result<Vec<u8>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.row >= self.rows {
            return None;
        }
        let row = self.row;
        match self.document(row) {
            Some(document) => {
                self.row += 1;
                self.last_bytes = document.len();
                Some(Ok(document))
            }
            None => {
                self.row = self.rows;
                Some(Err(ReadError::Row { row }))
            }
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

/// Leaves room for the length.
pub(crate) fn open(document: &mut Vec<u8>) -> usize {
    document.extend_from_slice(&[0; 4]);
    document.len() - 4
}

pub(crate) fn close(start: usize, document: &mut Vec<u8>) -> Option<()> {
    document.push(0);
    if document.len() > MAX_DOCUMENT_BYTES {
        return None;
    }
    let length = i32::try_from(document.len() - start).ok()?;
    document[start..start + 4].copy_from_slice(&length.to_le_bytes());
    Some(())
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
        (BoundValue::Document(fields), Some(Values::Struct(columns))) => {
            write_document(fields, Some(columns), row, document)
        }
        (BoundValue::Document(fields), None) => write_document(fields, None, row, document),
        (BoundValue::EmptyArray, _) => {
            let start = open(document);
            close(start, document)
        }
        (BoundValue::List(code, element), Some(Values::List(offsets, elements))) => {
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
        // One element is as large as a document at most; all of them must be no larger.
        if document.len() > MAX_DOCUMENT_BYTES {
            return None;
        }
        key.advance();
    }
    close(start, document)
}

/// Writes the leading elements of an array of plain numbers, whose layout is known in advance: how
/// many.
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
