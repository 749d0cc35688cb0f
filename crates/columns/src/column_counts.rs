//! Counts what the columns of a split could not hold. People see from it why a column has nulls
//! that the collection does not have, and the next run chooses its columns by it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::{
    levels::{Item, Level, Paths, Value},
    own_columns::fold,
    raw::BsonType,
};

/// Limits on the names without a column that are counted individually.
const MAX_NAMES: usize = 1_000;
const MAX_NAMES_BYTES: usize = 1 << 20;

/// What the documents of a data file had that its columns could not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "snake_case")]
pub struct ColumnCounts {
    /// For each column path, how many values of each BSON type did not fit.
    pub misfits: BTreeMap<String, BTreeMap<String, u64>>,
    /// What each of those columns holds.
    pub types: BTreeMap<String, String>,
    /// For each path without a column, how many fields had it.
    pub without_column: BTreeMap<String, u64>,
    /// Paths without a column whose name differs only in case from that of a column, and that
    /// column: readers take both for the same column.
    pub differ_in_case: BTreeMap<String, String>,
    /// Fields without a column beyond the number of paths that are counted individually.
    pub further_without_column: u64,
    /// Documents kept whole because they would be too large as columns.
    pub whole_documents: u64,
    /// Integer columns with values that no double can hold exactly.
    pub beyond_double: BTreeSet<String>,
}

impl ColumnCounts {
    /// Whether the next run turns this integer column into doubles: it met doubles, and every
    /// integer has an exact double.
    pub fn can_widen(&self, column: &str) -> bool {
        let has_doubles = self
            .misfits
            .get(column)
            .is_some_and(|types| types.contains_key("double"));
        let is_integer = self.types.get(column).is_some_and(|kind| kind == "int64");
        has_doubles && is_integer && !self.beyond_double.contains(column)
    }

    /// Adds the counts of another data file.
    pub fn add(&mut self, other: Self) {
        for (column, types) in other.misfits {
            let mine = self.misfits.entry(column).or_default();
            for (bson_type, count) in types {
                *mine.entry(bson_type).or_default() += count;
            }
        }
        self.further_without_column += other.further_without_column;
        self.whole_documents += other.whole_documents;
        self.beyond_double.extend(other.beyond_double);
        self.types.extend(other.types);
        self.differ_in_case.extend(other.differ_in_case);
        let mut bytes: usize = self.without_column.keys().map(String::len).sum();
        for (path, count) in other.without_column {
            let is_full =
                self.without_column.len() >= MAX_NAMES || bytes + path.len() > MAX_NAMES_BYTES;
            match self.without_column.get_mut(&path) {
                Some(sum) => *sum += count,
                None if is_full => self.further_without_column += count,
                None => {
                    bytes += path.len();
                    self.without_column.insert(path, count);
                }
            }
        }
    }
}

/// Collects the counts while documents are encoded.
#[derive(Debug)]
pub(crate) struct Counter {
    paths: Paths,
    misfits: HashMap<(usize, BsonType), u64>,
    strangers: HashMap<usize, HashMap<Box<[u8]>, u64>>,
    names: usize,
    names_bytes: usize,
    further: u64,
    pub(crate) whole_documents: u64,
}

impl Counter {
    pub(crate) fn new(paths: Paths) -> Self {
        Self {
            paths,
            misfits: HashMap::new(),
            strangers: HashMap::new(),
            names: 0,
            names_bytes: 0,
            further: 0,
            whole_documents: 0,
        }
    }

    pub(crate) fn add_misfit(&mut self, column: usize, bson_type: BsonType) {
        *self.misfits.entry((column, bson_type)).or_default() += 1;
    }

    /// Counts a field for which its level has no column.
    pub(crate) fn add_stranger(&mut self, level: usize, name: &[u8]) {
        let names = self.strangers.entry(level).or_default();
        if let Some(count) = names.get_mut(name) {
            *count += 1;
        } else if self.names >= MAX_NAMES || self.names_bytes + name.len() > MAX_NAMES_BYTES {
            self.further += 1;
        } else {
            self.names += 1;
            self.names_bytes += name.len();
            names.insert(name.into(), 1);
        }
    }

    /// Counts a map entry whose name cannot be a key.
    pub(crate) fn add_odd_key(&mut self) {
        self.further += 1;
    }

    pub(crate) fn counts(&self, level: &Level) -> ColumnCounts {
        let mut counts = ColumnCounts {
            further_without_column: self.further,
            whole_documents: self.whole_documents,
            ..ColumnCounts::default()
        };
        for ((column, bson_type), count) in &self.misfits {
            let path = &self.paths.columns[*column];
            let kind = self.paths.types[*column].clone();
            counts.types.insert(path.clone(), kind);
            let types = counts.misfits.entry(path.clone()).or_default();
            // Columns whose names have dots can share a path.
            *types.entry(bson_type.name().to_owned()).or_default() += count;
        }
        self.note_level(level, &mut counts);
        counts
    }

    fn note_level(&self, level: &Level, counts: &mut ColumnCounts) {
        self.note_strangers(level, counts);
        for slot in &level.slots {
            self.note_below(&slot.item, counts);
        }
    }

    fn note_strangers(&self, level: &Level, counts: &mut ColumnCounts) {
        let Some(names) = self.strangers.get(&level.number) else {
            return;
        };
        let of_columns = level
            .positions
            .keys()
            .map(|name| String::from_utf8_lossy(name));
        let of_columns: HashMap<_, _> = of_columns.map(|name| (fold(&name), name)).collect();
        for (name, count) in names {
            let name = String::from_utf8_lossy(name);
            let path = self.paths.in_level(level.number, &name);
            if let Some(column) = of_columns.get(&fold(&name))
                && *column != name
            {
                let column = self.paths.in_level(level.number, column);
                counts.differ_in_case.insert(path.clone(), column);
            }
            *counts.without_column.entry(path).or_default() += count;
        }
    }

    fn note_below(&self, item: &Item, counts: &mut ColumnCounts) {
        match &item.value {
            Value::Int64 { magnitude, .. } if *magnitude >> f64::MANTISSA_DIGITS != 0 => {
                let path = self.paths.columns[item.column].clone();
                counts.beyond_double.insert(path);
            }
            Value::List(item) | Value::Map(item) => self.note_below(item, counts),
            Value::Document(level) => self.note_level(level, counts),
            _ => {}
        }
    }
}
