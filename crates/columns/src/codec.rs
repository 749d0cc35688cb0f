//! How a value of one BSON type is stored in a column of one type, in both directions.
//!
//! A codec accepts a value only if it decodes to the same bytes; every other value is refused and
//! becomes a leftover.

use std::ops::RangeInclusive;

use bson::Decimal128;

use crate::{columns::ColumnType, raw::BsonType};

/// The codecs for columns of text or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BytesCodec {
    String,
    ObjectId,
    DecimalText,
    Binary(u8),
    Raw(BsonType),
}

/// Binary values of the old subtype repeat their length inside.
const OLD_BINARY: u8 = 2;

impl BytesCodec {
    pub(crate) fn bson_type(self) -> BsonType {
        match self {
            Self::String => BsonType::String,
            Self::ObjectId => BsonType::ObjectId,
            Self::DecimalText => BsonType::Decimal128,
            Self::Binary(_) => BsonType::Binary,
            Self::Raw(bson_type) => bson_type,
        }
    }

    /// The codec of a text or bytes column; `None` for other columns. A raw column may also hold
    /// values of other raw types.
    pub(crate) fn of(column_type: &ColumnType) -> Option<Self> {
        Some(match column_type {
            ColumnType::String => Self::String,
            ColumnType::ObjectId => Self::ObjectId,
            ColumnType::DecimalText => Self::DecimalText,
            ColumnType::Binary(subtype) => Self::Binary(*subtype),
            ColumnType::Raw(bson_type) => Self::Raw(*bson_type),
            _ => return None,
        })
    }

    /// The codec for a value of this type in a column with this codec.
    pub(crate) fn for_type(self, bson_type: BsonType) -> Option<Self> {
        match self {
            Self::Raw(_) => bson_type.is_raw().then_some(Self::Raw(bson_type)),
            _ => (self.bson_type() == bson_type).then_some(self),
        }
    }

    /// Appends the cell for the BSON `value`. Returns false if the cell would not decode to the
    /// same bytes; `cell` may then hold part of it.
    pub(crate) fn encode(self, value: &[u8], cell: &mut Vec<u8>) -> bool {
        match self {
            Self::String => match value.get(4..).and_then(<[u8]>::split_last) {
                Some((0, text)) if std::str::from_utf8(text).is_ok() => {
                    cell.extend_from_slice(text);
                    true
                }
                _ => false,
            },
            Self::ObjectId => {
                for byte in value {
                    cell.push(HEX[usize::from(byte >> 4)]);
                    cell.push(HEX[usize::from(byte & 15)]);
                }
                true
            }
            Self::DecimalText => {
                let Some(text) = value.try_into().ok().and_then(decimal_text) else {
                    return false;
                };
                cell.extend_from_slice(text.as_bytes());
                true
            }
            Self::Binary(subtype) => {
                let Some((len, [found, data @ ..])) = value.split_first_chunk::<4>() else {
                    return false;
                };
                let data = if subtype == OLD_BINARY {
                    let len = i32::from_le_bytes(*len).wrapping_sub(4).to_le_bytes();
                    let Some(data) = data.strip_prefix(&len) else {
                        return false;
                    };
                    data
                } else {
                    data
                };
                cell.extend_from_slice(data);
                *found == subtype
            }
            Self::Raw(_) => {
                cell.extend_from_slice(value);
                true
            }
        }
    }

