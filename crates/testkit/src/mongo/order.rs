//! MongoDB's order of `_id` values of any BSON types.
//!
//! Ranges, duplicates and result order all follow from it. Equal means equal to the server: `1`,
//! `1.0` and `Decimal128("1.00")` are one `_id`.

use std::cmp::Ordering;

use bson::spec::ElementType;

use super::element::{Value, code_with_scope, elements};
use super::number;

/// An owned value, ordered as the server orders it.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    kind: ElementType,
    bytes: Box<[u8]>,
}

impl Key {
    pub(crate) fn max() -> Self {
        Self {
            kind: ElementType::MaxKey,
            bytes: Box::default(),
        }
    }

    pub(crate) fn min() -> Self {
        Self {
            kind: ElementType::MinKey,
            bytes: Box::default(),
        }
    }

    pub(crate) fn value(&self) -> Value<'_> {
        Value {
            kind: self.kind,
            bytes: &self.bytes,
        }
    }
}

impl From<Value<'_>> for Key {
    fn from(value: Value<'_>) -> Self {
        Self {
            kind: value.kind,
            bytes: value.bytes.into(),
        }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.value(), other.value())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}

/// Compares two values from valid documents.
pub(crate) fn compare(left: Value<'_>, right: Value<'_>) -> Ordering {
    class(left.kind)
        .cmp(&class(right.kind))
        .then_with(|| within_class(left, right))
}

