//! What a collection is built from: the definition in a manifest, which is untrusted.
//!
//! Only known fields become part of a command, so the server cannot be asked for anything else. The
//! others are left out and reported: MongoDB versions come and go with fields of their own.

use bson::{Bson, Document, RawDocumentBuf, doc};

use super::definition::Definition;
use crate::error::{Error, Result, invalid};
use crate::extended_json::read;

/// The index fields that are passed on.
const INDEX_FIELDS: [&str; 19] = [
    "v",
    "key",
    "name",
    "unique",
    "sparse",
    "expireAfterSeconds",
    "hidden",
    "partialFilterExpression",
    "collation",
    "weights",
    "default_language",
    "language_override",
    "textIndexVersion",
    "2dsphereIndexVersion",
    "bits",
    "min",
    "max",
    // Of `geoHaystack`, up to MongoDB 4.4.
    "bucketSize",
    "wildcardProjection",
];
/// The index fields that are dropped without a report, because they say nothing about the index:
/// the collection, how the index was built, and that the collection is ordered by `_id`.
const SILENT_FIELDS: [&str; 3] = ["ns", "background", "clustered"];
/// The collection options that are passed on.
const OPTIONS: [&str; 4] = [
    "collation",
    "validator",
    "validationLevel",
    "validationAction",
];

/// A collection to create, and its indexes besides the one on `_id`.
#[derive(Debug, Clone, Default)]
pub struct Blueprint {
    /// The options to create it with.
    pub(crate) options: Document,
    /// Indexes to build before the collection is used.
    pub(crate) indexes: Vec<Document>,
    /// TTL indexes, to build once the collection is in place.
    pub(crate) expiring: Vec<Document>,
    /// Options and index fields that are not rebuilt.
    left_out: Vec<String>,
}

impl Blueprint {
    /// Reads a definition.
    ///
    /// # Errors
    /// [`Error::InvalidDefinition`] if an index or the options are malformed.
    pub fn read(definition: &Definition) -> Result<Self> {
        let mut blueprint = Self::default();
        if let Some(text) = &definition.options {
            for (name, value) in parse(text)? {
                if OPTIONS.contains(&name.as_str()) {
                    blueprint.options.insert(name, value);
                } else {
                    blueprint.left_out.push(name);
                }
            }
        }
        let is_collated = blueprint.options.contains_key("collation");
        for text in &definition.indexes {
            let Some(index) = index(parse(text)?, is_collated, &mut blueprint.left_out)? else {
                continue;
            };
            if index.contains_key("expireAfterSeconds") {
                blueprint.expiring.push(index);
            } else {
                blueprint.indexes.push(index);
            }
        }
        Ok(blueprint)
    }

    /// How many indexes are built before the collection is used.
    pub fn indexes(&self) -> usize {
        self.indexes.len()
    }

    /// How many TTL indexes are built once the collection is in place.
    pub fn expiring(&self) -> usize {
        self.expiring.len()
    }

    /// The names of the TTL indexes.
    pub fn expiring_names(&self) -> impl Iterator<Item = &str> {
        self.expiring
            .iter()
            .filter_map(|index| index.get_str("name").ok())
    }

    /// Skips the TTL indexes.
    pub fn leave_out_expiring(&mut self) {
        self.expiring.clear();
    }

    /// The names of the options and index fields that the original collection had and this one does
    /// not get.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The options in the form a command takes them.
    pub(crate) fn raw_options(&self) -> Result<RawDocumentBuf> {
        RawDocumentBuf::try_from(&self.options).map_err(invalid)
    }

    /// Whether inserts must bypass the validator: the documents existed before it did here, as may
    /// have been the case at their source.
    pub(crate) fn has_validator(&self) -> bool {
        self.options.contains_key("validator")
    }
}

fn parse(text: &str) -> Result<Document> {
    read(text).map_err(|error| Error::InvalidDefinition {
        reason: error.to_string(),
    })
}

