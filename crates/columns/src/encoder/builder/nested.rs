//! Builders of lists, maps and documents, whose values are in builders of their own.

use polars_arrow::{
    array::{Array, ListArray, StructArray},
    offset::OffsetsBuffer,
};

use super::{
    Builder, BytesBuilder,
    scalar::{Gaps, offset, position, room},
};
use crate::{
    columns::{ColumnType, Fields},
    schema::{View, arrow_type, map_entry_type},
};

/// Lists; their elements follow one another in a builder of their own.
#[derive(Debug)]
pub(crate) struct ListBuilder {
    elements: Box<Builder>,
    /// The width of one element whose columns are all null.
    width_bytes: usize,
    /// Starts with 0, so there is one more entry than there are lists.
    ends_as_offsets: Vec<i64>,
    gaps: Gaps,
}

impl ListBuilder {
    pub(super) fn new(element: &ColumnType) -> Self {
        let elements = Box::new(Builder::new(element));
        let width_bytes = elements.leaves() * size_of::<u64>();
        Self {
            elements,
            width_bytes,
            ends_as_offsets: vec![0],
            gaps: Gaps::default(),
        }
    }

    pub(super) fn successor(&self) -> Self {
        let mut ends_as_offsets = Vec::with_capacity(room(self.ends_as_offsets.len()));
        ends_as_offsets.push(0);
        Self {
            elements: Box::new(self.elements.successor()),
            width_bytes: self.width_bytes,
            ends_as_offsets,
            gaps: Gaps::default(),
        }
    }

    /// The elements builder, and how many elements the finished lists have: the next list starts
    /// there.
    pub(crate) fn elements(&mut self) -> (&mut Builder, usize) {
        let count = self.element_count();
        (&mut self.elements, count)
    }

    /// Finishes the list at row `at`, which ends before element `end`.
    pub(crate) fn close(&mut self, at: usize, end: usize) {
        self.pad(at);
        self.ends_as_offsets.push(offset(end));
    }

    pub(super) fn leaves(&self) -> usize {
        self.elements.leaves()
    }

    fn is_wide(&self) -> bool {
        let elements = &*self.elements;
        matches!(
            elements,
            Builder::List(_) | Builder::Map(_) | Builder::Struct(_)
        )
    }

    pub(super) fn list_bytes(&self) -> usize {
        if self.is_wide() {
            self.element_count() * self.width_bytes + self.elements.list_bytes()
        } else {
            0
        }
    }

    pub(super) fn into_array(
        mut self,
        rows: usize,
        column_type: &ColumnType,
        element: &ColumnType,
    ) -> Result<Box<dyn Array>, String> {
        let elements = self.element_count();
        let values = std::mem::replace(&mut self.elements, Box::new(Builder::Null));
        let values = values.into_array(elements, element)?;
        self.array_of(rows, column_type, values)
    }

    /// The lists as an array of `rows` rows over `values`.
    fn array_of(
        mut self,
        rows: usize,
        column_type: &ColumnType,
        values: Box<dyn Array>,
    ) -> Result<Box<dyn Array>, String> {
        self.pad(rows);
        let validity = self.gaps.validity(rows);
        let dtype = arrow_type(column_type, View::Encoder);
        OffsetsBuffer::try_from(self.ends_as_offsets)
            .and_then(|offsets| ListArray::<i64>::try_new(dtype, offsets, values, validity))
            .map(ListArray::boxed)
            .map_err(|error| error.to_string())
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

    /// Also drops the elements of an unfinished list.
    pub(super) fn truncate(&mut self, len: usize) {
        if self.len() > len {
            self.ends_as_offsets.truncate(len + 1);
            self.gaps.truncate(len);
        }
        self.elements.truncate(self.element_count());
    }
}

/// Maps: lists of values, with one key per value.
#[derive(Debug)]
pub(crate) struct MapBuilder {
    keys: BytesBuilder,
    values: ListBuilder,
}

impl MapBuilder {
    pub(super) fn new(value: &ColumnType) -> Self {
        Self {
            keys: BytesBuilder::default(),
            values: ListBuilder::new(value),
        }
    }

    pub(super) fn successor(&self) -> Self {
        Self {
            keys: self.keys.successor(),
            values: self.values.successor(),
        }
    }

    /// Appends the key of an entry to the map under construction and returns where its value goes.
    pub(crate) fn put_key(&mut self, key: &[u8]) -> (&mut Builder, usize) {
        let at = self.keys.len();
        self.keys.put_bytes(at, key);
        (&mut self.values.elements, at)
    }

    /// Finishes the map at row `at`.
    pub(crate) fn close(&mut self, at: usize) {
        self.values.close(at, self.keys.len());
    }

    pub(super) fn leaves(&self) -> usize {
        1 + self.values.leaves()
    }

    pub(super) fn list_bytes(&self) -> usize {
        self.values.list_bytes()
    }

    fn is_wide(&self) -> bool {
        self.values.is_wide()
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.values.truncate(len);
        self.keys.truncate(self.values.element_count());
    }

    pub(super) fn into_array(
        mut self,
        rows: usize,
        column_type: &ColumnType,
        value: &ColumnType,
    ) -> Result<Box<dyn Array>, String> {
        let entries = self.values.element_count();
        let values = std::mem::replace(&mut self.values.elements, Box::new(Builder::Null));
        let arrays = vec![
            self.keys.into_array(entries)?,
            values.into_array(entries, value)?,
        ];
        let dtype = map_entry_type(value, View::Encoder);
        let entries = StructArray::try_new(dtype, entries, arrays, None);
        let entries = entries.map_err(|error| error.to_string())?;
        self.values.array_of(rows, column_type, entries.boxed())
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

    /// An empty one with room for about as many values.
    pub(crate) fn successor(&self) -> Self {
        Self {
            children: self.children.iter().map(Builder::successor).collect(),
            len: 0,
            gaps: Gaps::default(),
        }
    }

    /// Makes row `at` a document whose fields have no values yet.
    pub(crate) fn open(&mut self, at: usize) {
        self.pad(at);
        self.len = at + 1;
    }

    /// The builder of the field at this position.
    pub(crate) fn child(&mut self, position: usize) -> &mut Builder {
        &mut self.children[position]
    }

    pub(crate) fn has_wide_lists(&self) -> bool {
        self.children.iter().any(|child| match child {
            Builder::List(list) => list.is_wide(),
            Builder::Map(map) => map.is_wide(),
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

    pub(super) fn leaves(&self) -> usize {
        self.children.iter().map(Builder::leaves).sum()
    }

    pub(super) fn into_array(
        mut self,
        rows: usize,
        column_type: &ColumnType,
        types: &Fields,
    ) -> Result<Box<dyn Array>, String> {
        self.pad(rows);
        let validity = self.gaps.validity(rows);
        let children = self.children.into_iter().zip(types.list());
        let mut arrays = children
            .filter(|(_, column)| column.column_type != ColumnType::Null)
            .map(|(child, column)| child.into_array(rows, &column.column_type))
            .collect::<Result<Vec<_>, _>>()?;
        if arrays.is_empty() {
            arrays.push(Builder::Null.into_array(rows, &ColumnType::Null)?);
        }
        let dtype = arrow_type(column_type, View::Encoder);
        StructArray::try_new(dtype, rows, arrays, validity)
            .map(StructArray::boxed)
            .map_err(|error| error.to_string())
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
