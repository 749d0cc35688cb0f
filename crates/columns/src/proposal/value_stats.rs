//! The values of one field, or the elements of its arrays, and the type of their column.

use super::{
    Chooser,
    field_stats::FieldStats,
    number_stats::{DecimalStats, NumberStats},
};
use crate::{
    columns::{ColumnType, Gap, MAX_NESTING},
    path,
    raw::{BsonType, Element, Elements, MalformedBson},
};

/// What was observed of a field.
#[derive(Debug, Default)]
pub(super) struct ValueStats {
    /// Documents that have the field, and those of an even sample.
    seen: u64,
    pub(super) even: u64,
    nulls: u64,
    empty_arrays: u64,
    empty_documents: u64,
    /// How often each kind was seen, in the order in which they were first seen.
    kinds: Vec<(Kind, u64)>,
    numbers: NumberStats,
    decimals: DecimalStats,
    fields: FieldStats,
    elements: Option<Box<ValueStats>>,
}

/// The kinds of value that exclude each other in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Bool,
    String,
    Date,
    ObjectId,
    Decimal,
    Binary(u8),
    Raw(BsonType),
    Document,
    Array,
}

impl Kind {
    /// None for what has no value.
    fn of(element: &Element<'_>) -> Option<Self> {
        Some(match element.bson_type {
            BsonType::Double | BsonType::Int32 | BsonType::Int64 => Self::Number,
            BsonType::Bool => Self::Bool,
            BsonType::String => Self::String,
            BsonType::Date => Self::Date,
            BsonType::ObjectId => Self::ObjectId,
            BsonType::Decimal128 => Self::Decimal,
            BsonType::Binary => Self::Binary(element.value[4]),
            BsonType::Document => Self::Document,
            BsonType::Array => Self::Array,
            raw if raw.is_raw() => Self::Raw(raw),
            _ => return None,
        })
    }

    /// Whether both can stand in one column.
    fn is_alike(self, other: Self) -> bool {
        self == other || matches!((self, other), (Self::Raw(_), Self::Raw(_)))
    }
}

impl ValueStats {
    pub(super) fn observe(
        &mut self,
        element: Element<'_>,
        depth: usize,
        is_even: bool,
        room: &mut usize,
    ) -> Result<(), MalformedBson> {
        self.seen += 1;
        self.even += u64::from(is_even);
        let is_empty = element.value == b"\x05\0\0\0\0";
        let Some(kind) = Kind::of(&element) else {
            self.nulls += 1;
            return Ok(());
        };
        match kind {
            Kind::Document if is_empty => self.empty_documents += 1,
            Kind::Array if is_empty => self.empty_arrays += 1,
            Kind::Document | Kind::Array if depth >= MAX_NESTING => return Ok(()),
            Kind::Document => self.fields.observe(element.value, depth, is_even, room)?,
            Kind::Array => {
                let elements = self.elements.get_or_insert_default();
                for item in Elements::of(element.value)? {
                    elements.observe(item?, depth + 1, is_even, room)?;
                }
            }
            Kind::Number => self.numbers.observe(&element),
            Kind::Decimal => self.decimals.observe(element.value),
            _ => {}
        }
        let is_container = matches!(kind, Kind::Document | Kind::Array);
        if !(is_container && is_empty) {
            self.count(kind, 1);
        }
        Ok(())
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    fn count(&mut self, kind: Kind, count: u64) {
        match self.kinds.iter_mut().find(|(seen, _)| *seen == kind) {
            Some((_, sum)) => *sum += count,
            None => self.kinds.push((kind, count)),
        }
    }

    /// Adds what was observed of another field.
    pub(super) fn add(&mut self, other: Self) {
        self.seen += other.seen;
        self.even += other.even;
        self.nulls += other.nulls;
        self.empty_arrays += other.empty_arrays;
        self.empty_documents += other.empty_documents;
        for (kind, count) in other.kinds {
            self.count(kind, count);
        }
        self.numbers.add(&other.numbers);
        self.decimals.add(&other.decimals);
        self.fields.add_all(other.fields);
        if let Some(elements) = other.elements {
            self.elements.get_or_insert_default().add(*elements);
        }
    }

    /// What it means that there is no value, in most of so many documents.
    pub(super) fn gap(&self, documents: u64) -> Gap {
        let absent = documents.saturating_sub(self.seen);
        let candidates = [
            (Gap::Absent, absent),
            (Gap::Null, self.nulls),
            (Gap::Array, self.empty_arrays),
            (Gap::Document, self.empty_documents),
        ];
        let is_typed = !self.kinds.is_empty();
        let candidates = &candidates[..if is_typed { 2 } else { 4 }];
        let most = candidates.iter().map(|(_, count)| *count).max();
        let first_of_most = candidates.iter().find(|(_, count)| Some(*count) == most);
        first_of_most.map_or(Gap::Null, |(gap, _)| *gap)
    }
}

impl Chooser {
    /// The type of a column for these values; none if there is no room for it. `prefix` counts the
    /// bytes of the path in the file.
    pub(super) fn column_type(
        &mut self,
        stats: ValueStats,
        path: &str,
        prefix: usize,
    ) -> Option<ColumnType> {
        let count_of = |kind: &(Kind, u64)| match kind.0 {
            Kind::Number => stats.numbers.count(),
            kind => {
                let alike = stats
                    .kinds
                    .iter()
                    .filter(|(other, _)| kind.is_alike(*other));
                alike.map(|(_, count)| count).sum()
            }
        };
        let most = stats.kinds.iter().map(count_of).max();
        let chosen = stats.kinds.iter().find(|kind| Some(count_of(kind)) == most);
        let Some((kind, _)) = chosen.copied() else {
            self.leaf(prefix)?;
            return Some(ColumnType::Null);
        };
        let leaf = match kind {
            Kind::Document => return self.document(stats.fields, path, prefix),
            Kind::Array => {
                let (path, prefix) = (path::of_elements(path), prefix + "list.element.".len());
                let element = self.column_type(*stats.elements?, &path, prefix)?;
                return Some(ColumnType::List(Box::new(element)));
            }
            Kind::Number => stats.numbers.column_type(),
            Kind::Decimal => stats.decimals.column_type(),
            Kind::Bool => ColumnType::Bool,
            Kind::String => ColumnType::String,
            Kind::Date => ColumnType::Date,
            Kind::ObjectId => ColumnType::ObjectId,
            Kind::Binary(subtype) => ColumnType::Binary(subtype),
            Kind::Raw(_) => ColumnType::Raw(stats.most_frequent_raw()?),
        };
        self.leaf(prefix)?;
        Some(leaf)
    }
}

impl ValueStats {
    fn most_frequent_raw(&self) -> Option<BsonType> {
        let mut most = None;
        for (kind, count) in &self.kinds {
            if let Kind::Raw(bson_type) = kind
                && most.is_none_or(|(_, most)| *count > most)
            {
                most = Some((*bson_type, *count));
            }
        }
        most.map(|(bson_type, _)| bson_type)
    }
}
