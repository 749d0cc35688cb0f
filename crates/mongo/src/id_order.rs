//! The order of `_id` values in an index without collation: MongoDB's comparison of BSON values.
//!
//! It proves that a scan moves forward, and recognizes a document after an interruption. Decimal128
//! numbers, regular expressions, DBPointers and code with scope have no order here: no data uses
//! them as `_id`, and an unknown order is never mistaken for a known one.

use std::cmp::Ordering;

use bson::RawDocument;
use bson::spec::ElementType;

use crate::fields::{Value, fields};

/// Maximum depth to which MongoDB nests documents.
const DEEPEST: usize = 200;

/// How `a` and `b` are ordered, or `None` if that is unknown.
pub(crate) fn compare(a: Value<'_>, b: Value<'_>) -> Option<Ordering> {
    compare_nested(a, b, DEEPEST)
}

fn compare_nested(a: Value<'_>, b: Value<'_>, depth: usize) -> Option<Ordering> {
    match rank(a.kind).cmp(&rank(b.kind)) {
        Ordering::Equal => {}
        unequal => return Some(unequal),
    }
    Some(match a.kind {
        ElementType::MinKey | ElementType::MaxKey | ElementType::Null | ElementType::Undefined => {
            Ordering::Equal
        }
        ElementType::Int32 | ElementType::Int64 | ElementType::Double | ElementType::Decimal128 => {
            compare_numbers(number(a)?, number(b)?)
        }
        ElementType::String | ElementType::Symbol | ElementType::JavaScriptCode => {
            a.bytes.get(4..)?.cmp(b.bytes.get(4..)?)
        }
        ElementType::EmbeddedDocument | ElementType::Array => {
            return compare_documents(a, b, depth.checked_sub(1)?);
        }
        // Shorter first, then by subtype and bytes.
        ElementType::Binary => {
            (a.bytes.len(), a.bytes.get(4..)?).cmp(&(b.bytes.len(), b.bytes.get(4..)?))
        }
        ElementType::ObjectId | ElementType::Boolean => a.bytes.cmp(b.bytes),
        ElementType::DateTime => i64::from_le_bytes(fixed(a)?).cmp(&i64::from_le_bytes(fixed(b)?)),
        ElementType::Timestamp => u64::from_le_bytes(fixed(a)?).cmp(&u64::from_le_bytes(fixed(b)?)),
        ElementType::RegularExpression
        | ElementType::DbPointer
        | ElementType::JavaScriptCodeWithScope => return None,
    })
}

/// Field by field: type, then name, then value. A document that ends first is smaller.
fn compare_documents(a: Value<'_>, b: Value<'_>, depth: usize) -> Option<Ordering> {
    let mut left = fields(RawDocument::from_bytes(a.bytes).ok()?);
    let mut right = fields(RawDocument::from_bytes(b.bytes).ok()?);
    loop {
        let ((left_name, left), (right_name, right)) = match (left.next(), right.next()) {
            (None, None) => return Some(Ordering::Equal),
            (None, Some(_)) => return Some(Ordering::Less),
            (Some(_), None) => return Some(Ordering::Greater),
            (Some(left), Some(right)) => (left.ok()?, right.ok()?),
        };
        let order = rank(left.kind)
            .cmp(&rank(right.kind))
            .then_with(|| left_name.cmp(right_name));
        let order = match order {
            Ordering::Equal => compare_nested(left, right, depth)?,
            unequal => unequal,
        };
        if order != Ordering::Equal {
            return Some(order);
        }
    }
}

/// The position of a type in MongoDB's order. All numbers share one, and so do strings and symbols.
fn rank(kind: ElementType) -> u8 {
    match kind {
        ElementType::MinKey => 0,
        ElementType::Undefined => 1,
        ElementType::Null => 2,
        ElementType::Int32 | ElementType::Int64 | ElementType::Double | ElementType::Decimal128 => {
            3
        }
        ElementType::String | ElementType::Symbol => 4,
        ElementType::EmbeddedDocument => 5,
        ElementType::Array => 6,
        ElementType::Binary => 7,
        ElementType::ObjectId => 8,
        ElementType::Boolean => 9,
        ElementType::DateTime => 10,
        ElementType::Timestamp => 11,
        ElementType::RegularExpression => 12,
        ElementType::DbPointer => 13,
        ElementType::JavaScriptCode => 14,
        ElementType::JavaScriptCodeWithScope => 15,
        ElementType::MaxKey => 16,
    }
}

/// A number of any type except Decimal128.
#[derive(Clone, Copy)]
pub(crate) enum Number {
    Integer(i64),
    Double(f64),
}

/// The value as a number, if it is one.
pub(crate) fn number(value: Value<'_>) -> Option<Number> {
    match value.kind {
        ElementType::Int32 => Some(Number::Integer(i32::from_le_bytes(fixed(value)?).into())),
        ElementType::Int64 => Some(Number::Integer(i64::from_le_bytes(fixed(value)?))),
        ElementType::Double => Some(Number::Double(f64::from_le_bytes(fixed(value)?))),
        _ => None,
    }
}

