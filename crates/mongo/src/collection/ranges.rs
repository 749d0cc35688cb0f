//! Ranges of `_id` that can be scanned and resumed on their own.
//!
//! Where the cuts are decides about speed alone: whatever is chosen, the ranges leave no gap, the
//! first and the last are unbounded, and bounds of an index know no types, so that no document is
//! outside of them.

use lob_core::settings::ByteSize;
use serde::{Deserialize, Serialize};

use super::size::CollectionSize;
use crate::id::DocumentId;

/// More ranges of one collection than this cost more than they bring.
pub const MAX_RANGES: u32 = 10_000;

/// A half-open interval of `_id`: from `from` up to, but without, `to`. Where an end is absent the
/// range is unbounded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first `_id` that may be in it.
    pub from: Option<DocumentId>,
    /// The first `_id` after it.
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
    /// Into exactly so many ranges, or one for each document where there are fewer.
    Count(u32),
    /// Into ranges of about this many bytes of documents.
    Bytes(ByteSize),
}

impl RangeSize {
    /// The number of ranges.
    pub(crate) fn count(self, size: CollectionSize) -> u64 {
        let count = match self {
            Self::Count(count) => count.into(),
            Self::Bytes(bytes) => {
                let count = size.bytes.as_u64().div_ceil(bytes.as_u64().max(1));
                count.min(size.documents)
            }
        };
        count.clamp(1, MAX_RANGES.into())
    }
}
