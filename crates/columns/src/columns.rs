//! The columns of a split: frozen in its plan, the same in all its data files.
//!
//! Columns are read back from plans and from footers, both untrusted, so every way to make them
//! goes through the same checks: what is in memory can always be written as a Parquet schema that
//! the usual readers accept.

use std::{collections::HashMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Most leaf columns of a split.
pub const MAX_COLUMNS: usize = 16_384;
/// Deepest nesting of lists and structs, and of documents and arrays in a shape.
pub const MAX_NESTING: usize = 32;
/// Longest name of a column, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 255;
/// Most bytes of all leaves' paths: each row group repeats them in the footer.
pub(crate) const MAX_PATH_BYTES: usize = 1 << 20;

/// The column that names a row's shape; null for a residual row.
pub const SHAPE_COLUMN: &str = "_lob_shape";
/// The column that keeps a residual row's whole document; null for all other rows.
pub const BSON_COLUMN: &str = "_lob_bson";

/// The frozen columns of a split, without our own two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Columns {
    root: Fields,
    leaves: usize,
    path_bytes: usize,
}

/// Columns that cannot be written or that some reader would mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidColumns {
    /// More than [`MAX_COLUMNS`], deeper than [`MAX_NESTING`], or names that are too long.
    #[error("too many columns, nested too deep or with names too long")]
    TooLarge,
    /// A struct without fields, which Parquet cannot hold.
    #[error("a struct column has no fields")]
    EmptyStruct,
    /// Two names that readers may take for one, or a name of ours.
    #[error("column name {0:?} is taken")]
    NameTaken(String),
}

impl Columns {
    pub(crate) fn new(root: Fields) -> Result<Self, InvalidColumns> {
        let (mut leaves, mut path_bytes) = (0, 0);
        measure(&root, 0, 0, &mut leaves, &mut path_bytes)?;
        for name in root.list.iter().map(|column| &column.name) {
            if is_own_name(name) {
                return Err(InvalidColumns::NameTaken(name.clone()));
            }
        }
        if leaves > MAX_COLUMNS || path_bytes > MAX_PATH_BYTES {
            return Err(InvalidColumns::TooLarge);
        }
        Ok(Self {
            root,
            leaves,
            path_bytes,
        })
    }

    /// Name and type of each top-level column, in the files' order: `features`, `list<double>`.
    pub fn list(&self) -> impl Iterator<Item = (&str, String)> {
        self.root
            .list
            .iter()
            .map(|column| (column.name.as_str(), column.column_type.to_string()))
    }

    pub(crate) fn root(&self) -> &Fields {
        &self.root
    }

    /// Leaf columns in the file, our own two included.
    pub(crate) fn file_leaves(&self) -> usize {
        self.leaves + 2
    }

    pub(crate) fn path_bytes(&self) -> usize {
        self.path_bytes
    }
}

impl TryFrom<Fields> for Columns {
    type Error = InvalidColumns;

    fn try_from(root: Fields) -> Result<Self, InvalidColumns> {
        Columns::new(root)
    }
}

impl From<Columns> for Fields {
    fn from(columns: Columns) -> Fields {
        columns.root
    }
}

/// Whether a reader could take `name` for a column of ours.
pub(crate) fn is_own_name(name: &str) -> bool {
    [SHAPE_COLUMN, BSON_COLUMN].contains(&fold(name).as_str())
}

/// Spark and DuckDB take names that differ in case alone for the same column.
pub(crate) fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// Counts leaves and the bytes of their paths; refuses what is too deep or empty. The recursion is
/// as deep as [`MAX_NESTING`] at most.
fn measure(
    fields: &Fields,
    depth: usize,
    prefix: usize,
    leaves: &mut usize,
    path_bytes: &mut usize,
) -> Result<(), InvalidColumns> {
    for column in &fields.list {
        if column.name.len() > MAX_NAME_BYTES {
            return Err(InvalidColumns::TooLarge);
        }
        let (mut depth, mut prefix) = (depth, prefix + column.name.len() + 1);
        let mut column_type = &column.column_type;
        while let ColumnType::List(element) = column_type {
            column_type = element;
            depth += 1;
            prefix += "list.element.".len();
        }
        if depth >= MAX_NESTING {
            return Err(InvalidColumns::TooLarge);
        }
        if let ColumnType::Struct(fields) = column_type {
            if fields.list.is_empty() {
                return Err(InvalidColumns::EmptyStruct);
            }
            measure(fields, depth + 1, prefix, leaves, path_bytes)?;
        } else {
            *leaves += 1;
            *path_bytes += prefix;
        }
    }
    Ok(())
}