/// The index to build; `None` for the one on `_id`, which always exists.
fn index(
    listed: Document,
    is_collated: bool,
    left_out: &mut Vec<String>,
) -> Result<Option<Document>> {
    let invalid = |reason: &str| Error::InvalidDefinition {
        reason: reason.to_owned(),
    };
    let (mut index, mut unknown) = (Document::new(), Vec::new());
    for (name, value) in listed {
        if INDEX_FIELDS.contains(&name.as_str()) {
            index.insert(name, value);
        } else if !SILENT_FIELDS.contains(&name.as_str()) {
            unknown.push(name);
        }
    }
    let Ok(key) = index.get_document("key") else {
        return Err(invalid("an index has no key"));
    };
    let Ok(name) = index.get_str("name") else {
        return Err(invalid("an index has no name"));
    };
    let unknown = unknown.into_iter();
    left_out.extend(unknown.map(|field| format!("{field} of the index `{name}`")));
    let is_number =
        |value: &Bson| matches!(value, Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_));
    if key.len() == 1 && key.get("_id").is_some_and(is_number) {
        return Ok(None);
    }
    // Without a collation of its own the index would inherit the collection's, which it did not
    // have.
    if is_collated && !index.contains_key("collation") {
        index.insert("collation", doc! { "locale": "simple" });
    }
    Ok(Some(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(indexes: &[&str], options: Option<&str>) -> Result<Blueprint> {
        Blueprint::read(&Definition {
            indexes: indexes.iter().map(|&index| index.to_owned()).collect(),
            options: options.map(str::to_owned),
        })
    }

    #[test]
    fn indexes_keep_their_field_order_and_ttl_indexes_are_set_apart() {
        let id = r#"{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"}"#;
        let two =
            r#"{"ns":"a.b","key":{"z":{"$numberInt":"1"},"a":{"$numberInt":"-1"}},"name":"two"}"#;
        let ttl = r#"{"key":{"t":1},"name":"ttl","expireAfterSeconds":{"$numberInt":"60"}}"#;
        let blueprint = of(&[id, two, ttl], None).unwrap();
        let two = doc! { "key": { "z": 1, "a": -1 }, "name": "two" };
        let ttl = doc! { "key": { "t": 1 }, "name": "ttl", "expireAfterSeconds": 60 };
        assert_eq!(
            (&blueprint.indexes, &blueprint.expiring),
            (&vec![two], &vec![ttl])
        );
    }

    #[test]
    fn options_that_are_not_rebuilt_are_named() {
        let options = r#"{"capped":true,"validator":{"a":{"$exists":true}},"size":4096}"#;
        let blueprint = of(&[], Some(options)).unwrap();
        assert_eq!(blueprint.left_out(), ["capped", "size"]);
        assert_eq!(
            blueprint.options,
            doc! { "validator": { "a": { "$exists": true } } }
        );
        assert!(blueprint.has_validator());
    }

    #[test]
    fn an_index_keeps_its_own_collation_in_a_collated_collection() {
        let options = Some(r#"{"collation":{"locale":"de"}}"#);
        let plain = r#"{"key":{"a":1},"name":"plain"}"#;
        let own = r#"{"key":{"b":1},"name":"own","collation":{"locale":"fr"}}"#;
        let indexes = of(&[plain, own], options).unwrap().indexes;
        let locale = |index: &Document| index.get_document("collation").unwrap().clone();
        assert_eq!(locale(&indexes[0]), doc! { "locale": "simple" });
        assert_eq!(locale(&indexes[1]), doc! { "locale": "fr" });
    }

    #[test]
    fn unknown_index_fields_are_left_out_and_named() {
        let id = r#"{"key":{"_id":1},"name":"_id_","ns":"a.b","clustered":true,"w":1}"#;
        let old = r#"{"key":{"a":1},"name":"old","background":true,"safe":true,"dropDups":true}"#;
        let new = r#"{"key":{"b":1},"name":"new","storageEngine":{},"prepareUnique":true}"#;
        let blueprint = of(&[id, old, new], Some(r#"{"recordIdsReplicated":true}"#)).unwrap();
        let left_out = [
            "recordIdsReplicated",
            "w of the index `_id_`",
            "safe of the index `old`",
            "dropDups of the index `old`",
            "storageEngine of the index `new`",
            "prepareUnique of the index `new`",
        ];
        assert_eq!(blueprint.left_out(), left_out);
        let old = doc! { "key": { "a": 1 }, "name": "old" };
        let new = doc! { "key": { "b": 1 }, "name": "new" };
        assert_eq!(blueprint.indexes, [old, new]);
        assert!(blueprint.options.is_empty());
    }

    #[test]
    fn rejects_a_malformed_index_definition() {
        for index in [
            r#"{"key":{"a":1}}"#,
            r#"{"key":5,"name":"a"}"#,
            r#"{"name":"a"}"#,
            r#"["a"]"#,
            "{",
        ] {
            let refused = of(&[index], None);
            assert!(
                matches!(refused, Err(Error::InvalidDefinition { .. })),
                "{index}"
            );
        }
        assert!(of(&[], Some("[]")).is_err());
    }
}
