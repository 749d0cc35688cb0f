//! The statistics of documents, taken from the same bytes that are encoded.

use std::collections::HashMap;

use lob_columns::{BsonType, Element, Elements, MalformedBson};
use lob_core::manifest::{NameRoom, Role, Statistics};

use crate::field_names::{FieldNames, START};

/// Gathers the statistics of documents in `_id` order.
#[derive(Debug, Default)]
pub(crate) struct StatisticsBuilder {
    statistics: Statistics,
    /// Documents per role; a role is its type followed by its bytes.
    roles: HashMap<Box<[u8]>, u64>,
    role_room: NameRoom,
    last_role: Vec<u8>,
    names: FieldNames,
}

impl StatisticsBuilder {
    /// Adds the next document.
    pub(crate) fn add(&mut self, document: &[u8]) -> Result<(), MalformedBson> {
        let is_first = self.statistics.num_documents == 0;
        self.last_role.clear();
        self.last_role.push(BsonType::Null.code());
        let mut last_name = START;
        for element in Elements::of(document)? {
            let element = element?;
            match self.names.next(last_name, element.name) {
                Some(name) => last_name = name,
                None => self.statistics.has_further_fields = true,
            }
            match element.name {
                b"role" => {
                    self.last_role.clear();
                    self.last_role.push(element.bson_type.code());
                    self.last_role.extend_from_slice(counted(&element));
                }
                b"features" if is_first && element.bson_type == BsonType::Array => {
                    self.statistics.feature_length =
                        Some(Elements::of(element.value)?.count() as u64);
                }
                _ => {}
            }
        }
        self.statistics.num_documents += 1;
        if let Some(count) = self.roles.get_mut(&*self.last_role) {
            *count += 1;
        } else if self.role_room.take(self.last_role.len()) {
            self.roles.insert(self.last_role.as_slice().into(), 1);
        } else {
            self.statistics.further_roles += 1;
        }
        Ok(())
    }

    /// The statistics of all documents added.
    pub(crate) fn finish(self) -> Statistics {
        let mut statistics = self.statistics;
        statistics.schema_fields = self.names.texts().collect();
        for (role, count) in &self.roles {
            let (code, value) = role.split_first().unwrap_or((&0, &[]));
            let role = role_of(*code, value);
            *statistics.role_distribution.entry(role).or_default() += count;
        }
        statistics
    }
}

/// The bytes that distinguish a role from others of its type.
fn counted<'a>(element: &Element<'a>) -> &'a [u8] {
    match element.bson_type {
        BsonType::Bool
        | BsonType::Int32
        | BsonType::Int64
        | BsonType::Double
        | BsonType::String => element.value,
        _ => &[],
    }
}

/// The role with this type and these bytes. If a document has several `role` fields, the last one
/// counts, as in a Python dictionary.
fn role_of(code: u8, value: &[u8]) -> Role {
    let Ok(bson_type) = BsonType::of(code) else {
        return Role::Null;
    };
    let other = || Role::Other(bson_type.name().to_lowercase());
    match bson_type {
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
        // Preceded by a four-byte length and followed by a zero byte.
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
    fn statistics_have_roles_fields_and_the_first_feature_length() {
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
    fn roles_and_names_beyond_the_limit_are_only_counted() {
        let mut builder = StatisticsBuilder::default();
        for number in 0..10_100 {
            let name = bson::raw::CString::try_from(format!("name{number}")).unwrap();
            let mut document = rawdoc! { "role": format!("user {number}") };
            document.append(name, 1);
            builder.add(document.as_bytes()).unwrap();
        }
        builder
            .add(rawdoc! { "role": "user 7" }.as_bytes())
            .unwrap();
        let statistics = builder.finish();
        assert_eq!(statistics.role_distribution.len(), 10_000);
        assert_eq!(statistics.further_roles, 100);
        assert_eq!(statistics.schema_fields.len(), 10_000);
        assert!(statistics.has_further_fields);
        assert_eq!(statistics.checksum(), "unknown");
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
