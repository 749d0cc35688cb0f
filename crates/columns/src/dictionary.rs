//! Dictionaries for repeated values: the prices of order books, the names in maps, texts in lists.
//!
//! The Parquet library builds them only for flat columns, and never for doubles. The first values
//! decide whether a dictionary is tried at all, so arrays of distinct numbers cost next to nothing.

use std::hash::Hash;

use polars_arrow::{
    array::{
        Array, BinaryArray, DictionaryArray, MutableArray, MutableBinaryArray,
        MutableDictionaryArray, MutablePrimitiveArray, PrimitiveArray, TryPush,
        indexable::{AsIndexed, Indexable},
    },
    datatypes::PhysicalType,
    types::PrimitiveType,
};

use crate::values::typed;

/// A dictionary is abandoned unless at least `REPEATS_IN_TRIAL` of the first values are repeats,
/// which is the case if a few thousand values are equally likely. Values within one list or map are
/// often distinct, so nested columns get a longer trial.
const TRIAL: usize = 256;
const NESTED_TRIAL: usize = 4096;
const REPEATS_IN_TRIAL: usize = 8;
/// After the trial, the dictionary is re-examined each time this many more values have arrived.
const STRIDE: usize = 1024;
/// From this many values on, half of the distinct ones must have repeated: a single frequent value
/// among unique ones, such as zero, is better left to compression.
const SETTLED: usize = 8192;
/// Maximum number of values in a dictionary, which readers hold in memory.
const MAX_VALUES: usize = 1 << 16;

/// The array with a dictionary; `None` if its values repeat too rarely or its type is not
/// supported.
pub(crate) fn with_dictionary(array: &dyn Array, is_nested: bool) -> Option<DictionaryArray<u32>> {
    let trial = if is_nested { NESTED_TRIAL } else { TRIAL };
    match array.dtype().to_physical_type() {
        PhysicalType::Primitive(PrimitiveType::Int64) => {
            let array: PrimitiveArray<i64> = typed(array)?;
            let distinct = MutablePrimitiveArray::<i64>::from(array.dtype().clone());
            packed(distinct, array.iter().map(Option::<&i64>::copied), trial)
        }
        PhysicalType::Primitive(PrimitiveType::Float64) => {
            let array: PrimitiveArray<f64> = typed(array)?;
            // Compared by their bits: the two zeros differ, and so do NaNs.
            let bits = array.iter().map(|value| value.map(|value| value.to_bits()));
            let packed = packed(MutablePrimitiveArray::<u64>::new(), bits, trial)?;
            let bits: PrimitiveArray<u64> = typed(packed.values().as_ref())?;
            let values = bits.values_iter().map(|bits| f64::from_bits(*bits));
            let values = PrimitiveArray::from_vec(values.collect()).boxed();
            DictionaryArray::try_from_keys(packed.keys().clone(), values, false).ok()
        }
        PhysicalType::LargeBinary => {
            let array: BinaryArray<i64> = typed(array)?;
            packed(MutableBinaryArray::<i64>::new(), array.iter(), trial)
        }
        _ => None,
    }
}

fn packed<M, V>(
    distinct: M,
    values: impl Iterator<Item = Option<V>>,
    trial: usize,
) -> Option<DictionaryArray<u32>>
where
    M: MutableArray + Indexable + TryPush<Option<V>> + 'static,
    M::Type: Eq + Hash,
    V: AsIndexed<M>,
{
    let mut packed = MutableDictionaryArray::<u32, M>::try_empty(distinct, false).ok()?;
    let mut seen = Seen::default();
    for value in values {
        let has_value = value.is_some();
        packed.try_push(value).ok()?;
        if has_value {
            seen.add(*packed.keys().values().last()? as usize);
            if !seen.is_worth_going_on(trial) {
                return None;
            }
        }
    }
    seen.is_worth_it().then(|| packed.into())
}

/// How often values have repeated.
#[derive(Default)]
struct Seen {
    count: usize,
    /// For each distinct value, whether it has come again.
    again: Vec<bool>,
    once: usize,
}

impl Seen {
    fn add(&mut self, key: usize) {
        self.count += 1;
        match self.again.get_mut(key) {
            None => {
                self.again.push(false);
                self.once += 1;
            }
            Some(again) if !*again => {
                *again = true;
                self.once -= 1;
            }
            Some(_) => {}
        }
    }

    fn is_worth_going_on(&self, trial: usize) -> bool {
        let (count, distinct) = (self.count, self.again.len());
        if count == trial {
            distinct + REPEATS_IN_TRIAL <= count
        } else if count > trial && count.is_multiple_of(STRIDE) {
            let repeats = distinct <= (STRIDE / 2 + count / 4).min(MAX_VALUES);
            repeats && (count < SETTLED || self.have_mostly_come_again())
        } else {
            true
        }
    }

    fn is_worth_it(&self) -> bool {
        self.again.len() <= self.count / 2 && self.have_mostly_come_again()
    }

    fn have_mostly_come_again(&self) -> bool {
        self.once * 2 <= self.again.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubles(values: impl Iterator<Item = f64>) -> Option<DictionaryArray<u32>> {
        with_dictionary(&PrimitiveArray::from_vec(values.collect()), false)
    }

    #[test]
    fn only_repeating_values_get_a_dictionary() {
        let repeated = doubles((0..5000).map(|n| f64::from(n % 100))).unwrap();
        assert_eq!((repeated.len(), repeated.values().len()), (5000, 100));
        assert!(doubles((0..5000).map(f64::from)).is_none());
        // A thousand distinct values in random order.
        let random = (0..50_000_u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) % 1000);
        let random = doubles(random.map(|n| n as f64)).unwrap();
        assert_eq!(random.values().len(), 1000);
        let late = (0..5000).map(|n| f64::from(if n < 2000 { 0 } else { n }));
        assert!(doubles(late).is_none());
    }

    #[test]
    fn zeros_between_unique_values_get_no_dictionary() {
        let sparse = |n: i32| if n % 4 == 0 { f64::from(n) } else { 0.0 };
        for count in [300, 5000, 50_000] {
            assert!(doubles((1..count).map(sparse)).is_none(), "{count}");
        }
    }

    #[test]
    fn lists_that_share_values_get_a_dictionary() {
        // Each value occurs once per list.
        let values = (0..30_000).map(|n| f64::from(n % 700)).collect();
        let packed = with_dictionary(&PrimitiveArray::from_vec(values), true).unwrap();
        assert_eq!(packed.values().len(), 700);
    }

    #[test]
    fn doubles_are_equal_only_if_their_bits_are() {
        let nan = f64::from_bits(f64::NAN.to_bits() ^ 1);
        let values = [0.0, -0.0, f64::NAN, nan];
        let packed = doubles(values.into_iter().cycle().take(400)).unwrap();
        let distinct: PrimitiveArray<f64> = typed(packed.values().as_ref()).unwrap();
        let bits: Vec<_> = distinct
            .values_iter()
            .map(|value| value.to_bits())
            .collect();
        assert_eq!(bits, values.map(f64::to_bits));
    }
}
