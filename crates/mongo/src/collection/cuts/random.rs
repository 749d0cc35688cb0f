//! `_id`s that the server chooses (`$sample`), within limits that keep it cheap: for a twentieth of
//! the documents or more, and for fewer than a hundred documents, MongoDB reads and sorts them all.

use std::time::Duration;

use bson::rawdoc;
use lob_core::settings::ByteSize;

use super::usable::{in_order, is_usable};
use crate::collection::collect::collect_once;
use crate::collection::id_range::RangeSize;
use crate::collection::identity::Collection;
use crate::error::{Error, Result, code};
use crate::id::DocumentId;
use crate::server::Command;

/// At least this many documents for each one chosen.
const SHARE: u64 = 20;
/// With fewer documents, none is chosen.
const LEAST_DOCUMENTS: u64 = 100;
/// `_id`s to choose each bound from: ranges then differ in size by about a tenth.
const PER_RANGE: u64 = 100;
/// Each costs the server a random read.
const MOST_CHOSEN: u64 = 10_000;
/// But at least this many per bound, or the largest range would be many times the mean.
const LEAST_PER_RANGE: u64 = 10;
/// The server gives up after this time.
const TIME: Duration = Duration::from_secs(30);
/// How often to ask when the server keeps meeting the same document.
const MOST_ATTEMPTS: u32 = 3;
/// `_id`s per reply.
const BATCH_IDS: u32 = 1000;
/// Maximum size of all the `_id`s.
const IDS_LIMIT: ByteSize = ByteSize::mib(64);

/// If the number of ranges is ours to choose, no more than can be cut evenly.
pub(super) fn most_even_ranges(ranges: u64, wanted: RangeSize) -> u64 {
    match wanted {
        RangeSize::Count(_) => ranges,
        RangeSize::Bytes { .. } => ranges.min(MOST_CHOSEN / LEAST_PER_RANGE),
    }
}

/// How many places to ask for to cut this many ranges and read `even` documents.
pub(super) fn places(ranges: u64, even: u64) -> u64 {
    let bounds = ranges - 1;
    let places = (bounds * PER_RANGE)
        .min(MOST_CHOSEN)
        .max(bounds * LEAST_PER_RANGE);
    places.max(even)
}

/// `_id`s chosen at random; `None` with a warning if the server cannot do that within bounds.
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
                    tracing::warn!(%namespace, %error, "it cannot be sampled at random");
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

/// Whether asking again would take just as long, or has already proved useless.
fn is_vain(error: &Error) -> bool {
    let vain = [code::MAX_TIME_EXPIRED, code::SAMPLED_TWICE];
    matches!(error, Error::TimedOut { .. }) || error.code().is_some_and(|code| vain.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_is_chosen_from_at_least_ten_ids() {
        let asked = |ranges: u64, even, wanted| {
            let ranges = most_even_ranges(ranges, wanted);
            (places(ranges, even), ranges)
        };
        let derived = RangeSize::Bytes {
            largest: ByteSize::gib(1),
            wanted: 1,
        };
        assert_eq!(asked(10_000, 1000, derived), (10_000, 1000));
        assert_eq!(asked(4, 0, derived), (300, 4));
        assert_eq!(
            asked(10_000, 1000, RangeSize::Count(10_000)),
            (99_990, 10_000)
        );
        assert_eq!(asked(1, 1000, RangeSize::Count(1)), (1000, 1));
    }
}