/// Named columns in order: the top level, or the fields of a struct.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    list: Vec<Column>,
    positions: HashMap<String, usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Column {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) column_type: ColumnType,
}

impl Fields {
    /// Fails with the first name that is taken already, be it in another case.
    pub(crate) fn new(list: Vec<Column>) -> Result<Self, InvalidColumns> {
        let mut folded = std::collections::HashSet::with_capacity(list.len());
        for column in &list {
            if !folded.insert(fold(&column.name)) {
                return Err(InvalidColumns::NameTaken(column.name.clone()));
            }
        }
        let names = list.iter().map(|column| column.name.clone());
        let positions = names
            .enumerate()
            .map(|(position, name)| (name, position))
            .collect();
        Ok(Self { list, positions })
    }

    pub(crate) fn list(&self) -> &[Column] {
        &self.list
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for Fields {}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fields::new(Vec::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The physical type of a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ColumnType {
    Double,
    Int64,
    Bool,
    String,
    /// UTC milliseconds.
    Date,
    /// 24 hexadecimal characters.
    ObjectId,
    /// As text.
    Decimal128,
    /// Of one subtype.
    Binary(u8),
    /// The bytes of a value of a type that Parquet has no equal of; the shape says which.
    Raw,
    List(Box<ColumnType>),
    Struct(Fields),
}

impl fmt::Display for ColumnType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnType::Double => formatter.write_str("double"),
            ColumnType::Int64 => formatter.write_str("int64"),
            ColumnType::Bool => formatter.write_str("bool"),
            ColumnType::String => formatter.write_str("string"),
            ColumnType::Date => formatter.write_str("date"),
            ColumnType::ObjectId => formatter.write_str("objectId"),
            ColumnType::Decimal128 => formatter.write_str("decimal128"),
            ColumnType::Binary(subtype) => write!(formatter, "binary({subtype})"),
            ColumnType::Raw => formatter.write_str("raw"),
            ColumnType::List(element) => write!(formatter, "list<{element}>"),
            ColumnType::Struct(fields) => {
                formatter.write_str("struct<")?;
                for (position, column) in fields.list.iter().enumerate() {
                    let comma = if position == 0 { "" } else { ", " };
                    write!(formatter, "{comma}{}: {}", column.name, column.column_type)?;
                }
                formatter.write_str(">")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Columns, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn columns_read_back_from_their_json() {
        let json = r#"[{"name":"_id","type":"objectId"},{"name":"f","type":{"list":"double"}},{"name":"s","type":{"struct":[{"name":"b","type":{"binary":4}}]}}]"#;
        let columns = parse(json).unwrap();
        assert_eq!(serde_json::to_string(&columns).unwrap(), json);
        let list: Vec<_> = columns
            .list()
            .map(|(name, text)| format!("{name} {text}"))
            .collect();
        assert_eq!(
            list,
            ["_id objectId", "f list<double>", "s struct<b: binary(4)>"]
        );
    }

    #[test]
    fn names_that_a_reader_may_mistake_are_refused() {
        for names in [
            ["a", "a"],
            ["role", "Role"],
            ["x", "_LOB_bson"],
            ["_lob_shape", "x"],
        ] {
            let [a, b] = names;
            let json =
                format!(r#"[{{"name":"{a}","type":"bool"}},{{"name":"{b}","type":"bool"}}]"#);
            assert!(
                parse(&json).unwrap_err().to_string().contains("is taken"),
                "{names:?}"
            );
        }
    }

    #[test]
    fn what_parquet_or_its_readers_cannot_hold_is_refused() {
        let column = |text: &str| parse(&format!(r#"[{{"name":"a","type":{text}}}]"#));
        assert!(column(r#"{"struct":[]}"#).is_err());
        let lists = |depth| {
            column(&format!(
                "{}\"bool\"{}",
                "{\"list\":".repeat(depth),
                "}".repeat(depth)
            ))
        };
        assert!(lists(MAX_NESTING - 1).is_ok());
        assert!(lists(MAX_NESTING).is_err());
        assert!(lists(100_000).is_err());
        let wide = |count| {
            let list: Vec<_> = (0..count)
                .map(|i| format!(r#"{{"name":"{i}","type":"bool"}}"#))
                .collect();
            parse(&format!("[{}]", list.join(",")))
        };
        assert!(wide(MAX_COLUMNS).is_ok());
        assert!(wide(MAX_COLUMNS + 1).is_err());
    }
}
