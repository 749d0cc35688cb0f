//! Compares BSON numbers of any two types by their exact values.
//!
//! The server's order of `_id` puts int32, int64, double and Decimal128 on one number line, and a
//! comparison through a lossy conversion would not be transitive. Every finite number has a finite
//! decimal expansion, so numbers of different types are compared digit by digit.

use std::cmp::Ordering;

use bson::spec::ElementType;

use super::element::Value;

/// Enough digits for any double: the longest expansion, that of the smallest one, has 767.
const DOUBLE_DIGITS: usize = 800;
const DECIMAL128_BIAS: i32 = 6176;
const DECIMAL128_MAX: u128 = 10u128.pow(34) - 1;

/// Compares two numeric values. NaN equals NaN and comes before every number; both zeros are equal.
pub(crate) fn compare(left: Value<'_>, right: Value<'_>) -> Ordering {
    if let (Some(left), Some(right)) = (integer(left), integer(right)) {
        return left.cmp(&right);
    }
    if left.kind == ElementType::Double && right.kind == ElementType::Double {
        let (left, right) = (f64::from_bits(bits(left)), f64::from_bits(bits(right)));
        return left
            .partial_cmp(&right)
            .unwrap_or_else(|| right.is_nan().cmp(&left.is_nan()));
    }
    Number::of(left).cmp(&Number::of(right))
}

/// The value of an int32 or int64.
pub(crate) fn integer(value: Value<'_>) -> Option<i64> {
    match value.kind {
        ElementType::Int32 => value
            .bytes
            .first_chunk()
            .map(|b| i32::from_le_bytes(*b).into()),
        ElementType::Int64 => Some(bits(value).cast_signed()),
        _ => None,
    }
}

/// The eight bytes of a double, int64, date or timestamp as a number.
pub(crate) fn bits(value: Value<'_>) -> u64 {
    value
        .bytes
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// A number in a form whose derived order is numeric order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Number {
    Nan,
    NegativeInfinity,
    Negative(std::cmp::Reverse<Magnitude>),
    Zero,
    Positive(Magnitude),
    Infinity,
}

/// `0.d1d2d3… × 10^exponent`, where neither the first nor the last digit is zero.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Magnitude {
    exponent: i32,
    digits: String,
}

impl Number {
    fn of(value: Value<'_>) -> Self {
        match value.kind {
            ElementType::Double => Self::of_double(f64::from_bits(bits(value))),
            ElementType::Decimal128 => Self::of_decimal128(
                value
                    .bytes
                    .first_chunk()
                    .map_or(0, |b| u128::from_le_bytes(*b)),
            ),
            _ => {
                let value = integer(value).unwrap_or_default();
                Self::finite(value < 0, &value.unsigned_abs().to_string(), 0)
            }
        }
    }

    fn of_double(value: f64) -> Self {
        if value.is_nan() {
            return Self::Nan;
        }
        if value.is_infinite() {
            return Self::infinite(value < 0.0);
        }
        let text = format!("{:.DOUBLE_DIGITS$e}", value.abs());
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent = exponent.parse::<i32>().unwrap_or_default() - DOUBLE_DIGITS as i32;
        Self::finite(value < 0.0, &digits.replace('.', ""), exponent)
    }

    fn of_decimal128(bits: u128) -> Self {
        let negative = bits >> 127 == 1;
        match (bits >> 122) & 0b11111 {
            0b11111 => Self::Nan,
            0b11110 => Self::infinite(negative),
            // The form with an implied leading 8 or 9 would exceed 34 digits, so it means zero.
            combination if combination >= 0b11000 => Self::Zero,
            _ => {
                let exponent = ((bits >> 113) & 0x3fff) as i32 - DECIMAL128_BIAS;
                match bits & ((1 << 113) - 1) {
                    digits if digits > DECIMAL128_MAX => Self::Zero,
                    digits => Self::finite(negative, &digits.to_string(), exponent),
                }
            }
        }
    }

    fn infinite(negative: bool) -> Self {
        if negative {
            Self::NegativeInfinity
        } else {
            Self::Infinity
        }
    }

    /// `digits × 10^exponent`; `digits` may have leading and trailing zeros.
    fn finite(negative: bool, digits: &str, exponent: i32) -> Self {
        let digits = digits.trim_start_matches('0');
        let exponent = exponent + digits.len() as i32;
        let digits = digits.trim_end_matches('0').to_owned();
        match (digits.is_empty(), negative) {
            (true, _) => Self::Zero,
            (_, true) => Self::Negative(std::cmp::Reverse(Magnitude { exponent, digits })),
            (_, false) => Self::Positive(Magnitude { exponent, digits }),
        }
    }
}
