//! Cuts a collection into ranges of `_id` that can be scanned and resumed on their own.
//!
//! Where the cuts are decides about speed alone: whatever is chosen, the ranges leave no gap, the
//! first and the last are unbounded, and bounds of an index know no types, so that no document is
//! outside of them.

use std::cmp::Ordering;

use bson::spec::ElementType;
use bson::{RawDocumentBuf, rawdoc};
use lob_core::byte_size::ByteSize;
use serde::{Deserialize, Serialize};

use crate::collection::Collection;
use crate::error::{Error, Result, code};
use crate::id::DocumentId;

/// More ranges than this cost more than they bring.
const MOST_RANGES: u64 = 10_000;
/// Up to as many documents the server is asked for every `_id`, which it has in its index.
const ALL_IDS: u64 = 50_000;
/// `_id`s to choose each bound from: ranges then differ by about a tenth.
const SAMPLED_PER_RANGE: u64 = 100;
/// Each costs the server a read at random.
const MOST_SAMPLED: u64 = 10_000;
/// From a twentieth of the documents on, MongoDB reads the whole collection for a sample.
const SAMPLED_SHARE: u64 = 20;
/// `_id`s in one reply.
const BATCH_IDS: u32 = 1000;
/// Nothing is below the one or above the other.
const EXTREMES: [ElementType; 2] = [ElementType::MinKey, ElementType::MaxKey];
/// What the chosen `_id`s may take.
const IDS_LIMIT: ByteSize = ByteSize::mib(64);

/// A half-open interval of `_id`: from `from` up to, but without, `to`. Where an end is absent the
/// range is unbounded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first `_id` that may be in it.
    pub from: Option<DocumentId>,
    /// The first `_id` after it.
    pub to: Option<DocumentId>,
}

/// How finely to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeSize {
    /// Into so many ranges, if there are enough documents.
    Count(u32),
    /// Into ranges of about this many bytes of documents.
    Bytes(ByteSize),
}

impl Collection {
    /// Ranges that hold every document, without gaps and in order. It is one range where the
    /// collection is not [divisible](Self::is_divisible), or the server cannot choose where to cut,
    /// which is said in a warning.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn ranges(&self, wanted: RangeSize) -> Result<Vec<IdRange>> {
        let size = self.size().await?;
        let count = match wanted {
            RangeSize::Count(count) => count.into(),
            RangeSize::Bytes(bytes) => size.bytes.as_u64().div_ceil(bytes.as_u64().max(1)),
        };
        let count = count.min(size.documents).clamp(1, MOST_RANGES);
        if count == 1 || self.obstacle().await?.is_some() {
            return Ok(vec![IdRange::default()]);
        }
        let ids = match self.some_ids(count, size.documents).await {
            Ok(ids) => ids,
            Err(Error::Refused { source, .. }) if !source.is_transient() => {
                let namespace = self.namespace();
                tracing::warn!(%namespace, error = %source, "it cannot be cut into ranges");
                Vec::new()
            }
            Err(e) => return Err(e),
        };
        Ok(between(evenly(in_order(ids)?, count)))
    }

    /// Whether a part of the collection can be read alone. Without that, a scan that was
    /// interrupted cannot be resumed either. Said in a warning where it is not so.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn is_divisible(&self) -> Result<bool> {
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
        let smallest = self.collect("find", first.clone(), 1, IDS_LIMIT).await?;
        let Some(smallest) = smallest.first() else {
            return Ok(true);
        };
        let smallest = DocumentId::of(smallest)?;
        first.append(bson::raw::cstr!("max"), smallest.as_document().to_owned());
        match self.collect("find", first, 1, IDS_LIMIT).await {
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

    /// All `_id`s of a small collection, and of a large one some that were chosen at random.
    async fn some_ids(&self, ranges: u64, documents: u64) -> Result<Vec<RawDocumentBuf>> {
        if documents <= ALL_IDS {
            let body = rawdoc! {
                "find": self.name(),
                "projection": { "_id": 1 },
                "sort": { "_id": 1 },
                "hint": { "_id": 1 },
                "batchSize": i64::from(BATCH_IDS),
            };
            return self.collect("find", body, BATCH_IDS, IDS_LIMIT).await;
        }
        let size = (ranges * SAMPLED_PER_RANGE)
            .min(MOST_SAMPLED)
            .min(documents / SAMPLED_SHARE - 1);
        let body = rawdoc! {
            "aggregate": self.name(),
            "pipeline": [{ "$sample": { "size": size as i64 } }, { "$project": { "_id": 1 } }],
            "cursor": { "batchSize": i64::from(BATCH_IDS) },
        };
        self.collect("aggregate", body, BATCH_IDS, IDS_LIMIT).await
    }
}

/// The `_id`s by which a collection can be cut, each once and in order. One whose order is not known
/// is none of them, nor is the smallest or the largest of all, which bounds nothing.
fn in_order(documents: Vec<RawDocumentBuf>) -> Result<Vec<DocumentId>> {
    let mut ids = Vec::with_capacity(documents.len());
    for document in &documents {
        let id = DocumentId::of(document)?;
        let is_extreme = EXTREMES.contains(&id.value()?.kind);
        if id.compare(&id) == Some(Ordering::Equal) && !is_extreme {
            ids.push(id);
        }
    }
    ids.sort_by(|a, b| a.compare(b).unwrap_or(Ordering::Equal));
    ids.dedup_by(|a, b| a.compare(b) == Some(Ordering::Equal));
    Ok(ids)
}

/// One less than `count` of the `_id`s, evenly chosen, or all where there are not as many.
fn evenly(ids: Vec<DocumentId>, count: u64) -> Vec<DocumentId> {
    let (gaps, count) = (ids.len() + 1, count as usize);
    if gaps <= count {
        return ids;
    }
    let chosen = (1..count).map(|i| ids[i * gaps / count - 1].clone());
    chosen.collect()
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

#[cfg(test)]
mod tests {
    use bson::{Bson, Decimal128, doc};

    use super::*;

    fn bounds(ids: Vec<Bson>) -> Vec<String> {
        let document = |id| RawDocumentBuf::try_from(&doc! { "_id": id }).unwrap();
        let ids = in_order(ids.into_iter().map(document).collect()).unwrap();
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn bounds_are_in_order_and_none_is_doubtful() {
        let decimal = "2.5".parse::<Decimal128>().unwrap();
        let ids = vec![
            Bson::MaxKey,
            "b".into(),
            3.into(),
            decimal.into(),
            doc! { "a": decimal }.into(),
            "a".into(),
            3_i64.into(),
            3.0.into(),
            1.into(),
            Bson::MinKey,
            Bson::Null,
        ];
        assert_eq!(bounds(ids), ["null", "1", "3", "\"a\"", "\"b\""]);
    }

    #[test]
    fn bounds_are_chosen_evenly() {
        let id = |id: i32| DocumentId::of(&rawdoc! { "_id": id }).unwrap();
        let chosen = |ids: i32, count| {
            let ids = evenly((1..=ids).map(id).collect(), count);
            ids.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(chosen(99, 4), ["25", "50", "75"]);
        assert_eq!(chosen(3, 4), ["1", "2", "3"]);
        assert_eq!(chosen(2, 4), ["1", "2"]);
        assert_eq!(chosen(4, 4), ["1", "2", "3"]);
        assert!(chosen(9, 1).is_empty() && chosen(0, 4).is_empty());
    }
}