/// The rank of a type. Types of one class are compared by value.
fn class(kind: ElementType) -> u8 {
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

fn within_class(left: Value<'_>, right: Value<'_>) -> Ordering {
    let (a, b) = (left.bytes, right.bytes);
    match left.kind {
        ElementType::MinKey | ElementType::MaxKey | ElementType::Undefined | ElementType::Null => {
            Ordering::Equal
        }
        ElementType::Int32 | ElementType::Int64 | ElementType::Double | ElementType::Decimal128 => {
            number::compare(left, right)
        }
        ElementType::String | ElementType::Symbol | ElementType::JavaScriptCode => {
            text(a).cmp(text(b))
        }
        ElementType::EmbeddedDocument => compare_documents(a, b, Names::Compared),
        ElementType::Array => compare_documents(a, b, Names::Ignored),
        // Length first, then subtype and payload.
        ElementType::Binary => a.len().cmp(&b.len()).then_with(|| a[4..].cmp(&b[4..])),
        ElementType::ObjectId | ElementType::Boolean => a.cmp(b),
        ElementType::DateTime => number::bits(left)
            .cast_signed()
            .cmp(&number::bits(right).cast_signed()),
        ElementType::Timestamp => number::bits(left).cmp(&number::bits(right)),
        ElementType::RegularExpression => a.split(is_nul).cmp(b.split(is_nul)),
        ElementType::DbPointer => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
        ElementType::JavaScriptCodeWithScope => match (code_with_scope(a), code_with_scope(b)) {
            (Ok((code_a, scope_a)), Ok((code_b, scope_b))) => code_a
                .cmp(code_b)
                .then_with(|| compare_documents(scope_a, scope_b, Names::Compared)),
            _ => a.cmp(b),
        },
    }
}

/// Whether element names matter: they do in documents, not in arrays.
#[derive(Clone, Copy)]
enum Names {
    Compared,
    Ignored,
}

/// Compares element by element: type, then name, then value; a prefix comes first.
fn compare_documents(left: &[u8], right: &[u8], names: Names) -> Ordering {
    let mut others = elements(right);
    for a in elements(left) {
        let Some(b) = others.next() else {
            return Ordering::Greater;
        };
        let order = class(a.value.kind)
            .cmp(&class(b.value.kind))
            .then_with(|| match names {
                Names::Compared => a.name.cmp(b.name),
                Names::Ignored => Ordering::Equal,
            })
            .then_with(|| within_class(a.value, b.value));
        if order.is_ne() {
            return order;
        }
    }
    if others.next().is_some() {
        Ordering::Less
    } else {
        Ordering::Equal
    }
}

/// The bytes of a string without its length and NUL.
fn text(bytes: &[u8]) -> &[u8] {
    &bytes[4..bytes.len() - 1]
}

fn is_nul(byte: &u8) -> bool {
    *byte == 0
}

#[cfg(test)]
mod tests {
    use bson::spec::ElementType as Kind;
    use proptest::prelude::*;

    use super::*;
    use crate::document_writer::{DocumentWriter, string_value};

    fn key(kind: Kind, bytes: impl AsRef<[u8]>) -> Key {
        Key {
            kind,
            bytes: bytes.as_ref().into(),
        }
    }

    fn int32(value: i32) -> Key {
        key(Kind::Int32, value.to_le_bytes())
    }

    fn int64(value: i64) -> Key {
        key(Kind::Int64, value.to_le_bytes())
    }

    fn double(value: f64) -> Key {
        key(Kind::Double, value.to_le_bytes())
    }

    fn decimal(value: &str) -> Key {
        key(
            Kind::Decimal128,
            value.parse::<bson::Decimal128>().unwrap().bytes(),
        )
    }

    fn binary(subtype: u8, payload: &[u8]) -> Key {
        let mut value = (payload.len() as u32).to_le_bytes().to_vec();
        value.push(subtype);
        value.extend_from_slice(payload);
        key(Kind::Binary, value)
    }

    fn embedded(kind: Kind, entries: &[(&str, Key)]) -> Key {
        let mut document = DocumentWriter::new();
        for (name, entry) in entries {
            document.element(entry.kind, name, &entry.bytes);
        }
        key(kind, document.finish())
    }

    fn code_with_scope(code: &str, scope: &[(&str, Key)]) -> Key {
        let code = string_value(code);
        let scope = embedded(Kind::EmbeddedDocument, scope);
        let length = (4 + code.len() + scope.bytes.len()) as u32;
        let parts = [&length.to_le_bytes()[..], &code, &scope.bytes];
        key(Kind::JavaScriptCodeWithScope, parts.concat())
    }

    fn pointer(namespace: &str, id: u8) -> Key {
        key(
            Kind::DbPointer,
            [&string_value(namespace)[..], &[id; 12]].concat(),
        )
    }

    #[test]
    fn values_of_all_types_sort_as_on_the_server() {
        use Kind::{Array, EmbeddedDocument as Doc};
        let ascending = [
            key(Kind::MinKey, []),
            key(Kind::Undefined, []),
            key(Kind::Null, []),
            double(f64::NAN),
            decimal("-Infinity"),
            decimal("-9.999999999999999999999999999999999E+6144"),
            double(f64::MIN),
            int64(i64::MIN),
            double(-1.5),
            int32(-1),
            decimal("-1E-6176"),
            int32(0),
            decimal("1E-6176"),
            double(f64::from_bits(1)),
            decimal("0.1"),
            // The double nearest to 0.1 is slightly larger.
            double(0.1),
            int64(1),
            double(9_007_199_254_740_992.0),
            int64(9_007_199_254_740_993),
            decimal("9007199254740993.5"),
            int64(i64::MAX),
            double(9_223_372_036_854_775_808.0),
            double(f64::INFINITY),
            key(Kind::String, string_value("")),
            key(Kind::Symbol, string_value("A")),
            key(Kind::String, string_value("a")),
            key(Kind::String, string_value("a\0")),
            key(Kind::String, string_value("aa")),
            key(Kind::String, string_value("é")),
            embedded(Doc, &[]),
            // A field's type is compared before its name.
            embedded(Doc, &[("z", int32(1))]),
            embedded(Doc, &[("z", int32(1)), ("a", int32(0))]),
            embedded(Doc, &[("a", key(Kind::String, string_value("x")))]),
            embedded(Doc, &[("b", key(Kind::String, string_value("a")))]),
            embedded(Array, &[]),
            embedded(Array, &[("9", int32(1))]),
            embedded(Array, &[("0", int32(2))]),
            binary(0, b""),
            binary(0, b"z"),
            binary(5, b"a"),
            binary(0, b"aa"),
            key(Kind::ObjectId, [0; 12]),
            key(Kind::ObjectId, [255; 12]),
            key(Kind::Boolean, [0]),
            key(Kind::Boolean, [1]),
            key(Kind::DateTime, i64::MIN.to_le_bytes()),
            key(Kind::DateTime, (-1i64).to_le_bytes()),
            key(Kind::DateTime, i64::MAX.to_le_bytes()),
            key(Kind::Timestamp, 1u64.to_le_bytes()),
            key(Kind::Timestamp, u64::MAX.to_le_bytes()),
            key(Kind::RegularExpression, b"a\0\0"),
            key(Kind::RegularExpression, b"a\0i\0"),
            key(Kind::RegularExpression, b"ab\0\0"),
            pointer("zz", 1),
            pointer("aaa", 0),
            pointer("aaa", 1),
            key(Kind::JavaScriptCode, string_value("a")),
            key(Kind::JavaScriptCode, string_value("b")),
            code_with_scope("a", &[]),
            code_with_scope("a", &[("a", int32(1))]),
            code_with_scope("b", &[]),
            key(Kind::MaxKey, []),
        ];
        for (position, low) in ascending.iter().enumerate() {
            assert_eq!(low.cmp(low), Ordering::Equal, "{low:?}");
            for high in &ascending[position + 1..] {
                assert_eq!(low.cmp(high), Ordering::Less, "{low:?} {high:?}");
                assert_eq!(high.cmp(low), Ordering::Greater, "{high:?} {low:?}");
            }
        }
    }

    #[test]
    fn equal_numbers_of_any_type_are_one_key() {
        let mut too_many_digits = [0xff; 16];
        too_many_digits[14..].copy_from_slice(&[0x41, 0x30]);
        let classes = [
            vec![
                int32(1),
                int64(1),
                double(1.0),
                decimal("1"),
                decimal("1.00"),
                decimal("10E-1"),
            ],
            vec![
                int32(0),
                double(-0.0),
                decimal("-0"),
                decimal("0E+6000"),
                key(Kind::Decimal128, too_many_digits),
            ],
            vec![double(f64::NAN), double(-f64::NAN), decimal("NaN")],
            vec![double(f64::INFINITY), decimal("Infinity")],
            vec![double(0.5), decimal("0.5")],
            vec![int64(i64::MIN), double(-9_223_372_036_854_775_808.0)],
        ];
        for class in classes {
            for (a, b) in class.iter().flat_map(|a| class.iter().map(move |b| (a, b))) {
                assert_eq!(a.cmp(b), Ordering::Equal, "{a:?} {b:?}");
            }
        }
    }

    /// Numbers that are close to each other across types, and small values of every other type, so
    /// that ties and near misses are common.
    fn any_key() -> impl Strategy<Value = Key> {
        let number = prop_oneof![
            (-3..3i32).prop_map(int32),
            prop_oneof![-3..3i64, Just(i64::MAX), Just((1 << 53) + 1)].prop_map(int64),
            prop_oneof![
                (-6..6i32).prop_map(|half| f64::from(half) / 2.0),
                any::<f64>(),
                Just(2f64.powi(53)),
                Just(2f64.powi(63)),
                Just(f64::NAN),
                Just(f64::INFINITY)
            ]
            .prop_map(double),
            any::<[u8; 16]>().prop_map(|bytes| key(Kind::Decimal128, bytes)),
            (-30..30i32, -2..2i32)
                .prop_map(|(digits, exponent)| { decimal(&format!("{digits}E{exponent}")) }),
        ];
        let text = "[ab]{0,2}";
        let leaf = prop_oneof![
            4 => number,
            1 => prop::sample::select(vec![Kind::MinKey, Kind::Undefined, Kind::Null, Kind::MaxKey])
                .prop_map(|kind| key(kind, [])),
            1 => (text, prop::sample::select(vec![Kind::String, Kind::Symbol, Kind::JavaScriptCode]))
                .prop_map(|(text, kind)| key(kind, string_value(text))),
            1 => (0..2u8, prop::collection::vec(0..2u8, 0..3))
                .prop_map(|(subtype, payload)| binary(subtype, &payload)),
            1 => (0..3u64, prop::sample::select(vec![Kind::DateTime, Kind::Timestamp]))
                .prop_map(|(n, kind)| key(kind, n.wrapping_sub(1).to_le_bytes())),
            1 => (0..2u8).prop_map(|bit| key(Kind::Boolean, [bit])),
            1 => (0..2u8).prop_map(|byte| key(Kind::ObjectId, [byte; 12])),
            1 => (text, "[im]{0,1}").prop_map(|(pattern, flags)| {
                key(Kind::RegularExpression, format!("{pattern}\0{flags}\0"))
            }),
            1 => (text, 0..2u8).prop_map(|(namespace, id)| pointer(&namespace, id)),
        ];
        leaf.prop_recursive(2, 8, 3, move |inner| {
            let entries = prop::collection::vec(("[ab]", inner), 0..3);
            (entries, text, 0..3).prop_map(|(entries, code, form)| {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(name, value)| (&**name, value.clone()))
                    .collect();
                match form {
                    0 => embedded(Kind::EmbeddedDocument, &entries),
                    1 => embedded(Kind::Array, &entries),
                    _ => code_with_scope(&code, &entries),
                }
            })
        })
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in any_key(), b in any_key(), c in any_key()) {
            prop_assert_eq!(a.cmp(&a), Ordering::Equal);
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            let mut sorted = [&a, &b, &c];
            sorted.sort();
            prop_assert!(sorted[0] <= sorted[1] && sorted[1] <= sorted[2] && sorted[0] <= sorted[2]);
            if a == b {
                prop_assert_eq!(a.cmp(&c), b.cmp(&c));
            }
        }

        #[test]
        fn integers_and_doubles_compare_as_numbers(a in any::<i64>(), b in -1e20..1e20f64) {
            let expected = (i128::from(a)).cmp(&(b.floor() as i128));
            let expected = if expected.is_eq() && b.fract() != 0.0 { Ordering::Less } else { expected };
            prop_assert_eq!(int64(a).cmp(&double(b)), expected);
        }
    }
}
