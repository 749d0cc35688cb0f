//! Column values under construction.
//!
//! Each builder knows its own length; a value is put at a row, and rows skipped before it become
//! null only then. So an absent field costs nothing, and a row that turns out not to fit is undone
//! by cutting every builder back.

use std::ops::Range;

use polars_arrow::{
    array::{Array, BinaryArray, BooleanArray, ListArray, PrimitiveArray, StructArray},
    bitmap::{Bitmap, MutableBitmap},
    datatypes::ArrowDataType,
    offset::OffsetsBuffer,
    types::NativeType,
};

use crate::{
    codec::{BytesCodec, Codec, int64_as_double, is_readable_date},
    columns::{ColumnType, Fields},
    schema::{View, arrow_type},
};

/// The values of a column of any type.
#[derive(Debug)]
pub(crate) enum Builder {
    Double(Values<f64>),
    Int64(Values<i64>),
    Bool(Values<bool>),
    Bytes(BytesBuilder),
    List(ListBuilder),
    Struct(StructBuilder),
}

impl Builder {
    pub(crate) fn new(column_type: &ColumnType) -> Self {
        match column_type {
            ColumnType::Double => Self::Double(Values::default()),
            ColumnType::Int64 | ColumnType::Date => Self::Int64(Values::default()),
            ColumnType::Bool => Self::Bool(Values::default()),
            ColumnType::String
            | ColumnType::ObjectId
            | ColumnType::Decimal128
            | ColumnType::Binary(_)
            | ColumnType::Raw => Self::Bytes(BytesBuilder::default()),
            ColumnType::List(element) => Self::List(ListBuilder::new(element)),
            ColumnType::Struct(fields) => Self::Struct(StructBuilder::new(fields)),
        }
    }

    /// Puts a scalar at a row that has none yet; false, and nothing is put, if it does not come
    /// back the same.
    pub(crate) fn put(&mut self, codec: Codec, at: usize, value: &[u8]) -> bool {
        match (self, codec) {
            (Self::Double(values), Codec::Double) => fixed(value)
                .map(|bytes| values.put(at, f64::from_le_bytes(bytes)))
                .is_some(),
            (Self::Double(values), Codec::Int32AsDouble) => fixed(value)
                .map(|bytes| values.put(at, i32::from_le_bytes(bytes).into()))
                .is_some(),
            (Self::Double(values), Codec::Int64AsDouble) => {
                let double =
                    fixed(value).and_then(|bytes| int64_as_double(i64::from_le_bytes(bytes)));
                double.map(|double| values.put(at, double)).is_some()
            }
            (Self::Int64(values), Codec::Int32) => fixed(value)
                .map(|bytes| values.put(at, i32::from_le_bytes(bytes).into()))
                .is_some(),
            (Self::Int64(values), Codec::Int64) => fixed(value)
                .map(|bytes| values.put(at, i64::from_le_bytes(bytes)))
                .is_some(),
            (Self::Int64(values), Codec::Date) => {
                let date = fixed(value)
                    .map(i64::from_le_bytes)
                    .filter(|date| is_readable_date(*date));
                date.map(|date| values.put(at, date)).is_some()
            }
            (Self::Bool(values), Codec::Bool) => match value {
                [byte @ (0 | 1)] => {
                    values.put(at, *byte == 1);
                    true
                }
                _ => false,
            },
            (Self::Bytes(bytes), Codec::Bytes(codec)) => bytes.put(codec, at, value),
            _ => false,
        }
    }

