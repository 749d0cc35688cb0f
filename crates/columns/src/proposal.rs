//! Proposing columns from a sample of documents.
//!
//! Each field gets the type that most of its values have, the first one seen if two are equal. A
//! field without values, or whose name some reader would take for another's, gets no column: the
//! shape alone describes it, or its rows are residual.

use std::collections::{HashMap, HashSet};

use crate::{
    codec::int64_as_double,
    columns::{
        Column, ColumnType, Columns, Fields, MAX_COLUMNS, MAX_NAME_BYTES, MAX_NESTING,
        MAX_PATH_BYTES, fold, is_own_name,
    },
    raw::{BsonType, Element, Elements, MalformedBson},
};

/// Gathers what is needed to choose the columns of a split.
#[derive(Debug)]
pub struct ColumnsProposal {
    root: FieldStats,
    /// Fields that may still be taken note of: no sample of documents whose names are data may
    /// fill the memory.
    room: usize,
}

impl Default for ColumnsProposal {
    fn default() -> Self {
        Self {
            root: FieldStats::default(),
            room: 4 * MAX_COLUMNS,
        }
    }
}

impl ColumnsProposal {
    /// Starts with no documents.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of a sample document.
    ///
    /// # Errors
    /// The bytes are not a BSON document.
    pub fn observe(&mut self, document: &[u8]) -> Result<(), MalformedBson> {
        self.root.observe(document, 0, &mut self.room).map(drop)
    }

    /// The columns of all that was observed; none without documents.
    pub fn finish(self) -> Columns {
        let mut limits = Limits {
            columns: MAX_COLUMNS,
            path_bytes: MAX_PATH_BYTES,
        };
        let fields = self.root.columns(0, &mut limits, true);
        // What the checks would refuse has been left out above.
        Columns::new(fields).unwrap_or_default()
    }
}

/// What the columns still to come may take.
struct Limits {
    columns: usize,
    path_bytes: usize,
}

/// The fields of a document, in the order in which they were first seen.
#[derive(Debug, Default)]
struct FieldStats {
    list: Vec<(String, ValueStats)>,
    positions: HashMap<String, usize>,
}

impl FieldStats {
    /// Whether the document holds any value.
    fn observe(
        &mut self,
        document: &[u8],
        depth: usize,
        room: &mut usize,
    ) -> Result<bool, MalformedBson> {
        let mut has_value = false;
        for element in Elements::of(document)? {
            let element = element?;
            let Ok(name) = std::str::from_utf8(element.name) else {
                continue;
            };
            let position = match self.positions.get(name) {
                Some(position) => *position,
                None if *room == 0 => continue,
                None => {
                    *room -= 1;
                    self.list.push((name.to_owned(), ValueStats::default()));
                    self.positions.insert(name.to_owned(), self.list.len() - 1);
                    self.list.len() - 1
                }
            };
            has_value |= self.list[position].1.observe(element, depth + 1, room)?;
        }
        Ok(has_value)
    }

    fn columns(self, prefix: usize, limits: &mut Limits, is_root: bool) -> Fields {
        let mut folded = HashSet::new();
        let mut list = Vec::new();
        for (name, stats) in self.list {
            let is_taken = folded.contains(&fold(&name)) || is_root && is_own_name(&name);
            if is_taken || name.len() > MAX_NAME_BYTES {
                continue;
            }
            let path = prefix + name.len() + 1;
            if let Some(column_type) = stats.column_type(path, limits) {
                folded.insert(fold(&name));
                list.push(Column { name, column_type });
            }
        }
        Fields::new(list).unwrap_or_default()
    }
}

/// The values of one field, or the elements of its arrays.
#[derive(Debug, Default)]
struct ValueStats {
    /// How often each kind was seen, in the order in which they were first seen.
    kinds: Vec<(Kind, u64)>,
    /// Whether some 64-bit integer is not exactly a double.
    has_inexact_integer: bool,
    fields: FieldStats,
    elements: Option<Box<ValueStats>>,
}

/// The kinds of value that exclude each other in a column, but for the two kinds of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Double,
    Integer,
    Bool,
    String,
    Date,
    ObjectId,
    Decimal128,
    Binary(u8),
    Raw,
    Document,
    Array,
}

