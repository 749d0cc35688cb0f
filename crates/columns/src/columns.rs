//! The columns of a split: frozen in its plan and the same in all its data files.
//!
//! Columns are read back from plans and footers, which are both untrusted, so every constructor
//! runs the same checks: any columns in memory can be written as a Parquet schema that the usual
//! readers accept.

use std::{collections::HashMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    limits::{self, MAX_COLUMNS, MAX_ELEMENTS, MAX_NAME_BYTES, MAX_NESTING, MAX_PATH_BYTES},
    own_columns::{EMPTY_COLUMN, REST_COLUMN, fold, is_own_name},
    raw::BsonType,
};

/// The frozen columns of a split, without the ones lob-tools adds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Columns {
    root: Fields,
    leaves: usize,
    path_bytes: usize,
}

/// Columns that cannot be written, or that some reader would misread.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidColumns {
    /// More than [`MAX_COLUMNS`], nested deeper than [`MAX_NESTING`], or with names that are too
    /// long.
    #[error("too many columns, nested too deep or with names too long")]
    TooLarge,
    /// A struct without fields, which Parquet cannot hold.
    #[error("a struct column has no fields")]
    EmptyStruct,
    /// A name that readers may confuse with another, or that is reserved for our own columns.
    #[error("column name {0:?} is taken")]
    NameTaken(String),
    /// A type, name or default that no column can have.
    #[error("column {0:?} is not one that a plan can have")]
    Impossible(String),
}

impl Columns {
    pub(crate) fn new(root: Fields) -> Result<Self, InvalidColumns> {
        Self::with_own_names(root, is_own_name)
    }

    /// Checks columns that may not use our own names, except for the MAP of fields without a
    /// column.
    pub(crate) fn with_own_names(
        root: Fields,
        is_own_name: fn(&str) -> bool,
    ) -> Result<Self, InvalidColumns> {
        let mut size = Size {
            is_own_name,
            leaves: 0,
            elements: 0,
            path_bytes: 0,
        };
        let is_rest = |column: &Column| {
            column.name == REST_COLUMN && matches!(column.column_type, ColumnType::Map(_))
        };
        let (fields, rest) = match root.list.split_last() {
            Some((last, fields)) if is_rest(last) => (fields, Some(last)),
            _ => (&root.list[..], None),
        };
        size.measure(fields, 0, 0)?;
        if let Some(rest) = rest {
            size.measure_type(&rest.column_type, 0, rest.name.len() + 1)?;
        }
        if size.leaves > MAX_COLUMNS
            || size.elements > MAX_ELEMENTS
            || size.path_bytes > MAX_PATH_BYTES
        {
            return Err(InvalidColumns::TooLarge);
        }
        Ok(Self {
            root,
            leaves: size.leaves,
            path_bytes: size.path_bytes,
        })
    }

    /// Name and type of each top-level column, in file order, e.g. `features`, `list<double>`.
    pub fn list(&self) -> impl Iterator<Item = (&str, String)> {
        self.root
            .in_file()
            .map(|column| (column.name.as_str(), column.column_type.to_string()))
    }

    /// Leaf columns in the file, including our own and fields that never have a value.
    pub fn leaves(&self) -> usize {
        self.leaves + 2
    }

