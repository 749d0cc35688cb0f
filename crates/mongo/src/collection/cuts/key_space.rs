//! Maps ObjectIds and numbers to places on a line of whole numbers, and tracks the parts of that
//! line that have any.

use std::ops::Range;

use bson::oid::ObjectId;
use bson::spec::ElementType;
use bson::{RawBson, rawdoc};

use crate::error::{Result, invalid};
use crate::id::DocumentId;
use crate::id_order::{Number, number};

/// Places between the smallest and the largest double: as many as its digits can distinguish.
const DOUBLE_PLACES: f64 = 4_503_599_627_370_496.0;
/// The place of the integer zero.
const ZERO: i128 = 1 << 64;

/// What the places stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// The twelve bytes as one number: first the seconds, then what distinguishes the generators.
    ObjectIds,
    /// One place per integer.
    Integers,
    /// Numbers that are not all integers.
    Doubles { smallest: f64, largest: f64 },
}

impl Scale {
    /// The scale of all `_id`s from the smallest to the largest, if they are of one kind and that
    /// kind has a scale.
    pub(super) fn between(smallest: &DocumentId, largest: &DocumentId) -> Option<Self> {
        let (smallest, largest) = (smallest.value().ok()?, largest.value().ok()?);
        if smallest.kind == ElementType::ObjectId && largest.kind == ElementType::ObjectId {
            return Some(Self::ObjectIds);
        }
        match (number(smallest)?, number(largest)?) {
            (Number::Integer(_), Number::Integer(_)) => Some(Self::Integers),
            (smallest, largest) => {
                let (smallest, largest) = (as_double(smallest), as_double(largest));
                let is_scale = smallest.is_finite() && largest.is_finite() && smallest < largest;
                is_scale.then_some(Self::Doubles { smallest, largest })
            }
        }
    }

    /// The place of an `_id`, or the one just below it; `None` if the `_id` is of another kind.
    pub(super) fn place(self, id: &DocumentId) -> Option<u128> {
        let value = id.value().ok()?;
        match self {
            Self::ObjectIds if value.kind == ElementType::ObjectId => {
                let mut bytes = [0; 16];
                bytes[4..].copy_from_slice(value.bytes.get(..12)?);
                Some(u128::from_be_bytes(bytes))
            }
            Self::ObjectIds => None,
            Self::Integers => match number(value)? {
                Number::Integer(integer) => u128::try_from(i128::from(integer) + ZERO).ok(),
                Number::Double(double) => {
                    let floor = (double.floor() as i128).checked_add(ZERO)?;
                    u128::try_from(floor).ok()
                }
            },
            Self::Doubles { smallest, largest } => {
                // Halved, because the difference of the extremes may be infinite.
                let above = as_double(number(value)?) / 2.0 - smallest / 2.0;
                Some((above / (largest / 2.0 - smallest / 2.0) * DOUBLE_PLACES) as u128)
            }
        }
    }

    /// The `_id` at a place; no document needs to have it.
    pub(super) fn id(self, place: u128) -> Result<DocumentId> {
        let id: RawBson = match self {
            Self::ObjectIds => {
                let [_, _, _, _, bytes @ ..] = place.to_be_bytes();
                ObjectId::from_bytes(bytes).into()
            }
            Self::Integers => {
                let integer = i128::try_from(place).map_err(invalid)? - ZERO;
                i64::try_from(integer).map_err(invalid)?.into()
            }
            Self::Doubles { smallest, largest } => {
                let share = place as f64 / DOUBLE_PLACES;
                (smallest * (1.0 - share) + largest * share).into()
            }
        };
        DocumentId::of(&rawdoc! { "_id": id })
    }
}

fn as_double(number: Number) -> f64 {
    match number {
        Number::Integer(integer) => integer as f64,
        Number::Double(double) => double,
    }
}

/// The places where `_id`s may be, in order, without those known to be empty.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spans(Vec<Range<u128>>);

impl Spans {
    pub(super) fn new(places: Range<u128>) -> Self {
        Self(vec![places])
    }

    /// Up to `count` distinct places that cut the nonempty spans into parts of equal size.
    pub(super) fn places(&self, count: u64) -> Vec<u128> {
        let total: u128 = self.0.iter().map(|span| span.end - span.start).sum();
        let mut spans = self.0.iter();
        let (mut span, mut before) = (0..0, 0);
        let mut places = Vec::new();
        for i in 1..=u128::from(count) {
            let offset = total / u128::from(count + 1) * i
                + total % u128::from(count + 1) * i / u128::from(count + 1);
            while offset - before >= span.end - span.start {
                before += span.end - span.start;
                let Some(next) = spans.next() else {
                    return places;
                };
                span = next.clone();
            }
            let place = span.start + (offset - before);
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
        places
    }

    /// Removes places that are known to be empty.
    pub(super) fn cut(&mut self, empty: &Range<u128>) {
        if empty.is_empty() {
            return;
        }
        let left = self.0.iter().flat_map(|span| {
            [
                span.start..span.end.min(empty.start),
                span.start.max(empty.end)..span.end,
            ]
        });
        self.0 = left.filter(|span| !span.is_empty()).collect();
    }
}

#[cfg(test)]
mod tests {
    use bson::Bson;

