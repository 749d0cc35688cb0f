//! The `insert` command, with everything the real server changes or refuses in a document.

use std::collections::btree_map::Entry;
use std::time::{SystemTime, UNIX_EPOCH};

use bson::oid::ObjectId;
use bson::spec::ElementType;
use bytes::Bytes;

use super::arguments::Arguments;
use super::catalog::{Catalog, Namespace, id_pattern};
use super::command::Outcome;
use super::element::{Value, elements};
use super::failure::Failure;
use super::index;
use super::order::Key;
use crate::document_writer::DocumentWriter;

/// The largest document in bytes.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;
/// The most documents in one command.
pub(crate) const MAX_BATCH: usize = 100_000;

pub(crate) fn insert(
    catalog: &mut Catalog,
    namespace: &Namespace,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    let documents = arguments.documents("documents")?;
    let ordered = arguments.boolean("ordered")?.unwrap_or(true);
    let uuid = arguments.collection_uuid()?;
    let bypass_validation = arguments
        .boolean("bypassDocumentValidation")?
        .unwrap_or(false);
    let keep_zero_timestamps = arguments
        .boolean("bypassEmptyTsReplacement")?
        .unwrap_or(false);
    arguments.finish()?;
    if documents.is_empty() || documents.len() > MAX_BATCH {
        let message = format!("Write batch sizes must be between 1 and {MAX_BATCH}.");
        return Err(Failure::new(16, message));
    }

    let count = documents.len();
    let (mut inserted, mut errors) = (0, Vec::new());
    for (index, document) in documents.into_iter().enumerate() {
        let result = stored_form(document, keep_zero_timestamps).and_then(|(id, stored)| {
            let collection = catalog.find_or_create(namespace, uuid)?;
            if collection.has_validator() && !bypass_validation {
                return Err(Failure::unsupported("validation of documents"));
            }
            if collection
                .indexes
                .iter()
                .any(|specification| index::is_unique(specification))
            {
                return Err(Failure::unsupported("inserts under a unique index"));
            }
            match collection.documents.entry(id) {
                Entry::Vacant(vacant) => {
                    vacant.insert(stored);
                    Ok(())
                }
                Entry::Occupied(_) => Err(duplicate(namespace, &stored)),
            }
        });
        match result {
            Ok(()) => inserted += 1,
            Err(failure) => {
                errors.push(failure.write_error(index));
                if ordered {
                    break;
                }
            }
        }
    }
    let mut reply = DocumentWriter::new();
    reply.int32("n", inserted);
    if !errors.is_empty() {
        let mut entries = DocumentWriter::new();
        for (position, error) in errors.iter().enumerate() {
            entries.document(position.to_string(), error);
        }
        reply.array("writeErrors", &entries.finish());
    }
    Ok(Outcome {
        reply,
        documents: count,
    })
}

fn duplicate(namespace: &Namespace, document: &[u8]) -> Failure {
    let mut key = DocumentWriter::new();
    if let Some(id) = elements(document).next() {
        key.element(id.value.kind, "_id", id.value.bytes);
    }
    Failure::duplicate_key(&namespace.to_string(), "_id_", &id_pattern(), &key.finish())
}

/// The document as the server keeps it: `_id` first, and the current time in place of each
/// top-level zero timestamp but that of `_id`. One that is already so is kept as it is.
fn stored_form(document: Bytes, keep_zero_timestamps: bool) -> Result<(Key, Bytes), Failure> {
    if document.len() > MAX_DOCUMENT_BYTES {
        let message = format!(
            "object to insert too large. size in bytes: {}",
            document.len()
        );
        return Err(Failure::new(2, message));
    }
    let mut id = None;
    let mut changes = false;
    for (position, element) in elements(&document).enumerate() {
        if element.name == b"_id" {
            if id.replace(element.value).is_some() {
                return Err(Failure::new(
                    2,
                    "can't have multiple _id fields in one document",
                ));
            }
            changes |= position > 0;
        } else {
            changes |= !keep_zero_timestamps && is_zero_timestamp(element.value);
        }
    }
    let generated = ObjectId::new().bytes();
    let id = match id {
        Some(id) => id,
        None => {
            changes = true;
            Value {
                kind: ElementType::ObjectId,
                bytes: &generated,
            }
        }
    };
    check_id(id)?;
    let key = Key::from(id);
    if !changes {
        return Ok((key, document));
    }
    let mut stored = DocumentWriter::with_capacity(document.len() + 17);
    stored.element(id.kind, "_id", id.bytes);
    for element in elements(&document).filter(|element| element.name != b"_id") {
        match is_zero_timestamp(element.value) && !keep_zero_timestamps {
            true => stored.element(ElementType::Timestamp, element.name, &current_timestamp()),
            false => stored.element(element.value.kind, element.name, element.value.bytes),
        };
    }
    Ok((key, stored.finish().into()))
}

fn check_id(id: Value<'_>) -> Result<(), Failure> {
    let refused = match id.kind {
        ElementType::Array => "array",
        ElementType::RegularExpression => "regex",
        ElementType::Undefined => "undefined",
        ElementType::EmbeddedDocument => return check_id_names(id.bytes),
        _ => return Ok(()),
    };
    Err(Failure::new(
        53,
        format!("The '_id' value cannot be of type {refused}"),
    ))
}

fn check_id_names(document: &[u8]) -> Result<(), Failure> {
    elements(document).try_for_each(|element| match element.value.kind {
        _ if element.name.starts_with(b"$") => Err(Failure::new(
            52,
            "_id fields may not contain '$'-prefixed fields",
        )),
        ElementType::EmbeddedDocument => check_id_names(element.value.bytes),
        _ => Ok(()),
    })
}

fn is_zero_timestamp(value: Value<'_>) -> bool {
    value.kind == ElementType::Timestamp && value.bytes == [0; 8]
}

fn current_timestamp() -> [u8; 8] {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    ((now.as_secs() << 32) | u64::from(now.subsec_nanos()) | 1).to_le_bytes()
}