    pub(crate) fn root(&self) -> &Fields {
        &self.root
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

/// Adds up leaves and the bytes of their paths.
struct Size {
    is_own_name: fn(&str) -> bool,
    leaves: usize,
    elements: usize,
    path_bytes: usize,
}

impl Size {
    /// Rejects columns that are too deep or impossible. Recurses at most [`MAX_NESTING`] levels.
    fn measure(
        &mut self,
        fields: &[Column],
        depth: usize,
        prefix: usize,
    ) -> Result<(), InvalidColumns> {
        for column in fields {
            let name = &column.name;
            if name.len() > MAX_NAME_BYTES {
                return Err(InvalidColumns::TooLarge);
            }
            if (self.is_own_name)(name) {
                return Err(InvalidColumns::NameTaken(name.clone()));
            }
            let is_null = column.column_type == ColumnType::Null;
            let has_gap = is_null || column.gap.is_of_values();
            if name.contains('\0') || !has_gap || !column.column_type.is_possible() {
                return Err(InvalidColumns::Impossible(name.clone()));
            }
            self.elements += 1;
            // A column that never has a value counts as well: it takes up space in plans and
            // footers.
            self.measure_type(&column.column_type, depth, prefix + name.len() + 1)?;
        }
        Ok(())
    }

    fn measure_type(
        &mut self,
        mut column_type: &ColumnType,
        mut depth: usize,
        mut prefix: usize,
    ) -> Result<(), InvalidColumns> {
        loop {
            if depth >= MAX_NESTING {
                return Err(InvalidColumns::TooLarge);
            }
            match column_type {
                ColumnType::List(element) => {
                    prefix += "list.element.".len();
                    self.elements += 2;
                    column_type = element;
                }
                ColumnType::Map(value) => {
                    self.leaf(prefix + "key_value.key".len());
                    prefix += "key_value.value.".len();
                    self.elements += 3;
                    column_type = value;
                }
                ColumnType::Struct(fields) if fields.list.is_empty() => {
                    return Err(InvalidColumns::EmptyStruct);
                }
                ColumnType::Struct(fields) => {
                    if fields.in_file().next().is_none() {
                        self.leaf(prefix + EMPTY_COLUMN.len());
                        self.elements += 1;
                    }
                    return self.measure(&fields.list, depth + 1, prefix);
                }
                _ => {
                    self.leaf(prefix);
                    return Ok(());
                }
            }
            depth += 1;
        }
    }

    fn leaf(&mut self, path: usize) {
        self.leaves += 1;
        self.path_bytes += path;
    }
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
    pub(crate) gap: Gap,
}

/// What a missing value in a column means unless a row says otherwise: the more frequent meaning in
/// the sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Gap {
    /// The field is null.
    Null,
    /// The field does not exist.
    Absent,
    /// An empty array: no array in the sample had elements.
    Array,
    /// An empty document: no document in the sample had fields.
    Document,
}

impl Fields {
    /// Fails with the first duplicate name; names that differ only in case are duplicates.
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

    /// The columns that are stored in the file.
    pub(crate) fn in_file(&self) -> impl Iterator<Item = &Column> {
        let has_column = |column: &&Column| column.column_type != ColumnType::Null;
        self.list.iter().filter(has_column)
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

impl Gap {
    /// Whether a column with values can have this gap.
    pub(crate) fn is_of_values(self) -> bool {
        matches!(self, Gap::Null | Gap::Absent)
    }
}

/// What a column holds, and the BSON type of its values unless a row says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ColumnType {
    Double,
    /// Numbers as drivers write them: int32 if whole and in range, otherwise double.
    DriverDouble,
    Int64,
    /// Integers as drivers write them: int32 if they fit.
    DriverInt64,
    Bool,
    String,
    /// UTC milliseconds.
    Date,
    /// 24 hexadecimal characters.
    ObjectId,
    /// This many digits after the point, [`MAX_DECIMAL_DIGITS`](limits::MAX_DECIMAL_DIGITS) in total.
    Decimal(u8),
    DecimalText,
    /// Of this subtype.
    Binary(u8),
    /// The bytes of a value whose type has no equivalent in Parquet.
    Raw(BsonType),
    /// Never has a value. It has no column in the file, except as the element of a list or the
    /// value of a map, because the entries are counted by it.
    Null,
    List(Box<ColumnType>),
    /// Names and values of documents whose names are data.
    Map(Box<ColumnType>),
    Struct(Fields),
}

impl ColumnType {
    /// Whether readers know an order of its values and people filter by it.
    pub(crate) fn is_ordered(&self) -> bool {
        matches!(
            self,
            ColumnType::Double
                | ColumnType::DriverDouble
                | ColumnType::Int64
                | ColumnType::DriverInt64
                | ColumnType::Bool
                | ColumnType::String
                | ColumnType::Date
                | ColumnType::ObjectId
                | ColumnType::Decimal(_)
        )
    }

    fn is_possible(&self) -> bool {
        match self {
            ColumnType::Decimal(scale) => *scale <= limits::MAX_DECIMAL_DIGITS,
            ColumnType::Raw(bson_type) => bson_type.is_raw(),
            ColumnType::List(inner) | ColumnType::Map(inner) => inner.is_possible(),
            _ => true,
        }
    }

