//! The fields of sampled documents, and which of them get a column.

use std::collections::{HashMap, HashSet};

use super::{Chooser, value_stats::ValueStats};
use crate::{
    columns::{Column, ColumnType, Fields, Gap, MAX_NAME_BYTES, REST_COLUMN, fold, is_own_name},
    path,
    raw::{Elements, MalformedBson},
};

/// More distinct names than this, none of them in almost all documents, are data.
const MAX_STRUCT_NAMES: usize = 64;
/// More names than this that are numbers are data as soon as documents differ in them, be most of
/// them in all documents: the prices of a deep book, or of a calm market.
const MAX_NUMBER_NAMES: usize = 16;
/// Rarer fields of the top level than one in so many documents go to a map, if they are many.
const RARE: u64 = 10;
/// So many rare fields of the top level each have a column.
const MAX_RARE_COLUMNS: usize = 256;

/// The fields of documents, in the order in which they come.
#[derive(Debug, Default)]
pub(super) struct FieldStats {
    list: Vec<(String, ValueStats)>,
    positions: HashMap<String, usize>,
    /// Positions in the list: a name that is new comes before the known one that follows it.
    order: Vec<usize>,
    /// Whether there were more names than could be taken note of.
    has_more: bool,
    /// Documents, and those of an even sample with all their names.
    pub(super) documents: u64,
    even_documents: u64,
    even_names: u64,
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

    /// Puts new names that wait for a known one before it; or lets a name wait that is new itself.
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

    /// The values of all fields together.
    fn into_values(self) -> ValueStats {
        let mut all = ValueStats::default();
        for (_, stats) in self.list {
            all.add(stats);
        }
        all
    }

    fn in_order(self) -> impl Iterator<Item = (String, ValueStats)> {
        let mut list: Vec<_> = self.list.into_iter().map(Some).collect();
        let order = self.order.into_iter();
        order.filter_map(move |position| list[position].take())
    }

    /// Whether the names are data: many of them, or numbers, and not the same in each document.
    fn has_data_names(&self) -> bool {
        let documents = self.even_documents;
        let most = self.list.iter().map(|(_, stats)| stats.even).max();
        let is_shared = most.unwrap_or(0) * 100 >= documents * 95;
        let is_number = |name: &str| {
            name.contains(|c: char| c.is_ascii_digit())
                && name
                    .chars()
                    .all(|c| c.is_ascii_digit() || "._,-+eE".contains(c))
        };
        let distinct = self.list.len();
        // By how much there are more names than a document has.
        let exceed = |percent: u64| {
            let distinct = distinct as u64;
            distinct * documents * 100 > self.even_names * (100 + percent)
        };
        let are_numbers = || self.list.iter().all(|(name, _)| is_number(name));
        let are_many = self.has_more || distinct > MAX_STRUCT_NAMES;
        documents > 0
            && (!is_shared && (are_many || exceed(50) && are_numbers())
                || distinct > MAX_NUMBER_NAMES && exceed(1) && are_numbers())
    }
}

impl Chooser {
    /// The columns of the top level; rare fields may go to one MAP, the last column.
    pub(super) fn top_level(&mut self, mut stats: FieldStats) -> Fields {
        let documents = stats.even_documents;
        let is_rare = |stats: &ValueStats| stats.even * RARE < documents;
        let rare = stats.list.iter().filter(|(_, stats)| is_rare(stats));
        let mut rest = None;
        if rare.count() > MAX_RARE_COLUMNS || stats.has_more {
            let mut values = FieldStats::default();
            let mut frequent = FieldStats {
                documents: stats.documents,
                even_documents: documents,
                ..FieldStats::default()
            };
            for (name, value) in std::mem::take(&mut stats).in_order() {
                let fields = if is_rare(&value) {
                    &mut values
                } else {
                    &mut frequent
                };
                let position = fields.add(&name);
                fields.order.push(position);
                fields.list[position].1 = value;
            }
            stats = frequent;
            let prefix = REST_COLUMN.len() + 1;
            let value = self.column_type(values.into_values(), REST_COLUMN, prefix + MAP_PATH);
            rest = value.and_then(|value| self.map(value, prefix));
        }
        let mut list = self.fields(stats, "", 0);
        list.extend(rest.map(|column_type| Column {
            name: REST_COLUMN.to_owned(),
            column_type,
            gap: Gap::Absent,
        }));
        Fields::new(list).unwrap_or_default()
    }

    /// The column of a field that is a document; none if there is no room for it.
    pub(super) fn document(
        &mut self,
        stats: FieldStats,
        path: &str,
        prefix: usize,
    ) -> Option<ColumnType> {
        let is_map = match (
            self.natures.maps.contains(path),
            self.natures.structs.contains(path),
        ) {
            (true, _) => true,
            (false, true) => false,
            (false, false) => stats.has_data_names(),
        };
        if is_map {
            let path = path::of_values(path);
            let value = self.column_type(stats.into_values(), &path, prefix + MAP_PATH)?;
            return self.map(value, prefix);
        }
        let fields = Fields::new(self.fields(stats, path, prefix)).ok()?;
        if fields.list().is_empty() {
            return None;
        }
        if fields.in_file().next().is_none() {
            self.leaf(prefix + MAP_PATH)?;
        }
        Some(ColumnType::Struct(fields))
    }

    fn map(&mut self, value: ColumnType, prefix: usize) -> Option<ColumnType> {
        self.leaf(prefix + MAP_PATH)?;
        Some(ColumnType::Map(Box::new(value)))
    }

    fn fields(&mut self, stats: FieldStats, path: &str, prefix: usize) -> Vec<Column> {
        // Of names that differ in case alone the most frequent one has the column.
        let mut most = HashMap::new();
        for (name, stats) in &stats.list {
            let most: &mut (u64, &str) = most.entry(fold(name)).or_default();
            if stats.seen() > most.0 {
                *most = (stats.seen(), name);
            }
        }
        let chosen: HashSet<_> = most
            .into_values()
            .map(|(_, name)| name.to_owned())
            .collect();
        let mut list = Vec::new();
        let documents = stats.documents;
        for (name, stats) in stats.in_order() {
            if !chosen.contains(&name) || is_own_name(&name) || name.len() > MAX_NAME_BYTES {
                continue;
            }
            let path = path::of_field(path, &name);
            let gap = stats.gap(documents);
            if let Some(column_type) = self.column_type(stats, &path, prefix + name.len() + 1) {
                list.push(Column {
                    name,
                    column_type,
                    gap,
                });
            }
        }
        list
    }

    /// Takes the room of a leaf column whose path has so many bytes.
    pub(super) fn leaf(&mut self, path: usize) -> Option<()> {
        let columns = self.columns.checked_sub(1)?;
        let path_bytes = self.path_bytes.checked_sub(path)?;
        (self.columns, self.path_bytes) = (columns, path_bytes);
        Some(())
    }
}

/// What the path of a map's value adds; a longer one than that of its key.
const MAP_PATH: usize = "key_value.value.".len();
