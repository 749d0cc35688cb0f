//! The `update` command, as far as tests that write need it: one document, found by equality, is
//! replaced by another with the same `_id`.

use super::arguments::{Arguments, as_document};
use super::catalog::{Catalog, Namespace};
use super::element::{elements, get};
use super::failure::Failure;
use super::filter::Filter;
use super::insert::stored_form;
use super::outcome::Outcome;
use crate::document_writer::DocumentWriter;

pub(crate) fn update(
    catalog: &mut Catalog,
    namespace: &Namespace,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    let statements = arguments.documents("updates")?;
    let _first_failure_fails_all = arguments.boolean("ordered")?;
    arguments.finish()?;
    let mut found = 0;
    for statement in &statements {
        let part = |name| get(statement, name).and_then(as_document);
        let (Some(query), Some(replacement)) = (part("q"), part("u")) else {
            return Err(Failure::new(9, "'q' and 'u' must be documents"));
        };
        let is_operator = elements(replacement).any(|element| element.name.starts_with(b"$"));
        if elements(statement).count() != 2 || is_operator {
            return Err(Failure::unsupported("this update statement"));
        }
        let filter = Filter::parse(query)?;
        let Some(collection) = catalog.find_mut(namespace, None)? else {
            continue;
        };
        let stored = collection.documents.iter_mut();
        for (key, stored) in stored.filter(|(_, stored)| filter.accepts(stored)).take(1) {
            let mut document = DocumentWriter::with_capacity(replacement.len() + 17);
            if get(replacement, "_id").is_none()
                && let Some(id) = get(stored, "_id")
            {
                document.element(id.kind, "_id", id.bytes);
            }
            for element in elements(replacement) {
                document.element(element.value.kind, element.name, element.value.bytes);
            }
            let (new_key, document) = stored_form(document.finish().into(), false)?;
            if new_key != *key {
                return Err(Failure::new(66, "the immutable field '_id' was altered"));
            }
            found += 1;
            *stored = document;
        }
    }
    let mut reply = DocumentWriter::new();
    // As on the real server, replacing a document with itself counts too.
    reply.int32("n", found).int32("nModified", found);
    Ok(Outcome {
        reply,
        documents: statements.len(),
    })
}
