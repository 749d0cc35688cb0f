//! The order in which MongoDB keeps `_id` values of any BSON types.
//!
//! Ranges, duplicates and the order of results all follow from it. Equal means equal to the
//! server: `1`, `1.0` and `Decimal128("1.00")` are one `_id`.

use std::cmp::Ordering;

use bson::spec::ElementType;

use super::element::{Value, code_with_scope, elements};
use super::number;

/// A value of its own that is ordered as the server orders it.
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

/// Compares two values that come from valid documents.
pub(crate) fn compare(left: Value<'_>, right: Value<'_>) -> Ordering {
    class(left.kind)
        .cmp(&class(right.kind))
        .then_with(|| within_class(left, right))
}

/// The place of a type among the types; types of one class are compared by value.
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
        // Length, then subtype and payload.
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

/// Whether the names of elements count: they do in documents, and do not in arrays.
#[derive(Clone, Copy)]
enum Names {
    Compared,
    Ignored,
}

/// Element by element: type, then name, then value; a prefix comes first.
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
