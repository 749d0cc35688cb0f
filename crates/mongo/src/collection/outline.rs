//! `_id`s at even distances through a collection: what its sample is read at and its ranges are cut
//! at.
//!
//! The same collection has the same ones wherever they can be had in bounded time, so that exports
//! of it can be compared: up to some millions of documents the index on `_id` is walked; above that
//! ObjectIds and numbers are looked for at even distances between the smallest and the largest.
//! Only for the rest does the server choose at random.

mod interpolate;
mod key_space;
mod random;
mod walk;

use std::cmp::Ordering;

use bson::spec::ElementType;
use serde::{Deserialize, Serialize};

use super::identity::Collection;
use super::ranges::RangeSize;
use super::sample::MOST_EVEN;
use crate::error::{Error, Result};
use crate::fields::Value;
use crate::id::DocumentId;
use crate::id_order::compare;

/// So many places are looked for at least, so that one gap between the `_id`s does not decide.
const LEAST_PLACES: u64 = 256;
/// Nothing is below the one or above the other, and the third is deprecated and cannot be asked for.
const UNUSABLE: [ElementType; 3] = [
    ElementType::MinKey,
    ElementType::MaxKey,
    ElementType::Undefined,
];

/// How documents or bounds were chosen over the whole of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// By their places in the index on `_id`.
    IndexWalk,
    /// By even distances between the smallest and the largest `_id`.
    Interpolated,
    /// By the server, at random.
    Random,
    /// Not at all.
    None,
}

/// Where a collection can be sampled and cut.
#[derive(Debug, Clone)]
pub struct Outline {
    /// In order, each once; they cut the collection into about equal parts.
    pub(crate) ids: Vec<DocumentId>,
    pub(crate) choice: Choice,
    /// Into how many ranges it should be cut.
    pub(crate) ranges: u64,
    pub(crate) is_divisible: bool,
}

impl Outline {
    /// Whether a part of the collection can be read alone. Without that, a scan that was
    /// interrupted cannot be resumed either.
    pub fn is_divisible(&self) -> bool {
        self.is_divisible
    }

    /// Compares the ranges that there can be with those that are wanted; there are never more than
    /// documents. A number of ranges is that number or an error, a size of theirs is no more than a
    /// wish.
    fn check_ranges(&self, wanted: RangeSize, documents: u64, namespace: String) -> Result<()> {
        let possible = if self.is_divisible {
            self.ids.len() as u64 + 1
        } else {
            1
        };
        match wanted {
            RangeSize::Count(wanted) if possible < u64::from(wanted).min(documents) => {
                Err(Error::TooFewRanges {
                    namespace,
                    wanted,
                    possible,
                })
            }
            RangeSize::Bytes(_) if possible < self.ranges.min(documents) => {
                let wanted = self.ranges;
                tracing::warn!(%namespace, wanted, possible, "it is cut into fewer ranges");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// So many of the `_id`s, evenly chosen, or all where there are not as many.
    pub(crate) fn evenly(&self, count: u64) -> Vec<DocumentId> {
        let (gaps, parts) = (self.ids.len() as u64 + 1, count + 1);
        if gaps <= parts {
            return self.ids.clone();
        }
        (1..parts)
            .map(|i| self.ids[(i * gaps / parts) as usize - 1].clone())
            .collect()
    }
}

impl Collection {
    /// Finds where to read `even` documents and where to cut into ranges. What stands in the way
    /// of it is said in a warning.
    ///
    /// # Errors
    /// [`Error::TooFewRanges`] where the collection cannot be cut as finely as was asked for by
    /// number; a server that does not answer, or a collection that was replaced.
    pub async fn outline(&self, even: u32, ranges: RangeSize) -> Result<Outline> {
        let size = self.size().await?;
        let is_divisible = self.is_divisible().await?;
        let even = u64::from(even.min(MOST_EVEN));
        let mut outline = Outline {
            ids: Vec::new(),
            choice: Choice::None,
            ranges: if is_divisible { ranges.count(size) } else { 1 },
            is_divisible,
        };
        if even == 0 && outline.ranges == 1 {
            outline.check_ranges(ranges, size.documents, self.namespace())?;
            return Ok(outline);
        }
        for choice in [Choice::IndexWalk, Choice::Interpolated, Choice::Random] {
            let found = match choice {
                Choice::IndexWalk if self.is_walkable(size) => self.walk().await,
                Choice::Interpolated if is_divisible => {
                    let places = even.max(LEAST_PLACES).div_ceil(outline.ranges);
                    self.interpolate(places * outline.ranges - 1, outline.ranges - 1)
                        .await
                }
                Choice::Random => {
                    let places = outline.random_places(even, ranges);
                    self.random_ids(places, size.documents).await
                }
                _ => Ok(None),
            };
            let found = self.unless_refused(found, "its `_id`s are chosen in another way")?;
            if let Some(ids) = found.flatten() {
                (outline.ids, outline.choice) = (ids, choice);
                break;
            }
        }
        outline.check_ranges(ranges, size.documents, self.namespace())?;
        Ok(outline)
    }
}

/// True if the collection can be sampled and cut at this `_id`: its place among the others is known.
fn is_usable(id: Value<'_>) -> bool {
    compare(id, id) == Some(Ordering::Equal) && !UNUSABLE.contains(&id.kind)
}

/// The `_id`s in order, each once.
fn in_order(mut ids: Vec<DocumentId>) -> Vec<DocumentId> {
    ids.sort_by(|a, b| a.compare(b).unwrap_or(Ordering::Equal));
    ids.dedup_by(|a, b| a.compare(b) == Some(Ordering::Equal));
    ids
}

#[cfg(test)]
mod tests {
    use bson::{Bson, Decimal128, RawDocumentBuf, doc, rawdoc};

    use super::*;

    #[test]
    fn bounds_are_in_order_and_none_is_doubtful() {
        let decimal = "2.5".parse::<Decimal128>().unwrap();
        let ids: [Bson; 12] = [
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
            Bson::Undefined,
            Bson::Null,
        ];
        let document = |id| RawDocumentBuf::try_from(&doc! { "_id": id }).unwrap();
        let ids = ids.map(|id| DocumentId::of(&document(id)).unwrap());
        let usable = ids.into_iter().filter(|id| is_usable(id.value().unwrap()));
        let ids = in_order(usable.collect());
        let shown: Vec<_> = ids.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["null", "1", "3", "\"a\"", "\"b\""]);
    }

    #[test]
    fn places_are_chosen_evenly() {
        let id = |id: i32| DocumentId::of(&rawdoc! { "_id": id }).unwrap();
        let chosen = |ids: i32, count| {
            let outline = Outline {
                ids: (1..=ids).map(id).collect(),
                choice: Choice::IndexWalk,
                ranges: 1,
                is_divisible: true,
            };
            let ids = outline.evenly(count);
            ids.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(chosen(99, 3), ["25", "50", "75"]);
        assert_eq!(chosen(3, 3), ["1", "2", "3"]);
        assert_eq!(chosen(2, 3), ["1", "2"]);
        assert_eq!(chosen(4, 3), ["1", "2", "3"]);
        assert!(chosen(9, 0).is_empty() && chosen(0, 3).is_empty());
    }

    #[test]
    fn a_choice_is_one_word_in_a_plan() {
        let word = serde_json::to_string(&Choice::IndexWalk).unwrap();
        assert_eq!(word, "\"index-walk\"");
        assert_eq!(
            serde_json::from_str::<Choice>(&word).unwrap(),
            Choice::IndexWalk
        );
    }
}
