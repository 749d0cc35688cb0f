//! The statistics of documents, taken from the same bytes that are encoded.

use std::collections::BTreeSet;

use lob_columns::{BsonType, Element, Elements, MalformedBson};
use lob_core::statistics::{Role, Statistics};

/// Gathers the statistics of documents in the order of their `_id`s.
#[derive(Debug, Default)]
pub(crate) struct StatisticsBuilder {
    statistics: Statistics,
    /// Field names as bytes: they need not be UTF-8.
    fields: BTreeSet<Box<[u8]>>,
    /// The names of the last document in order: the next one's too, as a rule.
    last_names: Vec<Box<[u8]>>,
}

impl StatisticsBuilder {
    /// Takes in the next document.
    pub(crate) fn add(&mut self, document: &[u8]) -> Result<(), MalformedBson> {
        let is_first = self.statistics.num_documents == 0;
        let mut role = Role::Null;
        for (position, element) in Elements::of(document)?.enumerate() {
            let element = element?;
            self.note_name(position, element.name);
            match element.name {
                b"role" => role = role_of(&element),
                b"features" if is_first && element.bson_type == BsonType::Array => {
                    self.statistics.feature_length =
                        Some(Elements::of(element.value)?.count() as u64);
                }
                _ => {}
            }
        }
        self.statistics.num_documents += 1;
        match self.statistics.role_distribution.get_mut(&role) {
            Some(count) => *count += 1,
            None => drop(self.statistics.role_distribution.insert(role, 1)),
        }
        Ok(())
    }

    fn note_name(&mut self, position: usize, name: &[u8]) {
        match self.last_names.get_mut(position) {
            Some(last) if **last == *name => return,
            Some(last) => *last = name.into(),
            None => self.last_names.push(name.into()),
        }
        if !self.fields.contains(name) {
            self.fields.insert(name.into());
        }
    }

    /// The statistics of all documents taken in.
    pub(crate) fn finish(self) -> Statistics {
        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        let schema_fields = self.fields.iter().map(|name| text(name)).collect();
        Statistics {
            schema_fields,
            ..self.statistics
        }
    }
}

/// The last field of that name counts, as in Python's dictionary.
fn role_of(element: &Element<'_>) -> Role {
    let value = element.value;
    let other = || Role::Other(format!("{:?}", element.bson_type).to_lowercase());
    match element.bson_type {
        BsonType::Null => Role::Null,
        BsonType::Bool => value
            .first()
            .map_or_else(other, |byte| Role::Bool(*byte != 0)),
        BsonType::Int32 => value
            .try_into()
            .map_or_else(|_| other(), |v| Role::Int(i32::from_le_bytes(v).into())),
        BsonType::Int64 => value
            .try_into()
            .map_or_else(|_| other(), |v| Role::Int(i64::from_le_bytes(v))),
        BsonType::Double => value
            .try_into()
            .map_or_else(|_| other(), |v| Role::Double(u64::from_le_bytes(v))),
        // Four bytes of length in front, a zero byte behind.
        BsonType::String => match value.get(4..value.len().saturating_sub(1)) {
            Some(text) => Role::String(String::from_utf8_lossy(text).into_owned()),
            None => other(),
        },
        _ => other(),
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn roles_fields_and_the_first_feature_length_are_counted() {
        let mut builder = StatisticsBuilder::default();
        for document in [
            rawdoc! { "_id": 1, "role": "train", "features": [1.0, 2.0] },
            rawdoc! { "_id": 2, "role": "train", "features": [1.0] },
            rawdoc! { "_id": 3, "extra": true },
            rawdoc! { "_id": 4, "role": bson::RawBson::Null },
            rawdoc! { "_id": 5, "role": 7_i64 },
            rawdoc! { "_id": 6, "role": bson::DateTime::from_millis(0) },
        ] {
            builder.add(document.as_bytes()).unwrap();
        }
        let statistics = builder.finish();
        assert_eq!(statistics.num_documents, 6);
        assert_eq!(statistics.feature_length, Some(2));
        let fields: Vec<_> = statistics.schema_fields.iter().collect();
        assert_eq!(fields, ["_id", "extra", "features", "role"]);
        let roles: Vec<_> = statistics.role_distribution.into_iter().collect();
        let expected = [
            (Role::Null, 2),
            (Role::Int(7), 1),
            (Role::String("train".into()), 2),
            (Role::Other("date".into()), 1),
        ];
        assert_eq!(roles, expected);
    }

    #[test]
    fn a_first_document_without_features_has_no_feature_length() {
        let mut builder = StatisticsBuilder::default();
        builder
            .add(rawdoc! { "_id": 1, "features": "none" }.as_bytes())
            .unwrap();
        builder
            .add(rawdoc! { "_id": 2, "features": [1.0] }.as_bytes())
            .unwrap();
        assert_eq!(builder.finish().feature_length, None);
    }
}