    use super::*;

    fn id(id: impl Into<Bson>) -> DocumentId {
        let document = bson::doc! { "_id": id };
        DocumentId::of(&bson::RawDocumentBuf::try_from(&document).unwrap()).unwrap()
    }

    fn object_id(byte: u8) -> DocumentId {
        id(ObjectId::from_bytes([byte; 12]))
    }

    #[test]
    fn only_object_ids_and_finite_numbers_have_a_scale() {
        let doubles = Some(Scale::Doubles {
            smallest: 1.0,
            largest: 2.5,
        });
        for (smallest, largest, scale) in [
            (object_id(0), object_id(255), Some(Scale::ObjectIds)),
            (id(1), id(i64::MAX), Some(Scale::Integers)),
            (id(1), id(2.5), doubles),
            (id(1.0), id(1.0), None),
            (id(f64::NAN), id(1), None),
            (id(1), id(f64::INFINITY), None),
            (id(1), object_id(1), None),
            (id(1), id("a"), None),
            (id("a"), id("b"), None),
            (id(1), id("1".parse::<bson::Decimal128>().unwrap()), None),
        ] {
            let found = Scale::between(&smallest, &largest);
            assert_eq!(found, scale, "{smallest} to {largest}");
        }
    }

    #[test]
    fn places_between_two_ids_ascend_and_stay_between_them() {
        for (smallest, largest) in [
            (object_id(0), object_id(255)),
            (object_id(7), object_id(8)),
            (id(i64::MIN), id(i64::MAX)),
            (id(-3), id(2_000_000_000)),
            (id(f64::MIN), id(f64::MAX)),
            (id(0.0), id(1e-300)),
            (id(-1), id(0.5)),
            (id(1e15), id((1_i64 << 60) + 1)),
        ] {
            let scale = Scale::between(&smallest, &largest).unwrap();
            let (first, last) = (scale.place(&smallest), scale.place(&largest));
            let spans = Spans::new(first.unwrap()..last.unwrap());
            for count in [1, 3, 999, 20_000] {
                let places = spans.places(count);
                assert_eq!(places, spans.places(count));
                assert_eq!(places.len(), count as usize);
                let ids = places.iter().map(|place| scale.id(*place).unwrap());
                let mut previous = smallest.clone();
                for next in ids.chain([largest.clone()]) {
                    let order = previous.compare(&next);
                    assert_eq!(order, Some(std::cmp::Ordering::Less), "{previous} {next}");
                    previous = next;
                }
            }
        }
    }

    #[test]
    fn an_id_made_for_a_place_has_that_place() {
        for (scale, place) in [
            (Scale::ObjectIds, (1 << 95) + 5),
            (Scale::Integers, (1 << 64) - 12),
            (Scale::Integers, (1 << 64) + 7),
        ] {
            assert_eq!(scale.place(&scale.id(place).unwrap()), Some(place));
        }
        assert_eq!(Scale::Integers.place(&id(7.5)), Some((1 << 64) + 7));
        assert!(Scale::Integers.id(12).is_err());
        assert_eq!(Scale::Integers.place(&id("a")), None);
        assert_eq!(Scale::ObjectIds.place(&id(1)), None);
    }

    #[test]
    fn places_are_spread_evenly_over_nonempty_spans() {
        let mut spans = Spans::new(0..1000);
        assert_eq!(spans.places(3), [250, 500, 750]);
        spans.cut(&(10..910));
        assert_eq!(spans, Spans(vec![0..10, 910..1000]));
        assert_eq!(spans.places(3), [925, 950, 975]);
        spans.cut(&(5..920));
        spans.cut(&(930..940));
        assert_eq!(spans, Spans(vec![0..5, 920..930, 940..1000]));
        let places = [920, 925].into_iter().chain((940..1000).step_by(5));
        assert_eq!(spans.places(14), places.collect::<Vec<_>>());
        // Fewer places than requested.
        assert_eq!(Spans::new(7..9).places(5), [7, 8]);
        assert!(Spans::new(7..7).places(5).is_empty());
    }
}
