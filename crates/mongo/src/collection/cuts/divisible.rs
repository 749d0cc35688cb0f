//! Whether part of a collection can be read on its own.

use std::cmp::Ordering;

use bson::raw::cstr;

use crate::collection::collect::{ONE_ID, collect, ids_in_order};
use crate::collection::identity::Collection;
use crate::error::{Error, Result, code};
use crate::id::DocumentId;

/// Warns about the obstacle if it cannot. An interrupted scan cannot be resumed then either.
pub(super) async fn is_divisible(collection: &Collection) -> Result<bool> {
    let obstacle = obstacle(collection).await?;
    if let Some(obstacle) = obstacle {
        let namespace = collection.namespace();
        tracing::warn!(%namespace, "{obstacle}, so it is read in one piece");
    }
    Ok(obstacle.is_none())
}

async fn obstacle(collection: &Collection) -> Result<Option<&'static str>> {
    Ok(if collection.is_collated() {
        Some("it has a collation")
    } else if !honours_bounds(collection).await? {
        Some("the server ignores bounds")
    } else {
        None
    })
}

/// Asks for what is below the smallest `_id`: a server that returns anything has ignored the bound.
async fn honours_bounds(collection: &Collection) -> Result<bool> {
    let mut first = ids_in_order(collection);
    first.append(cstr!("limit"), 1);
    first.append(cstr!("singleBatch"), true);
    let smallest = collect(collection, "find", first.clone(), 1, ONE_ID).await?;
    let Some(smallest) = smallest.first() else {
        return Ok(true);
    };
    let smallest = DocumentId::of(smallest)?;
    first.append(cstr!("max"), smallest.as_document().to_owned());
    match collect(collection, "find", first, 1, ONE_ID).await {
        // Another document may have arrived in the meantime.
        Ok(found) => found.first().map_or(Ok(true), |found| {
            Ok(DocumentId::of(found)?.compare(&smallest) == Some(Ordering::Less))
        }),
        Err(Error::Refused { source, .. }) if source.code == code::BOUNDS_IN_DISORDER => Ok(true),
        Err(Error::Refused { source, .. }) if !source.is_transient() => Ok(false),
        Err(e) => Err(e),
    }
}
