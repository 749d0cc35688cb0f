//! Builders of scalar columns, and which of their rows are null.

use std::ops::Range;

use polars_arrow::{
    array::{Array, BinaryArray, BooleanArray, PrimitiveArray},
    bitmap::{Bitmap, MutableBitmap},
    datatypes::ArrowDataType,
    offset::OffsetsBuffer,
    types::NativeType,
};

use crate::codec::BytesCodec;

/// The rows that are null.
#[derive(Debug, Default)]
pub(super) struct Gaps(Vec<Range<usize>>);

impl Gaps {
    pub(super) fn push(&mut self, rows: Range<usize>) {
        if rows.start < rows.end {
            self.0.push(rows);
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
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

    pub(super) fn validity(&self, rows: usize) -> Option<Bitmap> {
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

/// Fixed-width values.
#[derive(Debug, Default)]
pub(crate) struct Values<T> {
    values: Vec<T>,
    gaps: Gaps,
}

impl<T: Copy + Default> Values<T> {
    pub(super) fn successor(&self) -> Self {
        Self {
            values: Vec::with_capacity(room(self.values.len())),
            gaps: Gaps::default(),
        }
    }

    pub(crate) fn put(&mut self, at: usize, value: T) {
        if self.values.len() != at {
            self.skip_to(at);
        }
        self.values.push(value);
    }

    /// The vector to append many values to at once, from row `at` on.
    pub(crate) fn starting_at(&mut self, at: usize) -> &mut Vec<T> {
        self.skip_to(at);
        &mut self.values
    }

    pub(crate) fn values(&self) -> &[T] {
        &self.values
    }

    fn skip_to(&mut self, at: usize) {
        self.gaps.push(self.values.len()..at);
        self.values.resize(at, T::default());
    }

    pub(super) fn truncate(&mut self, len: usize) {
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
    pub(super) fn into_array(mut self, rows: usize) -> PrimitiveArray<T> {
        let validity = self.pad(rows);
        PrimitiveArray::from_vec(self.values).with_validity(validity)
    }
}

impl Values<bool> {
    pub(super) fn into_bits(mut self, rows: usize) -> Result<Box<dyn Array>, String> {
        let validity = self.pad(rows);
        BooleanArray::try_new(ArrowDataType::Boolean, self.values.into(), validity)
            .map(BooleanArray::boxed)
            .map_err(|error| error.to_string())
    }
}

/// Text or binary values.
#[derive(Debug, Default)]
pub(crate) struct BytesBuilder {
    bytes: Vec<u8>,
    ends: Vec<i64>,
    gaps: Gaps,
}

impl BytesBuilder {
    /// An empty one with room for about as many values.
    pub(crate) fn successor(&self) -> Self {
        Self {
            bytes: Vec::with_capacity(room(self.bytes.len())),
            ends: Vec::with_capacity(room(self.ends.len())),
            gaps: Gaps::default(),
        }
    }

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

    /// Puts a BSON document made of these elements.
    pub(crate) fn put_document(&mut self, at: usize, elements: &[u8]) {
        let len = i32::try_from(elements.len() + 5).unwrap_or(i32::MAX);
        self.skip_to(at, self.bytes.len());
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(elements);
        self.bytes.push(0);
        self.ends.push(offset(self.bytes.len()));
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The values so far; empty for null rows.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let value = &self.bytes[start..position(*end)];
            start = position(*end);
            value
        })
    }

    fn skip_to(&mut self, at: usize, end: usize) {
        if self.ends.len() != at {
            self.gaps.push(self.ends.len()..at);
            self.ends.resize(at, offset(end));
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
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

/// Room for as many as there were last time, and a few more.
pub(super) fn room(len: usize) -> usize {
    len + len / 16
}

/// An offset as Arrow stores it; a position in memory always fits.
pub(super) fn offset(position: usize) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

pub(super) fn position(offset: i64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