    /// Rows that have a value or are known to be null.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Double(values) => values.values.len(),
            Self::Int64(values) => values.values.len(),
            Self::Bool(values) => values.values.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(list) => list.len(),
            Self::Struct(fields) => fields.len,
        }
    }

    /// Forgets the values from row `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        match self {
            Self::Double(values) => values.truncate(len),
            Self::Int64(values) => values.truncate(len),
            Self::Bool(values) => values.truncate(len),
            Self::Bytes(bytes) => bytes.truncate(len),
            Self::List(list) => list.truncate(len),
            Self::Struct(fields) => fields.truncate(len),
        }
    }

    /// The scalar columns in this one.
    fn leaves(&self) -> usize {
        match self {
            Self::List(list) => list.elements.leaves(),
            Self::Struct(fields) => fields.children.iter().map(Self::leaves).sum(),
            _ => 1,
        }
    }

    /// What the elements of lists take beyond their own values, in bytes: the columns of documents
    /// in lists grow with each element, be they null.
    fn list_bytes(&self) -> usize {
        match self {
            Self::List(list) if matches!(*list.elements, Self::List(_) | Self::Struct(_)) => {
                list.element_count() * list.width_bytes + list.elements.list_bytes()
            }
            Self::Struct(fields) => fields.list_bytes(),
            _ => 0,
        }
    }

    /// The values as an array of `rows`.
    pub(crate) fn into_array(
        self,
        rows: usize,
        column_type: &ColumnType,
    ) -> Result<Box<dyn Array>, String> {
        let array = match (self, column_type) {
            (Self::Double(values), _) => Ok(values.into_primitive(rows)),
            (Self::Int64(values), _) => Ok(values.into_primitive(rows)),
            (Self::Bool(mut values), _) => {
                let validity = values.pad(rows);
                let bits = Bitmap::from(values.values);
                BooleanArray::try_new(ArrowDataType::Boolean, bits, validity)
                    .map(BooleanArray::boxed)
            }
            (Self::Bytes(bytes), _) => return bytes.into_array(rows),
            (Self::List(mut list), ColumnType::List(element)) => {
                list.pad(rows);
                let validity = list.gaps.validity(rows);
                let elements = list.element_count();
                let values = list.elements.into_array(elements, element)?;
                OffsetsBuffer::try_from(list.ends_as_offsets).and_then(|offsets| {
                    let dtype = arrow_type(column_type, View::Encoder);
                    ListArray::try_new(dtype, offsets, values, validity).map(ListArray::boxed)
                })
            }
            (Self::Struct(mut fields), ColumnType::Struct(types)) => {
                fields.pad(rows);
                let validity = fields.gaps.validity(rows);
                let children = fields.children.into_iter().zip(types.list());
                let children = children
                    .map(|(child, column)| child.into_array(rows, &column.column_type))
                    .collect::<Result<_, _>>()?;
                let dtype = arrow_type(column_type, View::Encoder);
                StructArray::try_new(dtype, rows, children, validity).map(StructArray::boxed)
            }
            _ => return Err("a builder is not of its column's type".into()),
        };
        array.map_err(|error| error.to_string())
    }
}

fn fixed<const LEN: usize>(value: &[u8]) -> Option<[u8; LEN]> {
    value.try_into().ok()
}

/// The rows that are null.
#[derive(Debug, Default)]
struct Gaps(Vec<Range<usize>>);

impl Gaps {
    fn push(&mut self, rows: Range<usize>) {
        if rows.start < rows.end {
            self.0.push(rows);
        }
    }

    fn truncate(&mut self, len: usize) {
        while let Some(last) = self.0.last_mut() {
            if last.end <= len {
                break;
            }
            last.end = len;
            if last.start >= len {
                self.0.pop();
            }
        }
    }

    fn validity(&self, rows: usize) -> Option<Bitmap> {
        if self.0.is_empty() {
            return None;
        }
        let mut bits = MutableBitmap::with_capacity(rows);
        for gap in &self.0 {
            bits.extend_constant(gap.start - bits.len(), true);
            bits.extend_constant(gap.len(), false);
        }
        bits.extend_constant(rows - bits.len(), true);
        Some(bits.freeze())
    }
}

/// Values of one width.
#[derive(Debug, Default)]
pub(crate) struct Values<T> {
    values: Vec<T>,
    gaps: Gaps,
}

impl<T: Copy + Default> Values<T> {
    pub(crate) fn put(&mut self, at: usize, value: T) {
        if self.values.len() != at {
            self.skip_to(at);
        }
        self.values.push(value);
    }

    /// To append many at once from row `at` on.
    pub(crate) fn starting_at(&mut self, at: usize) -> &mut Vec<T> {
        self.skip_to(at);
        &mut self.values
    }

    fn skip_to(&mut self, at: usize) {
        self.gaps.push(self.values.len()..at);
        self.values.resize(at, T::default());
    }

    fn truncate(&mut self, len: usize) {
        if self.values.len() > len {
            self.values.truncate(len);
            self.gaps.truncate(len);
        }
    }

    fn pad(&mut self, rows: usize) -> Option<Bitmap> {
        self.skip_to(rows);
        self.gaps.validity(rows)
    }
}

impl<T: NativeType> Values<T> {
    pub(crate) fn into_primitive(mut self, rows: usize) -> Box<dyn Array> {
        let validity = self.pad(rows);
        PrimitiveArray::from_vec(self.values)
            .with_validity(validity)
            .boxed()
    }
}

/// Values of text or bytes.
#[derive(Debug, Default)]
pub(crate) struct BytesBuilder {
    bytes: Vec<u8>,
    ends: Vec<i64>,
    gaps: Gaps,
}

impl BytesBuilder {
    pub(crate) fn put(&mut self, codec: BytesCodec, at: usize, value: &[u8]) -> bool {
        let start = self.bytes.len();
        if !codec.encode(value, &mut self.bytes) {
            self.bytes.truncate(start);
            return false;
        }
        self.skip_to(at, start);
        self.ends.push(offset(self.bytes.len()));
        true
    }