impl Kind {
    /// None for what has no value.
    fn of(element: &Element<'_>) -> Option<Self> {
        Some(match element.bson_type {
            BsonType::Double => Self::Double,
            BsonType::Int32 | BsonType::Int64 => Self::Integer,
            BsonType::Bool => Self::Bool,
            BsonType::String => Self::String,
            BsonType::Date => Self::Date,
            BsonType::ObjectId => Self::ObjectId,
            BsonType::Decimal128 => Self::Decimal128,
            BsonType::Binary => Self::Binary(element.value[4]),
            BsonType::Document => Self::Document,
            BsonType::Array => Self::Array,
            BsonType::Regex
            | BsonType::DbPointer
            | BsonType::Code
            | BsonType::Symbol
            | BsonType::CodeWithScope
            | BsonType::Timestamp => Self::Raw,
            BsonType::Undefined | BsonType::Null | BsonType::MinKey | BsonType::MaxKey => {
                return None;
            }
        })
    }
}

impl ValueStats {
    /// Whether there is a value: an array or a document has one if something in it does.
    fn observe(
        &mut self,
        element: Element<'_>,
        depth: usize,
        room: &mut usize,
    ) -> Result<bool, MalformedBson> {
        let Some(kind) = Kind::of(&element) else {
            return Ok(false);
        };
        let has_value = match kind {
            Kind::Document | Kind::Array if depth >= MAX_NESTING => false,
            Kind::Document => self.fields.observe(element.value, depth, room)?,
            Kind::Array => {
                is_uniform(element.value)? && {
                    let elements = self.elements.get_or_insert_default();
                    let mut has_value = false;
                    for item in Elements::of(element.value)? {
                        has_value |= elements.observe(item?, depth + 1, room)?;
                    }
                    has_value
                }
            }
            _ => true,
        };
        if element.bson_type == BsonType::Int64 {
            let value = element
                .value
                .try_into()
                .map(i64::from_le_bytes)
                .unwrap_or_default();
            self.has_inexact_integer |= int64_as_double(value).is_none();
        }
        if has_value {
            match self.kinds.iter_mut().find(|(seen, _)| *seen == kind) {
                Some((_, count)) => *count += 1,
                None => self.kinds.push((kind, 1)),
            }
        }
        Ok(has_value)
    }

    fn column_type(mut self, path: usize, limits: &mut Limits) -> Option<ColumnType> {
        let count = |kind| {
            self.kinds
                .iter()
                .find(|(seen, _)| *seen == kind)
                .map_or(0, |k| k.1)
        };
        let (doubles, integers) = (count(Kind::Double), count(Kind::Integer));
        if doubles > 0 && integers > 0 && !self.has_inexact_integer {
            self.kinds.retain(|(kind, _)| *kind != Kind::Integer);
            self.kinds
                .iter_mut()
                .filter(|(kind, _)| *kind == Kind::Double)
                .for_each(|(_, count)| {
                    *count += integers;
                });
        }
        let first_of_most = |most: (Kind, u64), next: (Kind, u64)| {
            if next.1 > most.1 { next } else { most }
        };
        let (kind, _) = self.kinds.into_iter().reduce(first_of_most)?;
        let leaf = match kind {
            Kind::Document => {
                let fields = self.fields.columns(path, limits, false);
                return (!fields.list().is_empty()).then_some(ColumnType::Struct(fields));
            }
            Kind::Array => {
                let path = path + "list.element.".len();
                let element = self.elements?.column_type(path, limits)?;
                return Some(ColumnType::List(Box::new(element)));
            }
            Kind::Double => ColumnType::Double,
            Kind::Integer => ColumnType::Int64,
            Kind::Bool => ColumnType::Bool,
            Kind::String => ColumnType::String,
            Kind::Date => ColumnType::Date,
            Kind::ObjectId => ColumnType::ObjectId,
            Kind::Decimal128 => ColumnType::Decimal128,
            Kind::Binary(subtype) => ColumnType::Binary(subtype),
            Kind::Raw => ColumnType::Raw,
        };
        limits.columns = limits.columns.checked_sub(1)?;
        limits.path_bytes = limits.path_bytes.checked_sub(path)?;
        Some(leaf)
    }
}

/// Whether the elements that have values are all of one kind, numbers being one.
fn is_uniform(array: &[u8]) -> Result<bool, MalformedBson> {
    let mut first = None;
    for element in Elements::of(array)? {
        let kind = match Kind::of(&element?) {
            None => continue,
            Some(Kind::Integer) => Kind::Double,
            Some(kind) => kind,
        };
        if *first.get_or_insert(kind) != kind {
            return Ok(false);
        }
    }
    Ok(true)
}