fn compare_numbers(a: Number, b: Number) -> Ordering {
    match (a, b) {
        (Number::Integer(a), Number::Integer(b)) => a.cmp(&b),
        // NaN equals itself and is smaller than every other number.
        (Number::Double(a), Number::Double(b)) => a
            .partial_cmp(&b)
            .unwrap_or_else(|| b.is_nan().cmp(&a.is_nan())),
        (Number::Integer(a), Number::Double(b)) => compare_integer(a, b),
        (Number::Double(a), Number::Integer(b)) => compare_integer(b, a).reverse(),
    }
}

/// Exact: the integer is never rounded to a double.
fn compare_integer(integer: i64, double: f64) -> Ordering {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() || double < -TWO_TO_63 {
        Ordering::Greater
    } else if double >= TWO_TO_63 {
        Ordering::Less
    } else {
        let whole = double.trunc();
        integer
            .cmp(&(whole as i64))
            .then_with(|| 0.0_f64.total_cmp(&(double - whole + 0.0)))
    }
}

fn fixed<const N: usize>(value: Value<'_>) -> Option<[u8; N]> {
    value.bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use bson::oid::ObjectId;
    use bson::spec::BinarySubtype;
    use bson::{Binary, Bson, DateTime, Decimal128, RawDocumentBuf, Timestamp, doc};

    use super::*;
    use crate::id::id_of;

    fn id(value: impl Into<Bson>) -> RawDocumentBuf {
        RawDocumentBuf::try_from(&doc! { "_id": value }).unwrap()
    }

    fn binary(subtype: u8, bytes: &[u8]) -> Bson {
        Binary {
            subtype: BinarySubtype::from(subtype),
            bytes: bytes.to_vec(),
        }
        .into()
    }

    #[test]
    fn values_are_ordered_as_in_mongodb() {
        let ascending = [
            id(Bson::MinKey),
            id(Bson::Null),
            id(f64::NAN),
            id(f64::NEG_INFINITY),
            id(i64::MIN),
            id(-1.5),
            id(-1),
            id(0_i64),
            id(0.25),
            id(1),
            id(9_007_199_254_740_993_i64),
            id(9_007_199_254_740_994.0),
            id(i64::MAX),
            id(9_223_372_036_854_775_808.0),
            id(f64::INFINITY),
            id(""),
            id("a"),
            id("a\0"),
            id(Bson::Symbol("aa".into())),
            id("b"),
            id("é"),
            id(doc! {}),
            id(doc! { "z": 1 }),
            id(doc! { "z": 1, "a": 0 }),
            id(doc! { "a": "x" }),
            id(doc! { "b": "a" }),
            id(binary(0, b"z")),
            id(binary(4, b"a")),
            id(binary(0, b"ab")),
            id(ObjectId::from_bytes([0; 12])),
            id(ObjectId::from_bytes([255; 12])),
            id(false),
            id(true),
            id(DateTime::from_millis(-1)),
            id(DateTime::from_millis(1)),
            id(Timestamp {
                time: 1,
                increment: 9,
            }),
            id(Timestamp {
                time: 2,
                increment: 0,
            }),
            id(Bson::MaxKey),
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                let order = compare(id_of(a).unwrap(), id_of(b).unwrap());
                assert_eq!(order, Some(i.cmp(&j)), "{a:?} and {b:?}");
            }
        }
    }

    #[test]
    fn numbers_of_different_types_and_zeros_of_both_signs_are_equal() {
        for (a, b) in [
            (id(1), id(1_i64)),
            (id(1), id(1.0)),
            (id(0.0), id(-0.0)),
            (id(0), id(-0.0)),
            (id(i64::MIN), id(-9_223_372_036_854_775_808.0)),
            (id("a"), id(Bson::Symbol("a".into()))),
        ] {
            let order = compare(id_of(&a).unwrap(), id_of(&b).unwrap());
            assert_eq!(order, Some(Ordering::Equal), "{a:?} and {b:?}");
        }
    }

    #[test]
    fn an_unknown_order_is_not_made_up() {
        let decimal = id("1".parse::<Decimal128>().unwrap());
        assert_eq!(
            compare(id_of(&decimal).unwrap(), id_of(&id(2)).unwrap()),
            None
        );
        let before = compare(id_of(&decimal).unwrap(), id_of(&id("a")).unwrap());
        assert_eq!(before, Some(Ordering::Less));

        let deep = (0..300).fold(doc! {}, |inner, _| doc! { "a": inner });
        assert_eq!(
            compare(id_of(&id(deep.clone())).unwrap(), id_of(&id(deep)).unwrap()),
            None
        );
    }
}
