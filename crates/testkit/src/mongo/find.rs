//! Read commands: `find`, `getMore`, `killCursors`, `count`.

use std::collections::VecDeque;
use std::ops::Bound;

use super::arguments::{Arguments, as_document, as_integer, as_str};
use super::catalog::{Catalog, Collection, Namespace};
use super::cursor::{BatchLimits, Cursor, Cursors, DEFAULT_FIRST_BATCH, Source};
use super::element::elements;
use super::failure::Failure;
use super::filter::Filter;
use super::options::MongoOptions;
use super::order::Key;
use super::outcome::Outcome;
use crate::document_writer::DocumentWriter;

pub(crate) fn find(
    catalog: &Catalog,
    cursors: &mut Cursors,
    options: &MongoOptions,
    namespace: Namespace,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    let filter = Filter::parse(arguments.document("filter")?.unwrap_or_default())?;
    let ids_only = match arguments.document("projection")? {
        None => false,
        Some(projection) => projects_id(projection)?,
    };
    let sort = arguments.document("sort")?;
    let goes_down = sort.is_some_and(|sort| is_id_pattern(sort, -1));
    if !goes_down && sort.is_some_and(|sort| !is_id_pattern(sort, 1)) {
        return Err(Failure::unsupported("this sort"));
    }
    let hinted = take_hint(&mut arguments)?;
    let (min, max) = (arguments.document("min")?, arguments.document("max")?);
    let skip = arguments.count("skip")?.unwrap_or_default();
    let limit = arguments.count("limit")?.filter(|limit| *limit > 0);
    let batch_size = arguments.count("batchSize")?.unwrap_or(DEFAULT_FIRST_BATCH);
    let single_batch = arguments.boolean("singleBatch")?.unwrap_or(false);
    let _no_time_outs_here = arguments.boolean("noCursorTimeout")?;
    let uuid = arguments.collection_uuid()?;
    arguments.finish()?;

    let Some(collection) = catalog.find(&namespace, uuid)? else {
        return Ok(empty_result(&namespace));
    };
    let (from, to) = if options.ignore_bounds {
        (Bound::Unbounded, Bound::Unbounded)
    } else {
        hinted.check()?;
        bounds(min, max, hinted)?
    };
    let source = match limit {
        _ if !goes_down && skip == 0 => Source::Range { from, to, filter },
        None => return Err(Failure::unsupported("this sort or skip without a limit")),
        Some(limit) => {
            let found = collection.documents.range((from, to));
            let found = found.map(|(_, document)| document);
            let found = found.filter(|document| filter.accepts(document));
            let found: Vec<_> = match goes_down {
                true => found.rev().skip(skip).take(limit).collect(),
                false => found.skip(skip).take(limit).collect(),
            };
            Source::Chosen(found.into_iter().cloned().collect())
        }
    };
    let cursor = Cursor {
        namespace,
        uuid: collection.uuid,
        source,
        remaining: limit,
        ids_only,
        held_back: VecDeque::new(),
    };
    let limits = BatchLimits {
        documents: Some(batch_size),
        capped: !options.uncapped_replies,
    };
    Ok(cursors.first_batch(collection, cursor, limits, single_batch))
}

pub(crate) fn get_more(
    catalog: &Catalog,
    cursors: &mut Cursors,
    options: &MongoOptions,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    let id = arguments.target_int64()?;
    let collection = arguments
        .string("collection")?
        .unwrap_or_default()
        .to_owned();
    let namespace = Namespace {
        database: arguments.database.to_owned(),
        collection,
    };
    let documents = arguments.count("batchSize")?.filter(|size| *size > 0);
    arguments.finish()?;
    let limits = BatchLimits {
        documents,
        capped: !options.uncapped_replies,
    };
    cursors.next_batch(catalog, id, &namespace, limits)
}

