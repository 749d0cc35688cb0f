//! The statistics that the legacy export recorded for a split, and its checksum over them.
//!
//! The checksum is the MD5 of what Python's `str()` prints for four values, so this file knows how
//! Python prints a string, a float, a list and a sorted list of pairs, and what it cannot sort.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use md5::Digest as _;
use serde::{Deserialize, Serialize};
use unicode_general_category::{GeneralCategory, get_general_category};

/// What the legacy scripts wrote for a checksum when Python's formula raised an exception.
pub(super) const UNKNOWN_CHECKSUM: &str = "unknown";

/// The value of `role` in one document, as Python would hold it as a dictionary key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Absent or null: `None`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A 32 or 64 bit integer.
    Int(i64),
    /// A double, as its bits: JSON has no way to write all of them.
    Double(u64),
    /// A string.
    String(String),
    /// A type that Python's `json` refuses as a key, by its BSON name; it makes the checksum
    /// `unknown`.
    Other(String),
}

impl Role {
    /// The key as Python's `json` writes it.
    pub(crate) fn json_key(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Double(bits) => match f64::from_bits(*bits) {
                value if value.is_nan() => "NaN".to_owned(),
                value if value == f64::INFINITY => "Infinity".to_owned(),
                value if value == f64::NEG_INFINITY => "-Infinity".to_owned(),
                value => python_float(value),
            },
            Self::String(value) => value.clone(),
            Self::Other(name) => format!("({name})"),
        }
    }

    /// Roughly how many bytes it takes.
    fn bytes(&self) -> usize {
        match self {
            Self::String(text) | Self::Other(text) => text.len(),
            _ => size_of::<u64>(),
        }
    }

    fn python_repr(&self) -> Option<String> {
        match self {
            Self::Null => Some("None".to_owned()),
            Self::Bool(true) => Some("True".to_owned()),
            Self::Bool(false) => Some("False".to_owned()),
            Self::Int(value) => Some(value.to_string()),
            Self::Double(bits) => Some(python_float(f64::from_bits(*bits))),
            Self::String(value) => Some(python_string(value)),
            Self::Other(_) => None,
        }
    }

    fn number(&self) -> Option<Number> {
        match self {
            Self::Bool(value) => Some(Number::Int(i64::from(*value))),
            Self::Int(value) => Some(Number::Int(*value)),
            Self::Double(bits) => {
                let value = f64::from_bits(*bits);
                (!value.is_nan()).then_some(Number::Double(value))
            }
            Self::Null | Self::String(_) | Self::Other(_) => None,
        }
    }

    /// A total order for use as a map key; it has no other meaning.
    fn sort_key(&self) -> (u8, i64, u64, &str) {
        match self {
            Self::Null => (0, 0, 0, ""),
            Self::Bool(value) => (1, i64::from(*value), 0, ""),
            Self::Int(value) => (2, *value, 0, ""),
            Self::Double(bits) => (3, 0, *bits, ""),
            Self::String(value) => (4, 0, 0, value),
            Self::Other(name) => (5, 0, 0, name),
        }
    }
}

impl Ord for Role {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sort_key().cmp(&other.sort_key())
    }
}

impl PartialOrd for Role {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Role {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Role {}

#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Double(f64),
}

/// Compares as Python does: an integer and a float by their exact values. Neither may be NaN.
fn compare_numbers(a: Number, b: Number) -> Ordering {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => a.cmp(&b),
        (Number::Double(a), Number::Double(b)) if a == b => Ordering::Equal,
        (Number::Double(a), Number::Double(b)) => a.total_cmp(&b),
        (Number::Double(_), Number::Int(_)) => compare_numbers(b, a).reverse(),
        (Number::Int(a), Number::Double(b)) => {
            // A cast to i128 saturates far outside i64, so the integer parts compare exactly.
            i128::from(a)
                .cmp(&(b.trunc() as i128))
                .then(0.0_f64.total_cmp(&(b.fract() + 0.0)))
        }
    }
}

/// The statistics of the documents of a split, or of a part of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// The number of documents.
    pub num_documents: u64,
    /// The number of documents with each role.
    #[serde(with = "role_pairs")]
    pub role_distribution: BTreeMap<Role, u64>,
    /// Documents whose roles are not listed because there are too many.
    #[serde(default)]
    pub further_roles: u64,
    /// The names of top-level fields, sorted by code point.
    pub schema_fields: BTreeSet<String>,
    /// Whether there are more names than are listed.
    #[serde(default)]
    pub has_further_fields: bool,
    /// The length of the array `features` in the document with the smallest `_id`.
    pub feature_length: Option<u64>,
}

/// How many more names, and bytes of names, may be listed: even if every document of a collection
/// has its own role, they must fit in a record, a manifest and memory.
#[derive(Debug, Clone, Copy)]
pub struct NameRoom {
    names: usize,
    bytes: usize,
}

impl Default for NameRoom {
    fn default() -> Self {
        Self {
            names: 10_000,
            bytes: 1 << 20,
        }
    }
}

impl NameRoom {
    /// Reserves room for a name of `bytes` bytes; returns false if there is not enough.
    pub fn take(&mut self, bytes: usize) -> bool {
        let left = self.names.checked_sub(1).zip(self.bytes.checked_sub(bytes));
        if let Some((names, bytes)) = left {
            *self = Self { names, bytes };
        }
        left.is_some()
    }

    /// The room left beside names that are already listed, given their sizes.
    fn beside(sizes: impl Iterator<Item = usize>) -> Self {
        let mut room = Self::default();
        for size in sizes {
            room.names = room.names.saturating_sub(1);
            room.bytes = room.bytes.saturating_sub(size);
        }
        room
    }
}

