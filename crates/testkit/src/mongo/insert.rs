//! The `insert` command, including everything the real server changes or refuses in a document.

use std::collections::btree_map::Entry;
use std::time::{SystemTime, UNIX_EPOCH};

use bson::oid::ObjectId;
use bson::spec::ElementType;
use bytes::Bytes;

use super::arguments::Arguments;
use super::catalog::{Catalog, Namespace, id_pattern};
use super::element::{Value, elements, validate};
use super::failure::Failure;
use super::index::is_unique;
use super::limits::{MAX_BATCH, MAX_DOCUMENT_BYTES};
use super::order::Key;
use super::outcome::Outcome;
use crate::document_writer::DocumentWriter;

/// How deep a stored document may nest.
const MAX_STORED_DEPTH: usize = 180;

/// Options that apply to all documents of a command.
struct Rules<'a> {
    uuid: Option<Value<'a>>,
    bypass_validation: bool,
    keep_zero_timestamps: bool,
    check_depth: bool,
}

pub(crate) fn insert(
    catalog: &mut Catalog,
    namespace: &Namespace,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    let documents = arguments.documents("documents")?;
    let ordered = arguments.boolean("ordered")?.unwrap_or(true);
    let rules = Rules {
        uuid: arguments.collection_uuid()?,
        bypass_validation: arguments
            .boolean("bypassDocumentValidation")?
            .unwrap_or(false),
        keep_zero_timestamps: arguments
            .boolean("bypassEmptyTsReplacement")?
            .unwrap_or(false),
        check_depth: arguments.may_be_deeper_than(MAX_STORED_DEPTH),
    };
    arguments.finish()?;
    if documents.is_empty() || documents.len() > MAX_BATCH {
        let message = format!("Write batch sizes must be between 1 and {MAX_BATCH}.");
        return Err(Failure::new(16, message));
    }

    let count = documents.len();
    let (mut inserted, mut refused) = (0, 0);
    let mut errors = DocumentWriter::new();
    for (index, document) in documents.into_iter().enumerate() {
        match insert_one(catalog, namespace, &rules, document) {
            Ok(()) => inserted += 1,
            Err(failure) => {
                errors.document(refused.to_string(), &failure.write_error(index));
                refused += 1;
                if ordered {
                    break;
                }
            }
        }
    }
    let mut reply = DocumentWriter::new();
    reply.int32("n", inserted);
    if refused > 0 {
        reply.array("writeErrors", &errors.finish());
    }
    Ok(Outcome {
        reply,
        documents: count,
    })
}

fn insert_one(
    catalog: &mut Catalog,
    namespace: &Namespace,
    rules: &Rules<'_>,
    document: Bytes,
) -> Result<(), Failure> {
    if rules.check_depth && validate(&document).is_ok_and(|depth| depth > MAX_STORED_DEPTH) {
        let message = format!("document exceeds {MAX_STORED_DEPTH} levels of nesting");
        return Err(Failure::new(15, message));
    }
    let (id, stored) = stored_form(document, rules.keep_zero_timestamps)?;
    let collection = catalog.find_or_create(namespace, rules.uuid)?;
    if collection.has_validator() && !rules.bypass_validation {
        return Err(Failure::unsupported("validation of documents"));
    }
    if collection.indexes.iter().any(|index| is_unique(index)) {
        return Err(Failure::unsupported("inserts under a unique index"));
    }
    match collection.documents.entry(id) {
        Entry::Vacant(vacant) => {
            vacant.insert(stored);
            Ok(())
        }
        Entry::Occupied(_) => Err(duplicate(namespace, &stored)),
    }
}

fn duplicate(namespace: &Namespace, document: &[u8]) -> Failure {
    let mut key = DocumentWriter::new();
    if let Some(id) = elements(document).next() {
        key.element(id.value.kind, "_id", id.value.bytes);
    }
    Failure::duplicate_key(&namespace.to_string(), "_id_", &id_pattern(), &key.finish())
}

/// The document as the server stores it: `_id` first, and every top-level zero timestamp except
/// `_id` replaced by the current time. A document already in that form is kept as it is.
pub(crate) fn stored_form(
    document: Bytes,
    keep_zero_timestamps: bool,
) -> Result<(Key, Bytes), Failure> {
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
