//! Ranges of `_id` that can be scanned and resumed on their own.
//!
//! Where the cuts are only affects speed: whatever is chosen, the ranges leave no gap, the first
//! and the last are unbounded, and index bounds apply across types, so no document is outside of
//! them.

use std::cmp::Ordering;

use bson::raw::cstr;
use bson::{RawBson, rawdoc};
use futures::future::try_join_all;
use lob_core::settings::ByteSize;
use serde::{Deserialize, Serialize};

use super::collect::{ONE_ID, collect, ids_in_order, unless_refused};
use super::identity::Collection;
use super::size::CollectionSize;
use crate::error::Result;
use crate::id::DocumentId;

/// More ranges per collection than this cost more than they gain.
pub const MAX_RANGES: u32 = 10_000;
/// Smaller ranges than this cost more than they gain, unless they are asked for.
const SMALLEST: ByteSize = ByteSize::mib(128);

/// A half-open interval of `_id`: from `from` up to but excluding `to`. Without an end, the range
/// is unbounded on that side.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first `_id` that may be in the range.
    pub from: Option<DocumentId>,
    /// The first `_id` after the range.
    pub to: Option<DocumentId>,
}

impl IdRange {
    /// The ranges before, between and after the bounds.
    pub(super) fn between(bounds: Vec<DocumentId>) -> Vec<Self> {
        let mut ranges = Vec::with_capacity(bounds.len() + 1);
        let mut from = None;
        for bound in bounds {
            ranges.push(Self {
                from: from.replace(bound.clone()),
                to: Some(bound),
            });
        }
        ranges.push(Self { from, to: None });
        ranges
    }
}

/// How finely to cut; never into more than [`MAX_RANGES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeSize {
    /// Into exactly this many ranges, or one per document if there are fewer.
    Count(u32),
    /// Into ranges of about this many bytes of documents, or smaller ones, but not below 128 MiB,
    /// if there would be too few.
    Bytes {
        /// About how large a range may be.
        largest: ByteSize,
        /// How many ranges there should be at least.
        wanted: u32,
    },
}

impl RangeSize {
    /// The number of ranges.
    pub(crate) fn count(self, size: CollectionSize) -> u64 {
        let count = match self {
            Self::Count(count) => count.into(),
            Self::Bytes { largest, wanted } => {
                let needed = size.bytes.as_u64().div_ceil(largest.as_u64().max(1));
                let worthwhile = size.bytes.as_u64() / SMALLEST.as_u64();
                let count = needed.max(worthwhile.min(wanted.into()));
                count.min(size.documents)
            }
        };
        count.clamp(1, MAX_RANGES.into())
    }
}

/// The next `_id`s at distances of so many documents after `first` and before `to`, from the index
/// on `_id`, looked up together: `count` of them, or fewer if there are no more or the server refuses
/// to look.
pub(crate) async fn ids_after(
    collection: &Collection,
    first: &DocumentId,
    to: Option<&DocumentId>,
    documents: u32,
    count: u32,
) -> Result<Vec<DocumentId>> {
    // Nothing can come after the largest, and the server rejects such a bound.
    if *first.as_document() == *rawdoc! { "_id": RawBson::MaxKey } {
        return Ok(Vec::new());
    }
    let found = (1..=count).map(|nth| {
        let mut body = ids_in_order(collection);
        body.append(cstr!("min"), first.as_document().to_owned());
        body.append(cstr!("skip"), i64::from(documents) * i64::from(nth));
        body.append(cstr!("limit"), 1);
        body.append(cstr!("singleBatch"), true);
        if let Some(to) = to {
            body.append(cstr!("max"), to.as_document().to_owned());
        }
        collect(collection, "find", body, 1, ONE_ID)
    });
    let found = try_join_all(found).await;
    let found = unless_refused(collection, found, "one cursor reads the rest")?;
    let mut ids: Vec<DocumentId> = Vec::new();
    for found in found.iter().flatten() {
        let Some(found) = found.first() else {
            break;
        };
        let id = DocumentId::of(found)?;
        // Documents may come and go between the queries.
        if id.compare(ids.last().unwrap_or(first)) != Some(Ordering::Greater) {
            break;
        }
        ids.push(id);
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_smaller_where_few_would_be_left() {
        let count = |mib, documents, wanted| {
            let size = CollectionSize {
                documents,
                bytes: ByteSize::mib(mib),
                stored: None,
                is_sharded: false,
            };
            let largest = ByteSize::gib(1);
            RangeSize::Bytes { largest, wanted }.count(size)
        };
        for (mib, wanted, ranges) in [
            (0, 16, 1),
            (100, 16, 1),
            (900, 1, 1),
            (900, 4, 4),
            (900, 16, 7),
            (10 << 10, 4, 10),
            (10 << 10, 16, 16),
            (u64::from(MAX_RANGES + 5) << 10, 1, MAX_RANGES.into()),
        ] {
            assert_eq!(count(mib, 1 << 30, wanted), ranges, "{mib} MiB");
        }
        assert_eq!(count(900, 3, 16), 3);
    }
}
