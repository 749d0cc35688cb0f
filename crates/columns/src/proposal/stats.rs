//! What the sampled documents contained: their fields, and the values of each.

use std::collections::HashMap;

use super::decimal_scale::DecimalStats;
use super::number_stats::NumberStats;
use crate::{
    columns::Gap,
    limits::MAX_NESTING,
    raw::{BsonType, Element, Elements, MalformedBson},
};

/// The fields of documents, in the order they come in.
#[derive(Debug, Default)]
pub(super) struct FieldStats {
    pub(super) list: Vec<(String, ValueStats)>,
    positions: HashMap<String, usize>,
    /// Positions in the list: a new name goes before the known name that follows it.
    order: Vec<usize>,
    /// Whether there were more names than could be recorded.
    pub(super) has_more: bool,
    /// All documents, then those of an even sample and the number of their names.
    pub(super) documents: u64,
    pub(super) even_documents: u64,
    pub(super) even_names: u64,
}

impl FieldStats {
    pub(super) fn observe(
        &mut self,
        document: &[u8],
        depth: usize,
        is_even: bool,
        room: &mut usize,
    ) -> Result<(), MalformedBson> {
        self.documents += 1;
        self.even_documents += u64::from(is_even);
        let mut new = Vec::new();
        for element in Elements::of(document)? {
            let element = element?;
            let Ok(name) = std::str::from_utf8(element.name) else {
                continue;
            };
            self.even_names += u64::from(is_even);
            let known = self.positions.get(name).copied();
            if known.is_none() && *room == 0 {
                self.has_more = true;
                continue;
            }
            let position = known.unwrap_or_else(|| {
                *room -= 1;
                self.add(name)
            });
            self.list[position]
                .1
                .observe(element, depth + 1, is_even, room)?;
            self.arrange(&mut new, position, known.is_some());
        }
        self.order.append(&mut new);
        Ok(())
    }

    fn add(&mut self, name: &str) -> usize {
        let position = self.list.len();
        self.list.push((name.to_owned(), ValueStats::default()));
        self.positions.insert(name.to_owned(), position);
        position
    }

    /// Inserts the waiting new names before a known one; a new name starts waiting.
    fn arrange(&mut self, new: &mut Vec<usize>, position: usize, is_known: bool) {
        if !is_known {
            new.push(position);
        } else if !new.is_empty() && !new.contains(&position) {
            let place = self.order.iter().position(|other| *other == position);
            let place = place.unwrap_or(self.order.len());
            self.order.splice(place..place, new.drain(..));
        }
    }

    /// Adds what was observed of other documents in the same place.
    pub(super) fn add_all(&mut self, other: Self) {
        self.documents += other.documents;
        self.even_documents += other.even_documents;
        self.even_names += other.even_names;
        self.has_more |= other.has_more;
        let mut new = Vec::new();
        for (name, stats) in other.in_order() {
            let known = self.positions.get(&name).copied();
            let position = known.unwrap_or_else(|| self.add(&name));
            self.list[position].1.add(stats);
            self.arrange(&mut new, position, known.is_some());
        }
        self.order.append(&mut new);
    }

    /// Splits the fields by whether their values are chosen.
    pub(super) fn partition(self, is_chosen: impl Fn(&ValueStats) -> bool) -> (Self, Self) {
        let of_same_documents = || Self {
            documents: self.documents,
            even_documents: self.even_documents,
            ..Self::default()
        };
        let (mut chosen, mut others) = (of_same_documents(), of_same_documents());
        for (name, values) in self.in_order() {
            let fields = if is_chosen(&values) {
                &mut chosen
            } else {
                &mut others
            };
            let position = fields.add(&name);
            fields.order.push(position);
            fields.list[position].1 = values;
        }
        (chosen, others)
    }

    /// The values of all fields combined.
    pub(super) fn into_values(self) -> ValueStats {
        let mut all = ValueStats::default();
        for (_, stats) in self.list {
            all.add(stats);
        }
        all
    }

    pub(super) fn in_order(self) -> impl Iterator<Item = (String, ValueStats)> {
        let mut list: Vec<_> = self.list.into_iter().map(Some).collect();
        let order = self.order.into_iter();
        order.filter_map(move |position| list[position].take())
    }
}

/// What was observed of a field.
#[derive(Debug, Default)]
pub(super) struct ValueStats {
    /// Documents that have the field, and how many of them are from an even sample.
    seen: u64,
    pub(super) even: u64,
    nulls: u64,
    empty_arrays: u64,
    empty_documents: u64,
    /// How often each kind was seen, ordered by when it was first seen.
    pub(super) kinds: Vec<(Kind, u64)>,
    pub(super) numbers: NumberStats,
    pub(super) decimals: DecimalStats,
    pub(super) fields: FieldStats,
    pub(super) elements: Option<Box<ValueStats>>,
}

/// The kinds of values that exclude each other in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
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
    /// `None` for types that have no value.
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

    /// Whether both fit in the same column.
    pub(super) fn is_alike(self, other: Self) -> bool {
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

    /// What a missing value means in most of the `documents`.
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

    pub(super) fn most_frequent_raw(&self) -> Option<BsonType> {
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
