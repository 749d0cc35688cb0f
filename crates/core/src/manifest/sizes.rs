//! Numbers of a manifest that are added up as they pass by: how many data files it lists and how
//! large they are, and documents by role. A manifest may list a million of them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The data files in a list of files, or of splits that have such lists. Anything else adds
/// nothing: it is for the reader of the whole manifest to refuse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl Sizes {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            files: self.files.saturating_add(other.files),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

impl<'de> Deserialize<'de> for Sizes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfLists)
    }
}

/// The sum of the numbers in a map, whatever their names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Total(pub(super) u64);

impl<'de> Deserialize<'de> for Total {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfMap)
    }
}

struct OfMap;

impl<'de> Visitor<'de> for OfMap {
    type Value = Total;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut numbers: A) -> Result<Total, A::Error> {
        let mut total = Total::default();
        while let Some((IgnoredAny, number)) = numbers.next_entry()? {
            total.0 = total.0.saturating_add(number);
        }
        Ok(total)
    }
}

struct OfLists;

impl<'de> Visitor<'de> for OfLists {
    type Value = Sizes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of files or splits")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Sizes, A::Error> {
        let mut sizes = Sizes::default();
        while let Some(item) = list.next_element::<Sizes>()? {
            sizes = sizes.plus(item);
        }
        Ok(sizes)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Sizes, A::Error> {
        let mut sizes = Sizes::default();
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                "files" => sizes = sizes.plus(fields.next_value()?),
                "size_bytes" => {
                    let size: Sizes = fields.next_value()?;
                    sizes = sizes.plus(Sizes { files: 1, ..size });
                }
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(sizes)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Sizes, E> {
        Ok(Sizes::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Sizes, E> {
        Ok(Sizes::default())
    }

    /// A size.
    fn visit_u64<E>(self, bytes: u64) -> Result<Sizes, E> {
        Ok(Sizes { files: 0, bytes })
    }

    fn visit_f64<E>(self, _: f64) -> Result<Sizes, E> {
        Ok(Sizes::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Sizes, E> {
        Ok(Sizes::default())
    }

    fn visit_unit<E>(self) -> Result<Sizes, E> {
        Ok(Sizes::default())
    }
}
