//! Dictionaries of values that repeat: the prices of books, the names in maps, texts in lists.
//!
//! The Parquet library makes them of flat columns alone, and of no doubles. The first values decide
//! whether one is tried at all, so arrays of distinct numbers cost next to nothing.

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

/// A dictionary is given up unless so many of the first values repeat: these are what remains to
/// repeat if a few thousand values are equally likely.
const TRIAL: usize = 256;
const REPEATS_IN_TRIAL: usize = 8;
/// From then on it is looked at each time that so many more values have come.
const STRIDE: usize = 1024;
/// Most values of a dictionary, which readers hold in memory.
const MAX_VALUES: usize = 1 << 16;

/// The array with a dictionary; none if its values repeat too little, or have none by their type.
pub(crate) fn with_dictionary(array: &dyn Array) -> Option<DictionaryArray<u32>> {
    match array.dtype().to_physical_type() {
        PhysicalType::Primitive(PrimitiveType::Int64) => {
            let array: PrimitiveArray<i64> = typed(array)?;
            let distinct = MutablePrimitiveArray::<i64>::from(array.dtype().clone());
            packed(distinct, array.iter().map(Option::<&i64>::copied))
        }
        PhysicalType::Primitive(PrimitiveType::Float64) => {
            let array: PrimitiveArray<f64> = typed(array)?;
            // By their bits: the two zeros differ, and so do NaNs.
            let bits = array.iter().map(|value| value.map(|value| value.to_bits()));
            let packed = packed(MutablePrimitiveArray::<u64>::new(), bits)?;
            let bits: PrimitiveArray<u64> = typed(packed.values().as_ref())?;
            let values = bits.values_iter().map(|bits| f64::from_bits(*bits));
            let values = PrimitiveArray::from_vec(values.collect()).boxed();
            DictionaryArray::try_from_keys(packed.keys().clone(), values, false).ok()
        }
        PhysicalType::LargeBinary => {
            let array: BinaryArray<i64> = typed(array)?;
            packed(MutableBinaryArray::<i64>::new(), array.iter())
        }
        _ => None,
    }
}

fn packed<M, V>(
    distinct: M,
    values: impl Iterator<Item = Option<V>>,
) -> Option<DictionaryArray<u32>>
where
    M: MutableArray + Indexable + TryPush<Option<V>> + 'static,
    M::Type: Eq + Hash,
    V: AsIndexed<M>,
{
    let mut packed = MutableDictionaryArray::<u32, M>::try_empty(distinct, false).ok()?;
    let mut count = 0;
    for value in values {
        let has_value = value.is_some();
        packed.try_push(value).ok()?;
        count += usize::from(has_value);
        if has_value && !repeats(count, packed.values().len()) {
            return None;
        }
    }
    (packed.values().len() <= count / 2).then(|| packed.into())
}

/// Whether it is worth to go on after so many values.
fn repeats(count: usize, distinct: usize) -> bool {
    if count == TRIAL {
        distinct + REPEATS_IN_TRIAL <= count
    } else if count.is_multiple_of(STRIDE) {
        distinct <= (STRIDE / 2 + count / 4).min(MAX_VALUES)
    } else {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubles(values: impl Iterator<Item = f64>) -> Option<DictionaryArray<u32>> {
        with_dictionary(&PrimitiveArray::from_vec(values.collect()))
    }

    #[test]
    fn values_that_repeat_have_a_dictionary_and_others_none() {
        let repeated = doubles((0..5000).map(|n| f64::from(n % 100))).unwrap();
        assert_eq!((repeated.len(), repeated.values().len()), (5000, 100));
        assert!(doubles((0..5000).map(f64::from)).is_none());
        // Some of a thousand, in no order.
        let random = (0..50_000_u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) % 1000);
        let random = doubles(random.map(|n| n as f64)).unwrap();
        assert_eq!(random.values().len(), 1000);
        let late = (0..5000).map(|n| f64::from(if n < 2000 { 0 } else { n }));
        assert!(doubles(late).is_none());
    }

    #[test]
    fn doubles_are_the_same_only_by_their_bits() {
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
