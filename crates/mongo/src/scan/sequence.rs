//! Checks that documents come in `_id` order, across replies and across cursors.
//!
//! The order proves that no document was repeated or skipped when a cursor was reopened. If the
//! order is unknown (a collation, an exotic type of `_id`), an uninterrupted scan is still
//! complete, but an interrupted one cannot be resumed.

use std::cmp::Ordering;

use bson::RawDocument;

use super::options::ScanRange;
use crate::collection::IdRange;
use crate::error::{Error, Result};
use crate::fields::Value;
use crate::id::{DocumentId, id_of};
use crate::id_order::compare;

/// How far the scan of a range has come.
#[derive(Debug)]
pub(crate) struct Sequence {
    namespace: String,
    is_collated: bool,
    /// Several shards may hold documents with the same `_id`.
    is_of_cluster: bool,
    range: IdRange,
    last: Option<DocumentId>,
    /// The next document is the first from a cursor that was reopened at `last`.
    is_reopened: bool,
}

impl Sequence {
    pub(crate) fn new(namespace: String, is_collated: bool, part: ScanRange) -> Self {
        Self {
            namespace,
            is_collated,
            is_of_cluster: false,
            range: part.range,
            last: part.after,
            is_reopened: false,
        }
    }

    /// Sets whether the collection may be sharded.
    pub(crate) fn of_cluster(mut self, is_of_cluster: bool) -> Self {
        self.is_of_cluster = is_of_cluster;
        self
    }

    /// The `_id` of the last document so far.
    pub(crate) fn last(&self) -> Option<&DocumentId> {
        self.last.as_ref()
    }

    /// Announces that the next document comes from a new cursor, opened at the last `_id` if there
    /// is one.
    pub(crate) fn begin(&mut self) -> Result<()> {
        self.is_reopened = self.last.is_some();
        if self.is_collated && self.is_reopened {
            Err(self.cannot_resume())
        } else if self.is_collated && self.range != IdRange::default() {
            Err(Error::Indivisible {
                namespace: self.namespace.clone(),
            })
        } else {
            Ok(())
        }
    }

    /// Checks the documents of one reply. Returns how many at its start an earlier cursor already
    /// returned.
    pub(crate) fn advance<'a>(
        &mut self,
        documents: impl Iterator<Item = Result<&'a RawDocument>>,
    ) -> Result<usize> {
        let before = self.last.clone();
        let before = before.as_ref().map(DocumentId::value).transpose()?;
        let range = self.range.clone();
        let from = range.from.as_ref().map(DocumentId::value).transpose()?;
        let to = range.to.as_ref().map(DocumentId::value).transpose()?;
        let mut previous = before;
        let mut seen = 0;
        for document in documents {
            let id = id_of(document?)?;
            match previous {
                Some(previous) if self.is_seen(previous, id)? => seen += 1,
                None if from.is_some_and(|from| is_below(id, from)) => {
                    return Err(self.out_of_range(id));
                }
                _ => {}
            }
            if to.is_some_and(|to| !is_below(id, to) && compare(id, to).is_some()) {
                return Err(self.out_of_range(id));
            }
            self.is_reopened = false;
            previous = Some(id);
        }
        if previous != before
            && let Some(last) = previous
        {
            self.last = Some(DocumentId::new(last)?);
        }
        Ok(seen)
    }

    /// Whether `id` repeats `previous`, as is required at the start of a cursor reopened there.
    fn is_seen(&self, previous: Value<'_>, id: Value<'_>) -> Result<bool> {
        let order = compare(previous, id);
        let is_equal = order == Some(Ordering::Equal) || previous == id;
        if self.is_of_cluster && is_equal && !self.is_reopened {
            return Err(Error::EqualIds {
                namespace: self.namespace.clone(),
                id: DocumentId::new(id)?.to_string(),
            });
        }
        if self.is_collated {
            return Ok(false);
        }
        match order {
            Some(Ordering::Less) => Ok(false),
            Some(Ordering::Equal) if self.is_reopened => Ok(true),
            None if previous == id && self.is_reopened => Ok(true),
            // The order is unknown, or the server starts elsewhere because it ignores `min`.
            _ if self.is_reopened => Err(self.cannot_resume()),
            None if previous != id => Ok(false),
            _ => Err(Error::OutOfOrder {
                namespace: self.namespace.clone(),
                id: DocumentId::new(id)?.to_string(),
                previous: DocumentId::new(previous)?.to_string(),
            }),
        }
    }

    fn out_of_range(&self, id: Value<'_>) -> Error {
        let id = DocumentId::new(id);
        Error::OutOfRange {
            namespace: self.namespace.clone(),
            id: id.map(|id| id.to_string()).unwrap_or_default(),
        }
    }

    fn cannot_resume(&self) -> Error {
        let id = self
            .last
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        Error::CannotResume {
            namespace: self.namespace.clone(),
            id,
        }
    }
}