    /// Appends the BSON value of `cell` to `document`. Returns false if the cell is not valid for
    /// this codec.
    pub(crate) fn decode(self, cell: &[u8], document: &mut Vec<u8>) -> bool {
        let length = |extra| i32::try_from(cell.len() + extra).map(i32::to_le_bytes);
        match self {
            Self::String => {
                let Ok(length) = length(1) else { return false };
                document.extend_from_slice(&length);
                document.extend_from_slice(cell);
                document.push(0);
                true
            }
            Self::ObjectId => {
                let digit = |byte: u8| HEX.iter().position(|hex| *hex == byte);
                let before = document.len();
                for pair in cell.chunks(2) {
                    let [high, low] = pair else { return false };
                    let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
                        return false;
                    };
                    document.push(u8::try_from(high << 4 | low).unwrap_or_default());
                }
                document.len() - before == 12
            }
            Self::DecimalText => {
                let decimal = std::str::from_utf8(cell)
                    .ok()
                    .and_then(|text| text.parse().ok());
                let Some(decimal): Option<Decimal128> = decimal else {
                    return false;
                };
                document.extend_from_slice(&decimal.bytes());
                true
            }
            Self::Binary(subtype) => {
                let old = subtype == OLD_BINARY;
                let (Ok(outer), Ok(inner)) = (length(if old { 4 } else { 0 }), length(0)) else {
                    return false;
                };
                document.extend_from_slice(&outer);
                document.push(subtype);
                if old {
                    document.extend_from_slice(&inner);
                }
                document.extend_from_slice(cell);
                true
            }
            Self::Raw(bson_type) => {
                document.extend_from_slice(cell);
                bson_type.value_len(cell) == Ok(cell.len())
            }
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The text of a decimal, if it parses back to the same bytes.
fn decimal_text(bytes: [u8; 16]) -> Option<String> {
    let text = Decimal128::from_bytes(bytes).to_string();
    let back: Decimal128 = text.parse().ok()?;
    (back.bytes() == bytes).then_some(text)
}

/// The double that equals `value` exactly.
pub(crate) fn int64_as_double(value: i64) -> Option<f64> {
    let double = value as f64;
    (double as i128 == i128::from(value)).then_some(double)
}

/// The integer that equals `double` exactly.
pub(crate) fn double_as_int64(double: f64) -> Option<i64> {
    let value = double as i64;
    (int64_as_double(value)?.to_bits() == double.to_bits()).then_some(value)
}

/// Whether a driver writes this number as int32: it is whole, in range and not negative zero.
pub(crate) fn is_driver_int32(double: f64) -> bool {
    f64::from(double as i32).to_bits() == double.to_bits()
}

/// From the first moment of year 1 to the last of year 9999: Python supports no other dates.
const READABLE_DATES: RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// Whether every reader can read the date.
pub(crate) fn is_readable_date(milliseconds: i64) -> bool {
    READABLE_DATES.contains(&milliseconds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_that_a_double_cannot_hold_exactly_are_refused() {
        for exact in [0, -1, 1 << 53, (1 << 53) + 2, i64::MIN, 1 << 62] {
            assert_eq!(
                int64_as_double(exact).and_then(double_as_int64),
                Some(exact)
            );
        }
        for inexact in [(1 << 53) + 1, i64::MAX, i64::MIN + 1] {
            assert_eq!(int64_as_double(inexact), None);
        }
        for other in [0.5, f64::NAN, f64::INFINITY, 9.3e18, -0.0] {
            assert_eq!(double_as_int64(other), None);
        }
    }

    #[test]
    fn recognizes_numbers_that_a_driver_writes_as_int32() {
        for whole in [0.0, -1.0, 2_147_483_647.0, -2_147_483_648.0] {
            assert!(is_driver_int32(whole), "{whole}");
        }
        for other in [-0.0, 0.5, 2_147_483_648.0, f64::NAN, f64::NEG_INFINITY] {
            assert!(!is_driver_int32(other), "{other}");
        }
    }

    #[test]
    fn special_decimals_round_trip_or_are_refused() {
        for text in [
            "NaN",
            "Infinity",
            "-Infinity",
            "0",
            "-0",
            "1E+6111",
            "1E-6176",
            "0E+6111",
        ] {
            let decimal: Decimal128 = text.parse().unwrap();
            assert_eq!(decimal_text(decimal.bytes()).as_deref(), Some(text));
        }
        let signalling_nan = u128::to_le_bytes(0x7e << 120);
        let coefficient_too_large =
            u128::to_le_bytes((0x30 << 120) | (1 << 113) | ((1 << 113) - 1));
        for bytes in [signalling_nan, coefficient_too_large] {
            if let Some(text) = decimal_text(bytes) {
                assert_eq!(text.parse::<Decimal128>().unwrap().bytes(), bytes);
            }
        }
    }

    proptest! {
        #[test]
        fn a_decimal_round_trips_or_is_refused(bytes: [u8; 16]) {
            let mut cell = Vec::new();
            if BytesCodec::DecimalText.encode(&bytes, &mut cell) {
                let mut back = Vec::new();
                prop_assert!(BytesCodec::DecimalText.decode(&cell, &mut back));
                prop_assert_eq!(back, bytes);
            }
        }

        #[test]
        fn decoding_an_arbitrary_cell_never_panics(cell: Vec<u8>, text in "[-+0-9.eEINTYinfaty]{0,40}") {
            for codec in [
                BytesCodec::ObjectId, BytesCodec::DecimalText, BytesCodec::Binary(2),
                BytesCodec::Raw(BsonType::CodeWithScope), BytesCodec::Raw(BsonType::Regex),
            ] {
                codec.decode(&cell, &mut Vec::new());
                codec.decode(text.as_bytes(), &mut Vec::new());
            }
        }
    }
}