pub(crate) fn kill_cursors(
    cursors: &mut Cursors,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    let ids = arguments.array("cursors")?.unwrap_or_default();
    arguments.finish()?;
    let (mut killed, mut not_found) = (Vec::new(), Vec::new());
    for id in ids.into_iter().filter_map(as_integer) {
        if cursors.kill(id) {
            killed.push(id)
        } else {
            not_found.push(id)
        }
    }
    let mut reply = DocumentWriter::new();
    for (name, ids) in [
        ("cursorsKilled", killed),
        ("cursorsNotFound", not_found),
        ("cursorsAlive", Vec::new()),
        ("cursorsUnknown", Vec::new()),
    ] {
        let mut array = DocumentWriter::new();
        for (position, id) in ids.into_iter().enumerate() {
            array.int64(position.to_string(), id);
        }
        reply.array(name, &array.finish());
    }
    Ok(reply.into())
}

pub(crate) fn count(
    catalog: &Catalog,
    namespace: &Namespace,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    let filter = Filter::parse(arguments.document("query")?.unwrap_or_default())?;
    let hinted = take_hint(&mut arguments)?;
    arguments.finish()?;
    let count = match catalog.find(namespace, None)? {
        None => 0,
        Some(collection) => {
            hinted.check()?;
            matching(collection, &filter)
        }
    };
    let mut reply = DocumentWriter::new();
    reply.int32("n", count as i32);
    Ok(reply.into())
}

/// The `hint` argument of a command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hint {
    Absent,
    Id,
    Other,
}

impl Hint {
    pub(crate) fn check(self) -> Result<(), Failure> {
        match self {
            Self::Other => Err(Failure::new(
                2,
                "hint provided does not correspond to an existing index",
            )),
            _ => Ok(()),
        }
    }
}

pub(crate) fn take_hint(arguments: &mut Arguments<'_>) -> Result<Hint, Failure> {
    Ok(match arguments.take("hint") {
        None => Hint::Absent,
        Some(hint) if as_str(hint) == Some("_id_") => Hint::Id,
        Some(hint) if as_document(hint).is_some_and(|hint| is_id_pattern(hint, 1)) => Hint::Id,
        Some(_) => Hint::Other,
    })
}

/// Index bounds: inclusive below, exclusive above. A missing bound is replaced by the smallest or
/// largest key, so no scan with `min` finds `_id: MaxKey`.
fn bounds(
    min: Option<&[u8]>,
    max: Option<&[u8]>,
    hint: Hint,
) -> Result<(Bound<Key>, Bound<Key>), Failure> {
    if min.is_none() && max.is_none() {
        return Ok((Bound::Unbounded, Bound::Unbounded));
    }
    if hint != Hint::Id {
        let message = "When using min()/max() a hint of which index to use must be provided";
        return Err(Failure::new(51173, message));
    }
    let from = min.map_or(Ok(Key::min()), bound)?;
    let to = max.map_or(Ok(Key::max()), bound)?;
    if from >= to {
        let message = "The value provided for min() does not come before the value for max()";
        return Err(Failure::new(51175, message));
    }
    Ok((Bound::Included(from), Bound::Excluded(to)))
}

fn bound(document: &[u8]) -> Result<Key, Failure> {
    let mut fields = elements(document);
    match (fields.next(), fields.next()) {
        (Some(field), None) if field.name == b"_id" => Ok(field.value.into()),
        _ => Err(Failure::new(
            51174,
            "The index chosen is not compatible with min/max",
        )),
    }
}

fn is_id_pattern(document: &[u8], direction: i64) -> bool {
    let mut fields = elements(document);
    let first = fields.next();
    first.is_some_and(|field| field.name == b"_id" && as_integer(field.value) == Some(direction))
        && fields.next().is_none()
}

pub(crate) fn projects_id(projection: &[u8]) -> Result<bool, Failure> {
    if is_id_pattern(projection, 1) {
        Ok(true)
    } else {
        Err(Failure::unsupported("this projection"))
    }
}

pub(crate) fn matching(collection: &Collection, filter: &Filter) -> usize {
    collection
        .everywhere()
        .filter(|document| filter.accepts(document))
        .count()
}

pub(crate) fn empty_result(namespace: &Namespace) -> Outcome {
    let mut cursor = DocumentWriter::new();
    cursor.array("firstBatch", &DocumentWriter::new().finish());
    cursor.int64("id", 0).string("ns", namespace.to_string());
    let mut reply = DocumentWriter::new();
    reply.document("cursor", &cursor.finish());
    reply.into()
}