fn is_below(id: Value<'_>, bound: Value<'_>) -> bool {
    compare(id, bound) == Some(Ordering::Less)
}

#[cfg(test)]
mod tests {
    use bson::{Bson, RawDocumentBuf, doc};

    use super::*;

    fn advance<T: Into<Bson>>(
        sequence: &mut Sequence,
        ids: impl IntoIterator<Item = T>,
    ) -> Result<usize> {
        let documents: Vec<_> = ids
            .into_iter()
            .map(|id| RawDocumentBuf::try_from(&doc! { "_id": id, "x": 1 }).unwrap())
            .collect();
        sequence.advance(documents.iter().map(|document| Ok(&**document)))
    }

    fn sequence() -> Sequence {
        Sequence::new("raw.split_1_input".into(), false, ScanRange::default())
    }

    #[test]
    fn equal_ids_on_several_shards_differ_from_a_server_that_repeats_itself() {
        let named = |mut sequence: Sequence, ids: [Bson; 2]| {
            advance(&mut sequence, [Bson::Int32(1)]).unwrap();
            let error = advance(&mut sequence, ids).unwrap_err();
            matches!(error, Error::EqualIds { .. })
        };
        let of_cluster = || sequence().of_cluster(true);
        assert!(named(of_cluster(), [1.into(), 2.into()]));
        assert!(named(of_cluster(), [2.into(), 2.0.into()]));
        assert!(!named(of_cluster(), [3.into(), 2.into()]));
        assert!(!named(sequence(), [2.into(), 2.into()]));
        let collated = Sequence::new("a".into(), true, ScanRange::default());
        assert!(named(collated.of_cluster(true), ["b".into(), "b".into()]));
        // The first one after reopening a cursor is expected, a second one is not.
        let mut reopened = of_cluster();
        advance(&mut reopened, [7]).unwrap();
        reopened.begin().unwrap();
        assert_eq!(advance(&mut reopened, [7]).unwrap(), 1);
        assert!(advance(&mut reopened, [7]).is_err());
    }

    #[test]
    fn documents_must_ascend_within_and_across_replies() {
        let mut up = sequence();
        assert_eq!(advance(&mut up, [1, 2, 9]).unwrap(), 0);
        assert_eq!(advance(&mut up, [10]).unwrap(), 0);
        assert_eq!(advance(&mut up, [0; 0]).unwrap(), 0);
        assert_eq!(up.last().unwrap().to_string(), "10");
        for wrong in [vec![10], vec![9], vec![11, 11], vec![12, 11]] {
            let mut down = sequence();
            advance(&mut down, [1, 10]).unwrap();
            let error = advance(&mut down, wrong).unwrap_err();
            assert!(matches!(error, Error::OutOfOrder { .. }), "{error}");
        }
    }

