//! Which collections of a database are splits, going by their names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use bson::rawdoc;

use super::identity::{Collection, Listed};
use crate::error::{Error, Result};
use crate::server::Database;

/// A collection name with `{N}` in place of the split's number, `split_{N}_input` by default. Name
/// and number are an inverse pair: `split_01_input` is not a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionPattern {
    before: String,
    after: String,
}

impl CollectionPattern {
    /// The name of the collection that holds this split.
    pub fn name(&self, split: u32) -> String {
        format!("{}{split}{}", self.before, self.after)
    }

    /// The split that a collection with this name holds, or `None`.
    pub fn split(&self, name: &str) -> Option<u32> {
        let digits = name.strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        digits
            .parse()
            .ok()
            .filter(|&split| self.name(split) == name)
    }

    /// Whether the name is not a split's, yet has digits where a split has its number.
    fn is_nearly(&self, name: &str) -> bool {
        let digits = name
            .strip_prefix(&self.before)
            .and_then(|rest| rest.strip_suffix(&self.after));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.is_some_and(|digits| !digits.is_empty() && is_number(digits))
            && self.split(name).is_none()
    }
}

impl Default for CollectionPattern {
    fn default() -> Self {
        Self {
            before: "split_".to_owned(),
            after: "_input".to_owned(),
        }
    }
}

impl FromStr for CollectionPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = |why| Err(format!("`{text}` is not a collection pattern: {why}"));
        let Some((before, after)) = text
            .split_once("{N}")
            .filter(|(_, after)| !after.contains("{N}"))
        else {
            return invalid("it must hold `{N}` exactly once");
        };
        if text.contains(['$', '\0']) || text.starts_with('.') || before.starts_with("system.") {
            return invalid("MongoDB does not allow such a collection name");
        }
        Ok(Self {
            before: before.to_owned(),
            after: after.to_owned(),
        })
    }
}

impl fmt::Display for CollectionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{{N}}{}", self.before, self.after)
    }
}

lob_core::serialize_as_text!(CollectionPattern);

/// A collection that holds a split.
#[derive(Debug, Clone)]
pub struct SplitCollection {
    /// The number in its name.
    pub split: u32,
    /// The collection itself.
    pub collection: Collection,
}

impl Database {
    /// The splits of this database, ordered by number: those in `wanted`, or all.
    ///
    /// # Errors
    /// There are no splits, a wanted one is missing, or one of them is a view or a time series.
    pub async fn splits(
        &self,
        pattern: &CollectionPattern,
        wanted: Option<&BTreeSet<u32>>,
    ) -> Result<Vec<SplitCollection>> {
        let listed = self.list_collections(rawdoc! {}).await?;
        for listed in listed.iter().filter(|l| pattern.is_nearly(&l.name)) {
            let namespace = self.namespace(&listed.name);
            tracing::warn!(%namespace, "ignored: the number of a split has no leading zeros and \
                                        is at most 4294967295");
        }
        let mut found: BTreeMap<u32, _> = listed
            .into_iter()
            .filter_map(|listed| Some((pattern.split(&listed.name)?, listed)))
            .collect();
        if found.is_empty() {
            let database = self.name().to_owned();
            return Err(Error::NoSplits {
                database,
                pattern: pattern.to_string(),
            });
        }
        if let Some(wanted) = wanted {
            let missing = wanted.iter().filter(|split| !found.contains_key(split));
            let missing: Vec<_> = missing.map(|&split| pattern.name(split)).collect();
            if !missing.is_empty() {
                let existing = found.keys().map(|&split| pattern.name(split)).collect();
                let database = self.name().to_owned();
                return Err(Error::NoSuchSplits {
                    database,
                    missing,
                    existing,
                });
            }
            found.retain(|split, _| wanted.contains(split));
        }
        let split = |(split, listed): (u32, Listed)| {
            Ok(SplitCollection {
                split,
                collection: listed.into_collection(self)?,
            })
        };
        found.into_iter().map(split).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_number_are_an_inverse_pair() {
        let pattern = CollectionPattern::default();
        for split in [0, 7, 10, u32::MAX] {
            assert_eq!(pattern.split(&pattern.name(split)), Some(split));
        }
        for name in [
            "split_01_input",
            "split_+1_input",
            "split__input",
            "split_1_inputs",
            "a_split_1_input",
            "split_4294967296_input",
            "split_input",
        ] {
            assert_eq!(pattern.split(name), None, "{name}");
        }
        for (name, is_nearly) in [
            ("split_01_input", true),
            ("split_4294967296_input", true),
            ("split_1_input", false),
            ("split_x_input", false),
            ("split__input", false),
        ] {
            assert_eq!(pattern.is_nearly(name), is_nearly, "{name}");
        }
        let overlapping: CollectionPattern = "1{N}1".parse().unwrap();
        assert_eq!(overlapping.split("11"), None);
        assert_eq!(overlapping.split("121"), Some(2));
    }

    #[test]
    fn a_collection_pattern_has_the_placeholder_exactly_once() {
        for text in ["split", "{N}{N}", "", "a$ {N}", "system.{N}"] {
            assert!(text.parse::<CollectionPattern>().is_err(), "{text}");
        }
        let pattern: CollectionPattern = "{N}".parse().unwrap();
        assert_eq!(pattern.to_string(), "{N}");
        assert_eq!(pattern.split("12"), Some(12));
    }
}
