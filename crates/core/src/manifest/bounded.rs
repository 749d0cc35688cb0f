//! Lists and maps that are refused while they are read, as soon as they have more entries than any
//! run: an entry of a few bytes takes ten times as much memory, and a manifest may have a gigabyte.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Reads a list of at most `MOST` entries.
///
/// # Errors
/// It is not a list of such entries, or it has more.
pub fn list<'de, const MOST: usize, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_seq(ListOf::<MOST, T>(PhantomData))
}

/// Reads a map of at most `MOST` entries.
///
/// # Errors
/// It is not a map of such entries, or it has more.
pub(super) fn map<'de, const MOST: usize, T, D>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_map(MapOf::<MOST, T>(PhantomData))
}

fn check<E: Error>(entries: usize, most: usize) -> Result<(), E> {
    if entries < most {
        return Ok(());
    }
    Err(E::custom(format_args!("more than {most} entries")))
}

struct ListOf<const MOST: usize, T>(PhantomData<T>);

impl<'de, const MOST: usize, T: Deserialize<'de>> Visitor<'de> for ListOf<MOST, T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            check(entries.len(), MOST)?;
            entries.push(entry);
        }
        Ok(entries)
    }
}

struct MapOf<const MOST: usize, T>(PhantomData<T>);

impl<'de, const MOST: usize, T: Deserialize<'de>> Visitor<'de> for MapOf<MOST, T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BTreeMap<String, T>, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((name, value)) = map.next_entry()? {
            check(entries.len(), MOST)?;
            entries.insert(name, value);
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_or_map_with_one_entry_too_many_is_refused() {
        let read_list = |text: &str| {
            let mut json = serde_json::Deserializer::from_str(text);
            list::<2, u32, _>(&mut json).map_err(|error| error.to_string())
        };
        assert_eq!(read_list("[1,2]").unwrap(), [1, 2]);
        assert!(read_list("[1,2,3]").unwrap_err().contains("more than 2"));
        assert!(read_list("{}").unwrap_err().contains("a list"));
        let read_map = |text: &str| {
            let mut json = serde_json::Deserializer::from_str(text);
            map::<2, u32, _>(&mut json).map_err(|error| error.to_string())
        };
        assert_eq!(read_map(r#"{"a":1,"b":2}"#).unwrap()["b"], 2);
        assert!(
            read_map(r#"{"a":1,"b":2,"c":3}"#)
                .unwrap_err()
                .contains("more than 2")
        );
    }
}
