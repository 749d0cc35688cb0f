//! The `delete` command, as far as the tools use it: documents found by equality.

use super::arguments::{Arguments, as_document, as_integer};
use super::catalog::{Catalog, Namespace};
use super::element::{elements, get};
use super::failure::Failure;
use super::filter::Filter;
use super::outcome::Outcome;
use crate::document_writer::DocumentWriter;

pub(crate) fn delete(
    catalog: &mut Catalog,
    namespace: &Namespace,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    let statements = arguments.documents("deletes")?;
    let _first_failure_fails_all = arguments.boolean("ordered")?;
    arguments.finish()?;
    let mut deleted = 0;
    for statement in &statements {
        let query = get(statement, "q").and_then(as_document);
        let query = query.ok_or_else(|| Failure::new(14, "'q' must be a document"))?;
        let only_one = match get(statement, "limit").and_then(as_integer) {
            Some(0) => false,
            Some(1) => true,
            _ => return Err(Failure::new(9, "'limit' must be 0 or 1")),
        };
        if elements(statement).count() != 2 {
            return Err(Failure::unsupported("this delete statement"));
        }
        let filter = Filter::parse(query)?;
        let Some(collection) = catalog.find_mut(namespace, None)? else {
            continue;
        };
        let matching = collection
            .documents
            .iter()
            .filter(|(_, document)| filter.accepts(document));
        let limit = if only_one { 1 } else { usize::MAX };
        let ids: Vec<_> = matching.take(limit).map(|(id, _)| id.clone()).collect();
        deleted += ids.len();
        ids.iter()
            .for_each(|id| drop(collection.documents.remove(id)));
    }
    let mut reply = DocumentWriter::new();
    reply.int32("n", deleted as i32);
    Ok(Outcome {
        reply,
        documents: statements.len(),
    })
}