    /// The type as shown to people; lists, maps and structs without what they contain.
    pub(crate) fn said(&self) -> String {
        match self {
            ColumnType::List(_) | ColumnType::Map(_) | ColumnType::Struct(_) => self.name().into(),
            leaf => leaf.to_string(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            ColumnType::Double | ColumnType::DriverDouble => "double",
            ColumnType::Int64 | ColumnType::DriverInt64 => "int64",
            ColumnType::Bool => "bool",
            ColumnType::String => "string",
            ColumnType::Date => "date",
            ColumnType::ObjectId => "objectId",
            ColumnType::Decimal(_) => "decimal",
            ColumnType::DecimalText => "decimal128",
            ColumnType::Binary(_) => "binary",
            ColumnType::Raw(_) => "raw",
            ColumnType::Null => "null",
            ColumnType::List(_) => "list",
            ColumnType::Map(_) => "map",
            ColumnType::Struct(_) => "struct",
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnType::Decimal(scale) => write!(formatter, "decimal({scale})"),
            ColumnType::Binary(subtype) => write!(formatter, "binary({subtype})"),
            ColumnType::List(element) => write!(formatter, "list<{element}>"),
            ColumnType::Map(value) => write!(formatter, "map<{value}>"),
            ColumnType::Struct(fields) => {
                formatter.write_str("struct<")?;
                for (position, column) in fields.list.iter().enumerate() {
                    let comma = if position == 0 { "" } else { ", " };
                    write!(formatter, "{comma}{}: {}", column.name, column.column_type)?;
                }
                formatter.write_str(">")
            }
            other => formatter.write_str(other.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Columns, serde_json::Error> {
        serde_json::from_str(json)
    }

    fn column(name: &str, column_type: &str) -> String {
        format!(r#"{{"name":"{name}","type":{column_type},"gap":"null"}}"#)
    }

    #[test]
    fn columns_read_back_from_their_json() {
        let json = r#"[{"name":"_id","type":"objectId","gap":"absent"},{"name":"f","type":{"list":"driverDouble"},"gap":"null"},{"name":"s","type":{"struct":[{"name":"b","type":{"binary":4},"gap":"null"},{"name":"e","type":"null","gap":"array"}]},"gap":"null"},{"name":"_lob_fields","type":{"map":{"raw":"timestamp"}},"gap":"null"}]"#;
        let columns = parse(json).unwrap();
        assert_eq!(serde_json::to_string(&columns).unwrap(), json);
        let list: Vec<_> = columns
            .list()
            .map(|(name, text)| format!("{name} {text}"))
            .collect();
        assert_eq!(
            list,
            [
                "_id objectId",
                "f list<double>",
                "s struct<b: binary(4), e: null>",
                "_lob_fields map<raw>"
            ]
        );
    }

    #[test]
    fn rejects_column_names_that_readers_may_confuse() {
        for [a, b] in [
            ["a", "a"],
            ["role", "Role"],
            ["x", "_LOB_bson"],
            ["_lob_shape", "x"],
            ["x", "_lob_fields"],
        ] {
            let json = format!("[{},{}]", column(a, r#""bool""#), column(b, r#""bool""#));
            let error = parse(&json).unwrap_err().to_string();
            assert!(error.contains("is taken"), "{a} {b}: {error}");
        }
        let rest = column("_lob_fields", r#"{"map":"bool"}"#);
        assert!(parse(&format!("[{rest}]")).is_ok());
        let inner = column("s", &format!(r#"{{"struct":[{rest}]}}"#));
        assert!(parse(&format!("[{inner}]")).is_err());
        assert!(parse(&format!("[{rest},{}]", column("x", r#""bool""#))).is_err());
    }

    #[test]
    fn rejects_columns_that_parquet_or_its_readers_cannot_hold() {
        let parse_type = |text: &str| parse(&format!("[{}]", column("a", text)));
        for impossible in [
            r#"{"struct":[]}"#,
            r#"{"decimal":39}"#,
            r#"{"raw":"double"}"#,
            r#"{"list":{"raw":"null"}}"#,
        ] {
            assert!(parse_type(impossible).is_err(), "{impossible}");
        }
        assert!(parse(r#"[{"name":"a","type":"bool","gap":"array"}]"#).is_err());
        assert!(parse(r#"[{"name":"a\u0000","type":"bool","gap":"null"}]"#).is_err());
        for kind in ["list", "map"] {
            let nested = |depth| {
                let open = format!("{{\"{kind}\":").repeat(depth);
                parse_type(&format!("{open}\"bool\"{}", "}".repeat(depth)))
            };
            assert!(nested(MAX_NESTING - 1).is_ok());
            assert!(nested(MAX_NESTING).is_err());
            assert!(nested(100_000).is_err());
        }
        let wide = |count: usize| {
            let list: Vec<_> = (0..count)
                .map(|i| column(&i.to_string(), r#""bool""#))
                .collect();
            parse(&format!("[{}]", list.join(",")))
        };
        assert!(wide(MAX_COLUMNS).is_ok());
        assert!(wide(MAX_COLUMNS + 1).is_err());
    }
}