    pub(crate) fn put_bytes(&mut self, at: usize, value: &[u8]) {
        self.skip_to(at, self.bytes.len());
        self.bytes.extend_from_slice(value);
        self.ends.push(offset(self.bytes.len()));
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn skip_to(&mut self, at: usize, end: usize) {
        if self.ends.len() != at {
            self.gaps.push(self.ends.len()..at);
            self.ends.resize(at, offset(end));
        }
    }

    fn truncate(&mut self, len: usize) {
        if self.ends.len() > len {
            self.ends.truncate(len);
            self.gaps.truncate(len);
            self.bytes
                .truncate(position(self.ends.last().copied().unwrap_or(0)));
        }
    }

    pub(crate) fn into_array(mut self, rows: usize) -> Result<Box<dyn Array>, String> {
        self.skip_to(rows, self.bytes.len());
        let validity = self.gaps.validity(rows);
        self.ends.insert(0, 0);
        let offsets = OffsetsBuffer::<i64>::try_from(self.ends).map_err(|e| e.to_string())?;
        BinaryArray::try_new(
            ArrowDataType::LargeBinary,
            offsets,
            self.bytes.into(),
            validity,
        )
        .map(BinaryArray::boxed)
        .map_err(|error| error.to_string())
    }
}

/// Lists; their elements stand one after another in a builder of their own.
#[derive(Debug)]
pub(crate) struct ListBuilder {
    elements: Box<Builder>,
    /// Of one element, if all its columns are null.
    width_bytes: usize,
    /// Starts with 0, so one more than there are lists.
    ends_as_offsets: Vec<i64>,
    gaps: Gaps,
}

impl ListBuilder {
    fn new(element: &ColumnType) -> Self {
        let elements = Box::new(Builder::new(element));
        let width_bytes = elements.leaves() * size_of::<u64>();
        Self {
            elements,
            width_bytes,
            ends_as_offsets: vec![0],
            gaps: Gaps::default(),
        }
    }

    /// The elements so far, and how many the finished lists have: where the next list begins.
    pub(crate) fn elements(&mut self) -> (&mut Builder, usize) {
        let count = self.element_count();
        (&mut self.elements, count)
    }

    /// Finishes the list at row `at`, which ends before element `end`.
    pub(crate) fn close(&mut self, at: usize, end: usize) {
        self.pad(at);
        self.ends_as_offsets.push(offset(end));
    }

    fn element_count(&self) -> usize {
        position(self.ends_as_offsets.last().copied().unwrap_or(0))
    }

    fn len(&self) -> usize {
        self.ends_as_offsets.len() - 1
    }

    fn pad(&mut self, rows: usize) {
        if self.len() != rows {
            self.gaps.push(self.len()..rows);
            self.ends_as_offsets
                .resize(rows + 1, offset(self.element_count()));
        }
    }

    /// Cuts elements of an unfinished list as well.
    fn truncate(&mut self, len: usize) {
        if self.len() > len {
            self.ends_as_offsets.truncate(len + 1);
            self.gaps.truncate(len);
        }
        self.elements.truncate(self.element_count());
    }
}

/// Documents: the top level, or a struct column.
#[derive(Debug)]
pub(crate) struct StructBuilder {
    children: Vec<Builder>,
    len: usize,
    gaps: Gaps,
}

impl StructBuilder {
    pub(crate) fn new(fields: &Fields) -> Self {
        let children = fields
            .list()
            .iter()
            .map(|column| Builder::new(&column.column_type));
        Self {
            children: children.collect(),
            len: 0,
            gaps: Gaps::default(),
        }
    }

    /// Makes row `at` a document, of which no field has a value yet.
    pub(crate) fn open(&mut self, at: usize) {
        self.pad(at);
        self.len = at + 1;
    }

    pub(crate) fn child(&mut self, position: usize) -> Option<&mut Builder> {
        self.children.get_mut(position)
    }

    pub(crate) fn has_wide_lists(&self) -> bool {
        self.children.iter().any(|child| match child {
            Builder::List(list) => matches!(*list.elements, Builder::List(_) | Builder::Struct(_)),
            Builder::Struct(fields) => fields.has_wide_lists(),
            _ => false,
        })
    }

    pub(crate) fn list_bytes(&self) -> usize {
        self.children.iter().map(Builder::list_bytes).sum()
    }

    pub(crate) fn into_children(self) -> Vec<Builder> {
        self.children
    }

    fn pad(&mut self, rows: usize) {
        self.gaps.push(self.len..rows);
        self.len = rows;
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        if self.len > len {
            self.len = len;
            self.gaps.truncate(len);
        }
        for child in &mut self.children {
            child.truncate(len);
        }
    }
}

/// An offset as Arrow has it; memory cannot hold more than fits.
fn offset(position: usize) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

fn position(offset: i64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
