//! The `aggregate` command, for the pipelines that the tools and their driver send: a random
//! sample, and the driver's way of counting.

use std::collections::VecDeque;

use bson::spec::ElementType;
use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::index::sample;

use super::arguments::{Arguments, as_document, as_integer};
use super::catalog::{Catalog, Collection, Namespace};
use super::cursor::{BatchLimits, Cursor, Cursors, DEFAULT_FIRST_BATCH, Source};
use super::element::{Value, elements, get};
use super::failure::Failure;
use super::filter::Filter;
use super::find::{empty_result, matching, projects_id, take_hint};
use super::options::MongoOptions;
use super::outcome::Outcome;
use crate::document_writer::DocumentWriter;

/// Runs `[{$sample: {size}}]`, with or without `{$project: {_id: 1}}` after it, and
/// `[{$match}, {$group: {_id: 1, n: {$sum: 1}}}]`, which is how drivers count.
pub(crate) fn aggregate(
    catalog: &Catalog,
    cursors: &mut Cursors,
    options: &MongoOptions,
    namespace: Namespace,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    let pipeline = arguments.array("pipeline")?.unwrap_or_default();
    let Some(batch_options) = arguments.document("cursor")? else {
        return Err(Failure::new(9, "The 'cursor' option is required"));
    };
    let batch_size = get(batch_options, "batchSize").and_then(as_integer);
    let batch_size = batch_size.and_then(|size| usize::try_from(size).ok());
    let hinted = take_hint(&mut arguments)?;
    let uuid = arguments.collection_uuid()?;
    arguments.finish()?;
    let stages = pipeline.into_iter().map(stage).collect::<Option<Vec<_>>>();
    let Some(collection) = catalog.find(&namespace, uuid)? else {
        return Ok(empty_result(&namespace));
    };
    hinted.check()?;
    let unsupported = || Failure::unsupported("this pipeline");
    let (documents, ids_only) = match stages.as_deref().ok_or_else(unsupported)? {
        [(b"$sample", size)] => (chosen(collection, size)?, false),
        [(b"$sample", size), (b"$project", shape)] => {
            (chosen(collection, size)?, projects_id(shape)?)
        }
        [(b"$match", query), (b"$group", group)] if counts_everything(group) => {
            let count = matching(collection, &Filter::parse(query)?) as i32;
            let result = DocumentWriter::new()
                .int32("_id", 1)
                .int32("n", count)
                .finish();
            let results = if count == 0 {
                Vec::new()
            } else {
                vec![result.into()]
            };
            (results, false)
        }
        _ => return Err(unsupported()),
    };
    let cursor = Cursor {
        namespace,
        uuid: collection.uuid,
        source: Source::Chosen(documents.into()),
        remaining: None,
        ids_only,
        held_back: VecDeque::new(),
    };
    let documents = Some(batch_size.unwrap_or(DEFAULT_FIRST_BATCH));
    let limits = BatchLimits {
        documents,
        capped: !options.uncapped_replies,
    };
    Ok(cursors.first_batch(collection, cursor, limits, false))
}

/// The name and document of a pipeline stage.
fn stage(stage: Value<'_>) -> Option<(&[u8], &[u8])> {
    let only = elements(as_document(stage)?).next()?;
    Some((only.name, as_document(only.value)?))
}

fn counts_everything(group: &[u8]) -> bool {
    let mut fields = elements(group);
    let (id, sum) = (fields.next(), fields.next());
    id.is_some_and(|id| id.name == b"_id" && id.value.kind == ElementType::Int32)
        && sum.is_some_and(|sum| {
            let one = as_document(sum.value).and_then(|sum| get(sum, "$sum"));
            sum.name == b"n" && one.and_then(as_integer) == Some(1)
        })
        && fields.next().is_none()
}

/// As many distinct documents as asked for; always the same ones.
fn chosen(collection: &Collection, sample_stage: &[u8]) -> Result<Vec<Bytes>, Failure> {
    let size = get(sample_stage, "size").and_then(as_integer);
    let size = size
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| *size > 0);
    let size =
        size.ok_or_else(|| Failure::new(28747, "size argument to $sample must be positive"))?;
    let documents: Vec<_> = collection.documents.values().collect();
    let mut randomness = StdRng::seed_from_u64(documents.len() as u64);
    let positions = sample(&mut randomness, documents.len(), size.min(documents.len()));
    Ok(positions
        .into_iter()
        .map(|position| documents[position].clone())
        .collect())
}
