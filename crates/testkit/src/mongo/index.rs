//! `createIndexes` and `listIndexes`.
//!
//! Secondary indexes are remembered but never used for reads; all that matters is that a unique one
//! refuses data that violate it.

use std::collections::BTreeSet;

use bson::spec::ElementType;

use super::arguments::{Arguments, as_document, as_integer, as_str};
use super::catalog::{Catalog, Collection, Namespace};
use super::element::{elements, get};
use super::failure::Failure;
use super::order::Key;
use super::outcome::Outcome;
use crate::document_writer::DocumentWriter;

/// The fields allowed in an index specification.
const SPECIFICATION_FIELDS: [&[u8]; 7] = [
    b"v",
    b"key",
    b"name",
    b"unique",
    b"sparse",
    b"expireAfterSeconds",
    b"hidden",
];

pub(crate) fn create_indexes(
    catalog: &mut Catalog,
    namespace: &Namespace,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    let specifications = arguments.array("indexes")?.unwrap_or_default();
    let _one_node = arguments.take("commitQuorum");
    arguments.finish()?;
    let created = !catalog.contains(namespace);
    let collection = catalog.find_or_create(namespace, None)?;
    let before = collection.indexes.len();
    for specification in specifications {
        let specification = as_document(specification)
            .ok_or_else(|| Failure::new(14, "an index specification must be a document"))?;
        create(collection, namespace, specification)?;
    }
    let mut reply = DocumentWriter::new();
    reply.int32("numIndexesBefore", before as i32);
    reply.int32("numIndexesAfter", collection.indexes.len() as i32);
    reply.boolean("createdCollectionAutomatically", created);
    Ok(reply.into())
}

pub(crate) fn list_indexes(
    catalog: &Catalog,
    namespace: &Namespace,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    if arguments
        .document("cursor")?
        .is_some_and(|cursor| elements(cursor).next().is_some())
    {
        return Err(Failure::unsupported("a batch size for listIndexes"));
    }
    arguments.finish()?;
    let Some(collection) = catalog.find(namespace, None)? else {
        return Err(Failure::new(26, format!("ns does not exist: {namespace}")));
    };
    Ok(Outcome::whole_result(
        &namespace.to_string(),
        &collection.indexes,
    ))
}

/// Whether a specification requires all keys to be different.
pub(crate) fn is_unique(specification: &[u8]) -> bool {
    get(specification, "unique").is_some_and(|unique| {
        unique.kind == ElementType::Boolean && unique.bytes == [1] || as_integer(unique) == Some(1)
    })
}

fn create(
    collection: &mut Collection,
    namespace: &Namespace,
    specification: &[u8],
) -> Result<(), Failure> {
    for field in elements(specification) {
        if !SPECIFICATION_FIELDS.contains(&field.name) {
            let name = String::from_utf8_lossy(field.name);
            let message = format!("The field '{name}' is not valid for an index specification");
            return Err(Failure::new(197, message));
        }
    }
    let key = get(specification, "key").and_then(as_document);
    let name = get(specification, "name").and_then(as_str);
    let (Some(key), Some(name)) = (key, name) else {
        return Err(Failure::new(9, "an index needs a key and a name"));
    };
    for existing in &collection.indexes {
        let same_key = get(existing, "key").and_then(as_document) == Some(key);
        let same_name = get(existing, "name").and_then(as_str) == Some(name);
        match (same_key, same_name) {
            (true, true) => return Ok(()),
            (true, false) => {
                return Err(Failure::new(
                    85,
                    "Index already exists with a different name",
                ));
            }
            (false, true) => {
                return Err(Failure::new(86, "An existing index has the same name"));
            }
            (false, false) => {}
        }
    }
    if is_unique(specification) {
        check_unique(
            collection,
            namespace,
            name,
            key,
            get(specification, "sparse").is_some(),
        )?;
    }
    let mut stored = DocumentWriter::new();
    stored.int32("v", 2);
    for field in elements(specification).filter(|field| field.name != b"v") {
        stored.element(field.value.kind, field.name, field.value.bytes);
    }
    collection.indexes.push(stored.finish());
    Ok(())
}

fn check_unique(
    collection: &Collection,
    namespace: &Namespace,
    name: &str,
    pattern: &[u8],
    sparse: bool,
) -> Result<(), Failure> {
    if sparse {
        return Err(Failure::unsupported("sparse unique indexes"));
    }
    let mut seen = BTreeSet::new();
    for document in collection.documents.values() {
        let mut key = DocumentWriter::new();
        for part in elements(pattern) {
            let field = elements(document).find(|field| field.name == part.name);
            match field.map(|field| field.value) {
                _ if part.name.contains(&b'.') => {
                    return Err(Failure::unsupported("unique indexes on nested fields"));
                }
                Some(value) if value.kind == ElementType::Array => {
                    return Err(Failure::unsupported("unique indexes on arrays"));
                }
                Some(value) => key.element(value.kind, part.name, value.bytes),
                None => key.null(part.name),
            };
        }
        let key = key.finish();
        let value = super::element::Value {
            kind: ElementType::EmbeddedDocument,
            bytes: &key,
        };
        if !seen.insert(Key::from(value)) {
            return Err(Failure::duplicate_key(
                &namespace.to_string(),
                name,
                pattern,
                &key,
            ));
        }
    }
    Ok(())
}