impl Statistics {
    /// Adds the statistics of documents whose `_id`s all come after those of `self`.
    pub fn append(&mut self, next: Self) {
        if self.num_documents == 0 {
            self.feature_length = next.feature_length;
        }
        self.num_documents += next.num_documents;
        self.further_roles += next.further_roles;
        self.has_further_fields |= next.has_further_fields;
        let mut room = NameRoom::beside(self.schema_fields.iter().map(String::len));
        for field in next.schema_fields {
            if self.schema_fields.contains(&field) {
                continue;
            }
            if room.take(field.len()) {
                self.schema_fields.insert(field);
            } else {
                self.has_further_fields = true;
            }
        }
        let mut room = NameRoom::beside(self.role_distribution.keys().map(Role::bytes));
        for (role, count) in next.role_distribution {
            if let Some(sum) = self.role_distribution.get_mut(&role) {
                *sum += count;
            } else if room.take(role.bytes()) {
                self.role_distribution.insert(role, count);
            } else {
                self.further_roles += count;
            }
        }
    }

    /// The roles as in the JSON object of the manifest: keys as Python's `json` writes them.
    pub fn roles_by_json_key(&self) -> BTreeMap<String, u64> {
        let mut roles = BTreeMap::new();
        for (role, count) in &self.role_distribution {
            *roles.entry(role.json_key()).or_default() += count;
        }
        roles
    }

    /// The legacy checksum from `checksum_of`; unknown if roles or fields are missing.
    pub fn checksum(&self) -> String {
        if self.further_roles > 0 || self.has_further_fields {
            return UNKNOWN_CHECKSUM.to_owned();
        }
        let fields = self.schema_fields.iter().map(String::as_str);
        let length = self.feature_length;
        checksum_of(self.num_documents, fields, length, &self.role_distribution)
    }
}

/// The legacy checksum: `md5:` and the MD5 of the four values as Python prints them, or
/// [`UNKNOWN_CHECKSUM`] if Python cannot sort or hold the roles.
pub(crate) fn checksum_of<'a>(
    num_documents: u64,
    schema_fields: impl Iterator<Item = &'a str>,
    feature_length: Option<u64>,
    role_distribution: &BTreeMap<Role, u64>,
) -> String {
    let Some(roles) = python_roles(role_distribution) else {
        return UNKNOWN_CHECKSUM.to_owned();
    };
    let fields: Vec<_> = schema_fields.map(python_string).collect();
    let fields = fields.join(", ");
    let length = feature_length.map_or_else(|| "None".to_owned(), |n| n.to_string());
    let input = format!("{num_documents}:[{fields}]:{length}:{roles}");
    format!("md5:{}", hex::encode(md5::Md5::digest(input)))
}

/// `str(sorted(role_distribution.items()))`, if Python can sort it: a single key, only strings, or
/// only numbers that are all different.
fn python_roles(role_distribution: &BTreeMap<Role, u64>) -> Option<String> {
    let mut roles: Vec<_> = role_distribution.iter().collect();
    if roles.len() > 1
        && !roles
            .iter()
            .all(|(role, _)| matches!(role, Role::String(_)))
    {
        let numbers = roles
            .iter()
            .map(|&(role, count)| Some((role.number()?, (role, count))));
        let mut numbers = numbers.collect::<Option<Vec<_>>>()?;
        numbers.sort_by(|(a, _), (b, _)| compare_numbers(*a, *b));
        if numbers
            .windows(2)
            .any(|w| compare_numbers(w[0].0, w[1].0) == Ordering::Equal)
        {
            return None;
        }
        roles = numbers.into_iter().map(|(_, role)| role).collect();
    }
    let pairs = roles
        .into_iter()
        .map(|(role, count)| Some(format!("({}, {count})", role.python_repr()?)))
        .collect::<Option<Vec<_>>>()?;
    Some(format!("[{}]", pairs.join(", ")))
}

/// JSON for a map whose keys are not strings: a list of pairs.
mod role_pairs {
    use super::{BTreeMap, Deserialize, Role, Serialize};
    use serde::{Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        roles: &BTreeMap<Role, u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        roles.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Role, u64>, D::Error> {
        Ok(Vec::<(Role, u64)>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}

/// `repr()` of a Python string: single quotes unless double quotes avoid an escape, and escapes for
/// characters that Python considers unprintable (PEP 3138).
fn python_string(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut repr = String::from(quote);
    for c in text.chars() {
        let code = u32::from(c);
        let _ = match c {
            '\\' => write!(repr, "\\\\"),
            '\n' => write!(repr, "\\n"),
            '\r' => write!(repr, "\\r"),
            '\t' => write!(repr, "\\t"),
            _ if c == quote => write!(repr, "\\{c}"),
            _ if is_printable(c) => write!(repr, "{c}"),
            _ if code < 0x100 => write!(repr, "\\x{code:02x}"),
            _ if code < 0x1_0000 => write!(repr, "\\u{code:04x}"),
            _ => write!(repr, "\\U{code:08x}"),
        };
    }
    repr.push(quote);
    repr
}

/// `str.isprintable()` for one character.
fn is_printable(c: char) -> bool {
    use GeneralCategory as G;
    c == ' '
        || !matches!(
            get_general_category(c),
            G::Control
                | G::Format
                | G::Surrogate
                | G::PrivateUse
                | G::Unassigned
                | G::LineSeparator
                | G::ParagraphSeparator
                | G::SpaceSeparator
        )
}

/// `repr()` of a Python float. Rust's `{:?}` prints the same digits and switches to an exponent at
/// the same magnitudes; only the exponent is written differently (`1e16`, `1e+16`).
fn python_float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    let text = format!("{value:?}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests;
