//! `_id`s at even distances through a collection, where it is sampled and cut into ranges.
//!
//! The same collection gets the same `_id`s whenever they can be found in bounded time, so that its
//! exports can be compared: up to a few million documents the index on `_id` is walked; above that,
//! ObjectIds and numbers are looked up at even distances between the smallest and the largest. Only
//! for everything else does the server choose at random.

mod divisible;
mod interpolate;
mod key_space;
mod random;
mod usable;
mod walk;

use serde::{Deserialize, Serialize};

use self::divisible::is_divisible;
use self::interpolate::interpolate;
use self::random::{most_even_ranges, places, random_ids};
use self::walk::{is_walkable, walk};
use super::collect::unless_refused;
use super::id_range::{IdRange, RangeSize};
use super::identity::Collection;
use super::size::CollectionSize;
use crate::error::{Error, Result};
use crate::id::DocumentId;

/// Maximum number of even documents: on a large collection each costs the server an index lookup.
pub(super) const MOST_EVEN: u32 = 100_000;
/// Minimum number of places to look up, so that a single gap between the `_id`s is not decisive.
const LEAST_PLACES: u64 = 256;

/// How documents or bounds were chosen across a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// By their positions in the index on `_id`.
    IndexWalk,
    /// At even distances between the smallest and the largest `_id`.
    Interpolated,
    /// By the server, at random.
    Random,
    /// Not at all.
    None,
}

/// Where a collection can be sampled and cut.
#[derive(Debug, Clone)]
pub struct Cuts {
    /// Sorted and distinct; they cut the collection into roughly equal parts.
    ids: Vec<DocumentId>,
    pub(super) choice: Choice,
    /// How many ranges to cut it into.
    ranges: u64,
    is_divisible: bool,
}

impl Cuts {
    /// Where to read `even` documents of a collection, and where to cut it.
    pub(super) async fn of(collection: &Collection, even: u32, ranges: RangeSize) -> Result<Self> {
        let size = CollectionSize::of(collection).await?;
        let is_divisible = is_divisible(collection).await?;
        let even = u64::from(even.min(MOST_EVEN));
        let mut cuts = Self {
            ids: Vec::new(),
            choice: Choice::None,
            ranges: if is_divisible { ranges.count(size) } else { 1 },
            is_divisible,
        };
        if even == 0 && cuts.ranges == 1 {
            cuts.check_ranges(ranges, size, collection.namespace())?;
            return Ok(cuts);
        }
        for choice in [Choice::IndexWalk, Choice::Interpolated, Choice::Random] {
            let found = match choice {
                Choice::IndexWalk if is_walkable(collection, size) => walk(collection).await,
                Choice::Interpolated if is_divisible => {
                    let places = even.max(LEAST_PLACES).div_ceil(cuts.ranges);
                    interpolate(collection, places * cuts.ranges - 1, cuts.ranges - 1).await
                }
                Choice::Random => {
                    cuts.ranges = most_even_ranges(cuts.ranges, ranges);
                    let places = places(cuts.ranges, even);
                    random_ids(collection, places, size.documents).await
                }
                _ => Ok(None),
            };
            let found = unless_refused(collection, found, "its `_id`s are chosen another way")?;
            if let Some(ids) = found.flatten() {
                (cuts.ids, cuts.choice) = (ids, choice);
                break;
            }
        }
        cuts.check_ranges(ranges, size, collection.namespace())?;
        Ok(cuts)
    }

    /// Whether part of the collection can be read on its own. If not, an interrupted scan cannot be
    /// resumed either.
    pub fn is_divisible(&self) -> bool {
        self.is_divisible
    }

    /// Ranges that hold every document, in order and without gaps. A single range if the collection
    /// is not [divisible](Self::is_divisible) or there is no information on where to cut it.
    pub fn ranges(&self) -> Vec<IdRange> {
        IdRange::between(self.evenly(self.ranges - 1))
    }

    /// How the bounds of the ranges were chosen.
    pub fn ranges_choice(&self) -> Choice {
        match self.ranges {
            _ if self.ids.is_empty() => Choice::None,
            1 => Choice::None,
            _ => self.choice,
        }
    }

    /// Compares the possible number of ranges with the wanted one; there are never more ranges than
    /// documents. A requested number of ranges is met or an error; a requested size is only a wish,
    /// and ranges that are smaller for speed are no wish at all.
    fn check_ranges(
        &self,
        wanted: RangeSize,
        size: CollectionSize,
        namespace: String,
    ) -> Result<()> {
        let possible = if self.is_divisible {
            self.ids.len() as u64 + 1
        } else {
            1
        };
        match wanted {
            RangeSize::Count(wanted) if possible < u64::from(wanted).min(size.documents) => {
                Err(Error::TooFewRanges {
                    namespace,
                    wanted,
                    possible,
                })
            }
            RangeSize::Bytes { largest, .. } => {
                let wanted = RangeSize::Bytes { largest, wanted: 1 }.count(size);
                let wanted = wanted.min(self.ranges);
                if possible < wanted {
                    tracing::warn!(%namespace, wanted, possible, "it is cut into fewer ranges");
                }
                Ok(())
            }
            RangeSize::Count(_) => Ok(()),
        }
    }

    /// This many of the `_id`s, evenly chosen, or all if there are fewer.
    pub(super) fn evenly(&self, count: u64) -> Vec<DocumentId> {
        let (gaps, parts) = (self.ids.len() as u64 + 1, count + 1);
        if gaps <= parts {
            return self.ids.clone();
        }
        (1..parts)
            .map(|i| self.ids[(i * gaps / parts) as usize - 1].clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn places_are_chosen_evenly() {
        let id = |id: i32| DocumentId::of(&rawdoc! { "_id": id }).unwrap();
        let chosen = |ids: i32, count| {
            let cuts = Cuts {
                ids: (1..=ids).map(id).collect(),
                choice: Choice::IndexWalk,
                ranges: 1,
                is_divisible: true,
            };
            let ids = cuts.evenly(count);
            ids.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(chosen(99, 3), ["25", "50", "75"]);
        assert_eq!(chosen(3, 3), ["1", "2", "3"]);
        assert_eq!(chosen(2, 3), ["1", "2"]);
        assert_eq!(chosen(4, 3), ["1", "2", "3"]);
        assert!(chosen(9, 0).is_empty() && chosen(0, 3).is_empty());
    }

    #[test]
    fn a_choice_is_a_single_word_in_a_plan() {
        let word = serde_json::to_string(&Choice::IndexWalk).unwrap();
        assert_eq!(word, "\"index-walk\"");
        assert_eq!(
            serde_json::from_str::<Choice>(&word).unwrap(),
            Choice::IndexWalk
        );
    }
}
