//! `_id`s that the server chooses (`$sample`), kept from doing more than that: from a twentieth of
//! the documents on, and where there are fewer than a hundred, MongoDB reads and sorts them all.

use std::time::Duration;

use bson::rawdoc;
use lob_core::settings::ByteSize;

use super::usable::{in_order, is_usable};
use crate::collection::collect::collect_once;
use crate::collection::identity::Collection;
use crate::collection::ranges::RangeSize;
use crate::error::{Error, Result, code};
use crate::id::DocumentId;
use crate::server::Command;

/// The documents to one chosen, at least.
const SHARE: u64 = 20;
/// With fewer documents, none is chosen.
const LEAST_DOCUMENTS: u64 = 100;
/// `_id`s to choose each bound from: ranges then differ by about a tenth.
const PER_RANGE: u64 = 100;
/// Each costs the server a read at random.
const MOST_CHOSEN: u64 = 10_000;
/// But so many to each bound, lest the largest range be many times the mean.
const LEAST_PER_RANGE: u64 = 10;
/// After this the server gives up.
const TIME: Duration = Duration::from_secs(30);
/// How often to ask where the server meets the same document too often.
const MOST_ATTEMPTS: u32 = 3;
/// `_id`s in one reply.
const BATCH_IDS: u32 = 1000;
/// What they may take.
const IDS_LIMIT: ByteSize = ByteSize::mib(64);

/// Ranges whose number is ours to choose are no more than can be cut evenly.
pub(super) fn most_even_ranges(ranges: u64, wanted: RangeSize) -> u64 {
    match wanted {
        RangeSize::Count(_) => ranges,
        RangeSize::Bytes(_) => ranges.min(MOST_CHOSEN / LEAST_PER_RANGE),
    }
}

/// How many places to ask for, to cut so many ranges and to read `even` documents.
pub(super) fn places(ranges: u64, even: u64) -> u64 {
    let bounds = ranges - 1;
    let places = (bounds * PER_RANGE)
        .min(MOST_CHOSEN)
        .max(bounds * LEAST_PER_RANGE);
    places.max(even)
}

/// `_id`s chosen at random; `None` where the server cannot do that within bounds, which is said
/// in a warning.
pub(super) async fn random_ids(
    collection: &Collection,
    places: u64,
    documents: u64,
) -> Result<Option<Vec<DocumentId>>> {
    let size = places.min((documents / SHARE).saturating_sub(1));
    if documents < LEAST_DOCUMENTS || size == 0 {
        return Ok(None);
    }
    let time = TIME.min(collection.database.server.operation_timeout / 2);
    let database = &collection.database;
    let mut body = rawdoc! {
        "aggregate": collection.name(),
        "pipeline": [{ "$sample": { "size": size as i64 } }, { "$project": { "_id": 1 } }],
        "cursor": { "batchSize": i64::from(BATCH_IDS) },
        "maxTimeMS": (time.as_millis() as i64).max(1),
    };
    database.pin(&mut body, collection.uuid());
    let command = Command::new("aggregate", collection.namespace());
    let attempt = || async {
        let mut left = MOST_ATTEMPTS;
        loop {
            left -= 1;
            let chosen = collect_once(database, &command, body.clone(), BATCH_IDS, IDS_LIMIT);
            match chosen.await {
                Err(error) if error.code() == Some(code::SAMPLED_TWICE) && left > 0 => {}
                Err(error) if is_vain(&error) => {
                    let namespace = collection.namespace();
                    tracing::warn!(%namespace, %error, "nothing of it is chosen at random");
                    return Ok(None);
                }
                chosen => return chosen.map(Some),
            }
        }
    };
    let chosen = database.server.retry(attempt).await;
    let Some(chosen) = chosen.map_err(|e| collection.or_replaced(e))? else {
        return Ok(None);
    };
    let mut ids = Vec::with_capacity(chosen.len());
    for document in &chosen {
        let id = DocumentId::of(document)?;
        if is_usable(id.value()?) {
            ids.push(id);
        }
    }
    Ok(Some(in_order(ids)))
}

/// True if to ask again would take as long, or has been of no use.
fn is_vain(error: &Error) -> bool {
    let vain = [code::MAX_TIME_EXPIRED, code::SAMPLED_TWICE];
    matches!(error, Error::TimedOut { .. }) || error.code().is_some_and(|code| vain.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_is_chosen_from_ten_at_least() {
        let asked = |ranges: u64, even, wanted| {
            let ranges = most_even_ranges(ranges, wanted);
            (places(ranges, even), ranges)
        };
        let derived = RangeSize::Bytes(ByteSize::gib(1));
        assert_eq!(asked(10_000, 1000, derived), (10_000, 1000));
        assert_eq!(asked(4, 0, derived), (300, 4));
        assert_eq!(
            asked(10_000, 1000, RangeSize::Count(10_000)),
            (99_990, 10_000)
        );
        assert_eq!(asked(1, 1000, RangeSize::Count(1)), (1000, 1));
    }
}
