//! Which `_id`s are suitable for cutting and sampling, and their order.

use std::cmp::Ordering;

use bson::spec::ElementType;

use crate::fields::Value;
use crate::id::DocumentId;
use crate::id_order::compare;

/// Nothing sorts below the first or above the second, and the third is deprecated and cannot be
/// queried.
const UNUSABLE: [ElementType; 3] = [
    ElementType::MinKey,
    ElementType::MaxKey,
    ElementType::Undefined,
];

/// Whether the collection can be sampled and cut at this `_id`: its position among the others is
/// known.
pub(super) fn is_usable(id: Value<'_>) -> bool {
    compare(id, id) == Some(Ordering::Equal) && !UNUSABLE.contains(&id.kind)
}

/// The `_id`s sorted and without duplicates.
pub(super) fn in_order(mut ids: Vec<DocumentId>) -> Vec<DocumentId> {
    ids.sort_by(|a, b| a.compare(b).unwrap_or(Ordering::Equal));
    ids.dedup_by(|a, b| a.compare(b) == Some(Ordering::Equal));
    ids
}

#[cfg(test)]
mod tests {
    use bson::{Bson, Decimal128, RawDocumentBuf, doc};

    use super::*;

    #[test]
    fn bounds_are_sorted_and_usable() {
        let decimal = "2.5".parse::<Decimal128>().unwrap();
        let ids: [Bson; 12] = [
            Bson::MaxKey,
            "b".into(),
            3.into(),
            decimal.into(),
            doc! { "a": decimal }.into(),
            "a".into(),
            3_i64.into(),
            3.0.into(),
            1.into(),
            Bson::MinKey,
            Bson::Undefined,
            Bson::Null,
        ];
        let document = |id| RawDocumentBuf::try_from(&doc! { "_id": id }).unwrap();
        let ids = ids.map(|id| DocumentId::of(&document(id)).unwrap());
        let usable = ids.into_iter().filter(|id| is_usable(id.value().unwrap()));
        let ids = in_order(usable.collect());
        let shown: Vec<_> = ids.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["null", "1", "3", "\"a\"", "\"b\""]);
    }
}
