//! Converts decimals to numbers of a fixed scale and back to the same bits.
//!
//! A BSON decimal is a coefficient of up to 34 digits and a power of ten, so 1.50 is not 1.5. A
//! DECIMAL column holds only the number; the power of ten comes from the column's scale or from the
//! row's code.

use crate::limits::MAX_DECIMAL_DIGITS;

const BIAS: i32 = 6176;
const EXPONENT_BITS: u32 = 14;
const MAX_EXPONENT: i32 = 6111;
const COEFFICIENT_BITS: u32 = 113;
/// One more than the largest coefficient.
const COEFFICIENTS: u128 = 10_u128.pow(34);

/// A finite decimal: `coefficient` times ten to the power of `exponent`. Never negative zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) coefficient: i128,
    pub(crate) exponent: i32,
}

impl Decimal {
    /// `None` if the decimal is not finite, is negative zero or is not in canonical form.
    pub(crate) fn of_bytes(bytes: [u8; 16]) -> Option<Self> {
        let bits = u128::from_le_bytes(bytes);
        let is_negative = bits >> 127 == 1;
        // Both bits are set in the special values and in the large form, which no finite canonical
        // value uses.
        if bits >> 125 & 0b11 == 0b11 {
            return None;
        }
        let exponent = (bits >> COEFFICIENT_BITS) as i32 & ((1 << EXPONENT_BITS) - 1);
        let coefficient = bits & ((1 << COEFFICIENT_BITS) - 1);
        if coefficient >= COEFFICIENTS || is_negative && coefficient == 0 {
            return None;
        }
        let coefficient = coefficient as i128;
        Some(Self {
            coefficient: if is_negative {
                -coefficient
            } else {
                coefficient
            },
            exponent: exponent - BIAS,
        })
    }

    /// `None` if the coefficient or exponent is out of range for a decimal.
    pub(crate) fn bytes(self) -> Option<[u8; 16]> {
        let coefficient = self.coefficient.unsigned_abs();
        if coefficient >= COEFFICIENTS || !(-BIAS..=MAX_EXPONENT).contains(&self.exponent) {
            return None;
        }
        let exponent = (self.exponent + BIAS) as u128;
        let sign = u128::from(self.coefficient < 0);
        let bits = sign << 127 | exponent << COEFFICIENT_BITS | coefficient;
        Some(bits.to_le_bytes())
    }

    /// The number as a column of this scale holds it, or `None` if it does not fit.
    pub(crate) fn to_scale(self, scale: u8) -> Option<i128> {
        let digits = 10_i128.pow(MAX_DECIMAL_DIGITS.into());
        let shifted = shift(self.coefficient, self.exponent.checked_add(scale.into())?)?;
        (-digits < shifted && shifted < digits).then_some(shifted)
    }

    /// The decimal with this exponent that a column of this scale stores as `number`, if any.
    pub(crate) fn of_scale(number: i128, scale: u8, exponent: i32) -> Option<Self> {
        let by = exponent.checked_add(scale.into())?.checked_neg()?;
        Some(Self {
            coefficient: shift(number, by)?,
            exponent,
        })
    }
}

/// `number` times ten to the power of `by`, if the result is whole and fits.
fn shift(number: i128, by: i32) -> Option<i128> {
    if number == 0 {
        return Some(0);
    }
    let power = 10_i128.checked_pow(by.unsigned_abs())?;
    if by >= 0 {
        number.checked_mul(power)
    } else {
        (number % power == 0).then(|| number / power)
    }
}

#[cfg(test)]
mod tests {
    use bson::Decimal128;
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Option<Decimal> {
        Decimal::of_bytes(text.parse::<Decimal128>().unwrap().bytes())
    }

    #[test]
    fn coefficient_and_exponent_match_the_text() {
        let parts = |text| decimal(text).map(|d| (d.coefficient, d.exponent));
        assert_eq!(parts("1.50"), Some((150, -2)));
        assert_eq!(parts("-1E+3"), Some((-1, 3)));
        assert_eq!(parts("0.00"), Some((0, -2)));
        let nines = "9".repeat(34);
        assert_eq!(parts(&nines), Some((nines.parse().unwrap(), 0)));
        for special in ["NaN", "Infinity", "-Infinity", "-0"] {
            assert_eq!(parts(special), None, "{special}");
        }
    }

    #[test]
    fn a_decimal_column_holds_numbers_that_fit_its_digits() {
        let scaled = |text, scale| decimal(text).unwrap().to_scale(scale);
        assert_eq!(scaled("1.5", 2), Some(150));
        assert_eq!(scaled("1.500", 2), Some(150));
        assert_eq!(scaled("1.505", 2), None);
        assert_eq!(scaled("-7E+2", 0), Some(-700));
        assert_eq!(scaled("0E+6000", 2), Some(0));
        assert_eq!(scaled("1E+36", 2), None);
        assert_eq!(scaled("1E-6000", 38), None);
    }

    proptest! {
        #[test]
        fn a_decimal_in_a_column_round_trips(bytes: [u8; 16], coefficient in -1_000_000..1_000_000_i128, exponent in -40..40_i32, scale in 0..=38_u8) {
            let of_parts = Decimal { coefficient, exponent };
            for decimal in [Decimal::of_bytes(bytes), Some(of_parts)].into_iter().flatten() {
                if let Some(number) = decimal.to_scale(scale) {
                    prop_assert_eq!(Decimal::of_scale(number, scale, decimal.exponent), Some(decimal));
                }
                prop_assert_eq!(decimal.bytes().and_then(Decimal::of_bytes), Some(decimal));
            }
            if let Some(decimal) = Decimal::of_bytes(bytes) {
                prop_assert_eq!(decimal.bytes(), Some(bytes));
            }
        }

        #[test]
        fn a_damaged_decimal_column_never_panics(number: i128, scale: u8, exponent: i32) {
            if let Some(decimal) = Decimal::of_scale(number, scale, exponent) {
                let _ = decimal.bytes();
            }
        }
    }
}
