//! `_id`s at even distances between the smallest and the largest, each found by one index lookup,
//! however many documents there are.
//!
//! Even distances mean even numbers of documents as long as `_id`s were assigned at a steady rate.
//! Where none were assigned, such as at night, several places lead to the same `_id`: such a gap is
//! measured and excluded, and the places are spread anew over the rest. What the index alone cannot
//! tell is that `_id`s were assigned faster at some times than at others.

use std::collections::BTreeMap;
use std::ops::Range;

use bson::raw::cstr;
use bson::rawdoc;
use futures::{StreamExt as _, TryStreamExt as _};

use super::key_space::{Scale, Spans};
use super::usable::{in_order, is_usable};
use crate::collection::collect::{ONE_ID, collect};
use crate::collection::identity::Collection;
use crate::error::Result;
use crate::id::DocumentId;

/// Maximum number of times that places are spread.
const ROUNDS: usize = 4;
/// Places are even enough once this many in sixteen lead to an `_id` of their own.
const SETTLED: usize = 15;
/// Maximum number of concurrent queries.
const AT_ONCE: usize = 8;

/// Which way to search from a bound, or from the end of the index.
#[derive(Debug, Clone, Copy)]
enum Direction {
    /// To the first `_id` that is not below the bound.
    Up,
    /// To the last `_id` that is below the bound.
    Down,
}

/// The `_id`s that places led to.
#[derive(Debug, Default)]
struct Found {
    /// Keyed by their own places.
    ids: BTreeMap<u128, DocumentId>,
    /// For `_id`s that several places led to: the first such place, mapped to the `_id`'s own.
    gaps: BTreeMap<u128, u128>,
}

/// About `places` `_id`s at even distances, and at least `needed` if that many can be found. `None`
/// if the `_id`s are of a kind without distances, or of several kinds.
pub(super) async fn interpolate(
    collection: &Collection,
    places: u64,
    needed: u64,
) -> Result<Option<Vec<DocumentId>>> {
    let smallest = nearest(collection, Direction::Up, None);
    let largest = nearest(collection, Direction::Down, None);
    let (Some(smallest), Some(largest)) = futures::try_join!(smallest, largest)? else {
        return Ok(None);
    };
    let Some(scale) = Scale::between(&smallest, &largest) else {
        return Ok(None);
    };
    let (Some(start), Some(end)) = (scale.place(&smallest), scale.place(&largest)) else {
        return Ok(None);
    };
    let mut spans = Spans::new(start..end);
    let mut all = BTreeMap::new();
    let mut round = 1;
    loop {
        let places = spans.places(places);
        let Found { mut ids, gaps } = find_from(collection, scale, &places).await?;
        // Nothing is below the smallest.
        ids.remove(&start);
        all.extend(ids.clone());
        let are_enough = ids.len() as u64 >= needed;
        let are_even = ids.len() * 16 >= places.len() * SETTLED;
        if round == ROUNDS || (are_enough && are_even) {
            let chosen = if are_enough { ids } else { all };
            return Ok(Some(in_order(chosen.into_values().collect())));
        }
        for empty in measure(collection, scale, gaps).await? {
            spans.cut(&empty);
        }
        round += 1;
    }
}

async fn find_from(collection: &Collection, scale: Scale, places: &[u128]) -> Result<Found> {
    let nearest = places.iter().map(|place| async {
        let bound = scale.id(*place)?;
        let id = nearest(collection, Direction::Up, Some(&bound)).await?;
        Ok(id.and_then(|id| Some((*place, scale.place(&id)?, id))))
    });
    let nearest = futures::stream::iter(nearest).buffered(AT_ONCE);
    let mut found = Found::default();
    let mut first_place = 0;
    for (place, at, id) in nearest.try_collect::<Vec<_>>().await?.into_iter().flatten() {
        if found.ids.insert(at, id).is_some() {
            found.gaps.entry(first_place).or_insert(at);
        } else {
            first_place = place;
        }
    }
    Ok(found)
}

/// The empty ranges around each place in `gaps`, up to the `_id` it led to.
async fn measure(
    collection: &Collection,
    scale: Scale,
    gaps: BTreeMap<u128, u128>,
) -> Result<Vec<Range<u128>>> {
    let empty = gaps.into_iter().map(|(place, end)| async move {
        let below = match collection.has_ids_in_index() {
            true => {
                let bound = scale.id(place)?;
                nearest(collection, Direction::Down, Some(&bound)).await?
            }
            // A clustered collection cannot be read backwards from a bound.
            false => None,
        };
        let below = below.and_then(|id| scale.place(&id));
        Ok(below.map_or(place, |below| below + 1)..end)
    });
    let empty = futures::stream::iter(empty).buffered(AT_ONCE);
    empty.try_collect().await
}

/// The `_id` nearest to the bound, if it is usable.
async fn nearest(
    collection: &Collection,
    direction: Direction,
    bound: Option<&DocumentId>,
) -> Result<Option<DocumentId>> {
    let (order, name) = match direction {
        Direction::Up => (1, cstr!("min")),
        Direction::Down => (-1, cstr!("max")),
    };
    let mut body = rawdoc! {
        "find": collection.name(),
        "filter": {},
        "projection": { "_id": 1 },
        "sort": { "_id": order },
        "hint": { "_id": 1 },
        "limit": 1,
        "singleBatch": true,
    };
    if let Some(bound) = bound {
        body.append(name, bound.as_document().to_owned());
    }
    let found = collect(collection, "find", body, 1, ONE_ID).await?;
    let id = found.first().map(|found| DocumentId::of(found));
    let id = id.transpose()?;
    let usable = id.filter(|id| id.value().is_ok_and(is_usable));
    Ok(usable)
}
