//! Chooses which of the sampled fields get a column, and of which type.

use std::collections::{HashMap, HashSet};

use super::stats::{FieldStats, Kind, ValueStats};
use crate::{
    columns::{Column, ColumnType, Fields, Gap},
    limits::MAX_NAME_BYTES,
    own_columns::{REST_COLUMN, fold, is_own_name},
    path,
};

/// More distinct names than this are data, unless one of them is in almost all documents.
const MAX_STRUCT_NAMES: usize = 64;
/// More numeric names than this are data as soon as documents differ in them, even if most names
/// are in all documents: the prices of a deep book, or of a calm market.
const MAX_NUMBER_NAMES: usize = 16;
/// A top-level field in fewer than one in this many documents is rare; many rare fields share a
/// map.
const RARE: u64 = 10;
/// Up to this many rare top-level fields get a column each.
const MAX_RARE_COLUMNS: usize = 256;
/// What a map adds to the path of its values; longer than what it adds to that of its keys.
const MAP_PATH: usize = "key_value.value.".len();

/// User settings for the documents at some paths: whether their names are data.
#[derive(Clone, Debug, Default)]
pub(super) struct Natures {
    pub(super) maps: HashSet<String>,
    pub(super) structs: HashSet<String>,
}

/// The room left for further columns, and the user's settings for them.
pub(super) struct Chooser {
    pub(super) columns: usize,
    pub(super) elements: usize,
    pub(super) path_bytes: usize,
    pub(super) natures: Natures,
}

impl Chooser {
    /// The top-level columns. Rare fields may share one MAP, which is then the last column.
    pub(super) fn top_level(&mut self, mut stats: FieldStats) -> Fields {
        let documents = stats.even_documents;
        let is_rare = |stats: &ValueStats| stats.even * RARE < documents;
        let rare_fields = stats.list.iter().filter(|(_, stats)| is_rare(stats));
        let mut rest = None;
        if rare_fields.count() > MAX_RARE_COLUMNS || stats.has_more {
            let (rare, frequent) = stats.partition(is_rare);
            stats = frequent;
            let prefix = REST_COLUMN.len() + 1;
            let value = self.column_type(rare.into_values(), REST_COLUMN, prefix + MAP_PATH);
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

    /// The column of a field that is a document; `None` if there is no room for it.
    fn document(&mut self, stats: FieldStats, path: &str, prefix: usize) -> Option<ColumnType> {
        let is_map = match (
            self.natures.maps.contains(path),
            self.natures.structs.contains(path),
        ) {
            (true, _) => true,
            (false, true) => false,
            (false, false) => has_data_names(&stats),
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
            self.elements(1)?;
            self.leaf(prefix + MAP_PATH)?;
        }
        Some(ColumnType::Struct(fields))
    }

    fn map(&mut self, value: ColumnType, prefix: usize) -> Option<ColumnType> {
        self.elements(3)?;
        self.leaf(prefix + MAP_PATH)?;
        Some(ColumnType::Map(Box::new(value)))
    }

    fn fields(&mut self, stats: FieldStats, path: &str, prefix: usize) -> Vec<Column> {
        // Among names that differ only in case, the most frequent one gets the column.
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
            if self.elements(1).is_some()
                && let Some(column_type) = self.column_type(stats, &path, prefix + name.len() + 1)
            {
                list.push(Column {
                    name,
                    column_type,
                    gap,
                });
            }
        }
        list
    }

    /// The type of a column for these values; `None` if there is no room for it. `prefix` is the
    /// length in bytes of the path in the file.
    fn column_type(&mut self, stats: ValueStats, path: &str, prefix: usize) -> Option<ColumnType> {
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
                self.elements(2)?;
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

    /// Reserves elements of the schema.
    fn elements(&mut self, count: usize) -> Option<()> {
        self.elements = self.elements.checked_sub(count)?;
        Some(())
    }

    /// Reserves a leaf column whose path is this many bytes long.
    fn leaf(&mut self, path: usize) -> Option<()> {
        let columns = self.columns.checked_sub(1)?;
        let path_bytes = self.path_bytes.checked_sub(path)?;
        (self.columns, self.path_bytes) = (columns, path_bytes);
        Some(())
    }
}

/// Whether the names are data: many names, or numbers, that differ between documents.
fn has_data_names(stats: &FieldStats) -> bool {
    let documents = stats.even_documents;
    let most = stats.list.iter().map(|(_, values)| values.even).max();
    let is_shared = most.unwrap_or(0) * 100 >= documents * 95;
    let is_number = |name: &str| {
        name.contains(|c: char| c.is_ascii_digit())
            && name
                .chars()
                .all(|c| c.is_ascii_digit() || "._,-+eE".contains(c))
    };
    let distinct = stats.list.len();
    // Whether there are more distinct names than names per document, by at least this percentage.
    let exceed = |percent: u64| {
        let distinct = distinct as u64;
        distinct * documents * 100 > stats.even_names * (100 + percent)
    };
    let are_numbers = || stats.list.iter().all(|(name, _)| is_number(name));
    let are_many = stats.has_more || distinct > MAX_STRUCT_NAMES;
    documents > 0
        && (!is_shared && (are_many || exceed(50) && are_numbers())
            || distinct > MAX_NUMBER_NAMES && exceed(1) && are_numbers())
}
