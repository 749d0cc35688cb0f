//! The decimals of a field, and the scale of the column that holds them as numbers.

use std::collections::BTreeMap;

use crate::{columns::ColumnType, decimal::Decimal, limits::MAX_DECIMAL_DIGITS};

/// Maximum number of distinct powers of ten in a decimal column; with more there is no common
/// scale.
const MAX_EXPONENTS: usize = 8;
/// If more than one in this many decimals is not a number of fixed scale, the column becomes text.
const UNFIT: u64 = 10;

/// The decimals of a field.
#[derive(Debug, Default)]
pub(super) struct DecimalStats {
    count: u64,
    unfit: u64,
    /// For each power of ten, the maximum number of digits in a coefficient.
    digits: BTreeMap<i32, u32>,
}

impl DecimalStats {
    pub(super) fn observe(&mut self, value: &[u8]) {
        self.count += 1;
        match value.try_into().ok().and_then(Decimal::of_bytes) {
            Some(decimal) if self.digits.len() <= MAX_EXPONENTS => {
                let digits = decimal.coefficient.unsigned_abs().checked_ilog10();
                let digits = digits.map_or(0, |log| log + 1);
                let most = self.digits.entry(decimal.exponent).or_default();
                *most = digits.max(*most);
            }
            Some(_) => {}
            None => self.unfit += 1,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.unfit += other.unfit;
        for (exponent, digits) in &other.digits {
            let most = self.digits.entry(*exponent).or_default();
            *most = (*most).max(*digits);
        }
    }

    /// Numbers of the smallest scale that holds all of them, or text if there is none.
    pub(super) fn column_type(&self) -> ColumnType {
        self.scale()
            .map_or(ColumnType::DecimalText, ColumnType::Decimal)
    }

    fn scale(&self) -> Option<u8> {
        let (smallest, _) = self.digits.first_key_value()?;
        let scale = u8::try_from(smallest.min(&0).unsigned_abs()).ok()?;
        let fits = |(exponent, digits): (&i32, &u32)| {
            i64::from(*digits) + i64::from(*exponent) + i64::from(scale)
                <= i64::from(MAX_DECIMAL_DIGITS)
        };
        let is_scaled = scale <= MAX_DECIMAL_DIGITS
            && self.digits.len() <= MAX_EXPONENTS
            && self.unfit * UNFIT <= self.count
            && self.digits.iter().all(fits);
        is_scaled.then_some(scale)
    }
}
