//! Cuts a collection into ranges of `_id` that can be scanned and resumed on their own.
//!
//! Where the cuts are decides about speed alone: whatever is chosen, the ranges leave no gap, the
//! first and the last are unbounded, and bounds of an index know no types, so that no document is
//! outside of them.

use std::cmp::Ordering;

use bson::rawdoc;
use lob_core::byte_size::ByteSize;
use serde::{Deserialize, Serialize};

use super::collect::ONE_ID;
use super::identity::Collection;
use super::outline::{Choice, Outline};
use super::size::CollectionSize;
use crate::error::{Error, Result, code};
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

impl Outline {
    /// Ranges that hold every document, without gaps and in order. It is one range where the
    /// collection is not [divisible](Self::is_divisible), or nothing is known of where to cut it.
    pub fn ranges(&self) -> Vec<IdRange> {
        between(self.evenly(self.ranges - 1))
    }

    /// How the bounds of the ranges were chosen.
    pub fn ranges_choice(&self) -> Choice {
        match self.ranges {
            _ if self.ids.is_empty() => Choice::None,
            1 => Choice::None,
            _ => self.choice,
        }
    }
}

impl Collection {
    /// Whether a part of the collection can be read alone. Without that, a scan that was
    /// interrupted cannot be resumed either. Said in a warning where it is not so.
    ///
    /// # Errors
    /// A server that does not answer.
    pub(crate) async fn is_divisible(&self) -> Result<bool> {
        let obstacle = self.obstacle().await?;
        if let Some(obstacle) = obstacle {
            let namespace = self.namespace();
            tracing::warn!(%namespace, "{obstacle}, so it is read in one piece");
        }
        Ok(obstacle.is_none())
    }

    async fn obstacle(&self) -> Result<Option<&'static str>> {
        Ok(if self.is_collated() {
            Some("it has a collation")
        } else if !self.honours_bounds().await? {
            Some("the server ignores bounds")
        } else {
            None
        })
    }

    /// Asks for what is below the smallest `_id`: a server that returns anything else has ignored
    /// the bound.
    async fn honours_bounds(&self) -> Result<bool> {
        let mut first = rawdoc! {
            "find": self.name(),
            "projection": { "_id": 1 },
            "sort": { "_id": 1 },
            "hint": { "_id": 1 },
            "limit": 1,
            "singleBatch": true,
        };
        let smallest = self.collect("find", first.clone(), 1, ONE_ID).await?;
        let Some(smallest) = smallest.first() else {
            return Ok(true);
        };
        let smallest = DocumentId::of(smallest)?;
        first.append(bson::raw::cstr!("max"), smallest.as_document().to_owned());
        match self.collect("find", first, 1, ONE_ID).await {
            // Another document may have come meanwhile.
            Ok(found) => found.first().map_or(Ok(true), |found| {
                Ok(DocumentId::of(found)?.compare(&smallest) == Some(Ordering::Less))
            }),
            Err(Error::Refused { source, .. }) if source.code == code::BOUNDS_IN_DISORDER => {
                Ok(true)
            }
            Err(Error::Refused { source, .. }) if !source.is_transient() => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// The ranges before, between and after the bounds.
fn between(bounds: Vec<DocumentId>) -> Vec<IdRange> {
    let mut ranges = Vec::with_capacity(bounds.len() + 1);
    let mut from = None;
    for bound in bounds {
        ranges.push(IdRange {
            from: from.replace(bound.clone()),
            to: Some(bound),
        });
    }
    ranges.push(IdRange { from, to: None });
    ranges
}