    #[test]
    fn a_reopened_cursor_may_repeat_the_last_document_once() {
        for (again, seen) in [(vec![7, 8], 1), (vec![8, 9], 0), (vec![7], 1)] {
            let mut sequence = sequence();
            advance(&mut sequence, [5, 7]).unwrap();
            sequence.begin().unwrap();
            assert_eq!(advance(&mut sequence, again).unwrap(), seen);
        }
        let mut twice = sequence();
        advance(&mut twice, [7]).unwrap();
        twice.begin().unwrap();
        assert!(matches!(
            advance(&mut twice, [7, 7]),
            Err(Error::OutOfOrder { .. })
        ));
    }

    #[test]
    fn a_server_that_restarts_from_the_beginning_is_caught() {
        let mut sequence = sequence();
        advance(&mut sequence, [5, 7]).unwrap();
        sequence.begin().unwrap();
        let error = advance(&mut sequence, [5, 7]).unwrap_err();
        assert!(matches!(error, Error::CannotResume { id, .. } if id == "7"));
    }

    #[test]
    fn a_collated_collection_is_read_in_its_own_order_and_not_resumed() {
        let mut sequence = Sequence::new("raw.split_1_input".into(), true, ScanRange::default());
        sequence.begin().unwrap();
        assert_eq!(advance(&mut sequence, ["b", "A", "c"]).unwrap(), 0);
        assert!(matches!(sequence.begin(), Err(Error::CannotResume { .. })));
    }

    #[test]
    fn ids_of_unknown_order_are_resumed_only_at_the_same_id() {
        let decimal = |text: &str| Bson::Decimal128(text.parse().unwrap());
        let mut sequence = sequence();
        let first = [decimal("1"), decimal("2")];
        assert_eq!(advance(&mut sequence, first).unwrap(), 0);
        sequence.begin().unwrap();
        let again = [decimal("2"), decimal("3")];
        assert_eq!(advance(&mut sequence, again).unwrap(), 1);
        sequence.begin().unwrap();
        let error = advance(&mut sequence, [decimal("4")]).unwrap_err();
        assert!(matches!(error, Error::CannotResume { .. }));
    }

    #[test]
    fn a_document_outside_the_range_is_an_error() {
        let id = |id: i32| DocumentId::of(&bson::rawdoc! { "_id": id }).unwrap();
        let range = IdRange {
            from: Some(id(5)),
            to: Some(id(9)),
        };
        for (ids, is_inside) in [
            (vec![5, 8], true),
            (vec![4], false),
            (vec![6, 9], false),
            (vec![12], false),
        ] {
            let part = ScanRange {
                range: range.clone(),
                after: None,
            };
            let mut sequence = Sequence::new("raw.split_1_input".into(), false, part);
            sequence.begin().unwrap();
            match advance(&mut sequence, ids) {
                Ok(_) => assert!(is_inside),
                Err(e) => assert!(matches!(e, Error::OutOfRange { .. }) && !is_inside, "{e}"),
            }
        }
    }

    #[test]
    fn a_scan_continues_after_the_last_id_of_an_earlier_one() {
        let after = Some(DocumentId::of(&bson::rawdoc! { "_id": 7_i64 }).unwrap());
        for (ids, seen) in [(vec![7, 8], 1), (vec![8, 9], 0)] {
            let part = ScanRange {
                after: after.clone(),
                ..<_>::default()
            };
            let mut sequence = Sequence::new("raw.split_1_input".into(), false, part);
            sequence.begin().unwrap();
            assert_eq!(advance(&mut sequence, ids).unwrap(), seen);
        }
    }

    #[test]
    fn a_collated_collection_has_no_ranges() {
        let range = IdRange {
            from: None,
            to: Some(DocumentId::of(&bson::rawdoc! { "_id": 1 }).unwrap()),
        };
        let part = ScanRange { range, after: None };
        let mut sequence = Sequence::new("raw.split_1_input".into(), true, part);
        assert!(matches!(sequence.begin(), Err(Error::Indivisible { .. })));
    }
}
