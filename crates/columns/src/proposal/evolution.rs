//! Changes an earlier run's columns no more than the observed documents require.

use std::collections::HashSet;

use super::chooser::Natures;
use crate::{
    column_counts::ColumnCounts,
    columns::{Column, ColumnType, Columns, Fields},
    own_columns::{REST_COLUMN, fold},
    path,
};

/// New fields come last and integers may become doubles. Defaults are today's, as readers never see
/// them.
pub(super) fn evolve(
    earlier: &Columns,
    proposed: &Columns,
    counts: &ColumnCounts,
    natures: &Natures,
) -> Columns {
    let evolution = Evolution { counts, natures };
    let evolve = |proposed| {
        let list = evolution.fields(earlier.root(), proposed, "");
        Fields::new(list).and_then(Columns::new)
    };
    // If that is more than fits, no new columns are added.
    let evolved = evolve(Some(proposed.root())).or_else(|_| evolve(None));
    evolved.unwrap_or_else(|_| earlier.clone())
}

struct Evolution<'a> {
    counts: &'a ColumnCounts,
    natures: &'a Natures,
}

impl Evolution<'_> {
    fn fields(&self, earlier: &Fields, proposed: Option<&Fields>, path: &str) -> Vec<Column> {
        let find = |name: &str| {
            let proposed = proposed?;
            proposed.list().get(proposed.position(name)?)
        };
        let (mut list, mut added, mut rest) = (Vec::new(), Vec::new(), None);
        for column in earlier.list() {
            let path = path::of_field(path, &column.name);
            let today = find(&column.name);
            let (today_type, gap) = match today {
                Some(today) => (Some(&today.column_type), today.gap),
                None => (None, column.gap),
            };
            let column_type = self.column_type(&column.column_type, today_type, &path);
            let is_new = column.column_type == ColumnType::Null && column_type != ColumnType::Null;
            let column = Column {
                name: column.name.clone(),
                gap: if column_type == ColumnType::Null || gap.is_of_values() {
                    gap
                } else {
                    column.gap
                },
                column_type,
            };
            if column.name == REST_COLUMN {
                rest = Some(column);
            } else if is_new {
                added.push(column);
            } else {
                list.push(column);
            }
        }
        let names: HashSet<_> = earlier
            .list()
            .iter()
            .map(|column| fold(&column.name))
            .collect();
        let fields = proposed.map_or(&[][..], Fields::list).iter();
        for column in fields.filter(|column| !names.contains(&fold(&column.name))) {
            if column.name == REST_COLUMN {
                rest = Some(column.clone());
            } else {
                added.push(column.clone());
            }
        }
        list.append(&mut added);
        list.extend(rest);
        list
    }

    fn column_type(
        &self,
        earlier: &ColumnType,
        today: Option<&ColumnType>,
        path: &str,
    ) -> ColumnType {
        use ColumnType::{Double, DriverDouble, DriverInt64, Int64, List, Map, Null, Struct};
        match (earlier, today) {
            (Null, Some(today)) => today.clone(),
            (Struct(_), Some(today @ Map(_))) if self.natures.maps.contains(path) => today.clone(),
            (Map(_), Some(today @ Struct(_))) if self.natures.structs.contains(path) => {
                today.clone()
            }
            (Int64 | DriverInt64, _) if self.counts.can_widen(path) => DriverDouble,
            // Today's sample already has doubles, and every integer has an exact double.
            (Int64 | DriverInt64, Some(today @ (Double | DriverDouble)))
                if !self.counts.beyond_double.contains(path) =>
            {
                today.clone()
            }
            // The default types are today's.
            (Int64 | DriverInt64, Some(today @ (Int64 | DriverInt64)))
            | (Double | DriverDouble, Some(today @ (Double | DriverDouble)))
            | (ColumnType::Raw(_), Some(today @ ColumnType::Raw(_))) => today.clone(),
            (List(earlier), today) => {
                let today = today.and_then(|today| match today {
                    List(element) => Some(&**element),
                    _ => None,
                });
                let path = path::of_elements(path);
                List(Box::new(self.column_type(earlier, today, &path)))
            }
            (Map(earlier), today) => {
                let today = today.and_then(|today| match today {
                    Map(value) => Some(&**value),
                    _ => None,
                });
                let path = path::of_values(path);
                Map(Box::new(self.column_type(earlier, today, &path)))
            }
            (Struct(earlier), today) => {
                let today = today.and_then(|today| match today {
                    Struct(fields) => Some(fields),
                    _ => None,
                });
                let fields = Fields::new(self.fields(earlier, today, path));
                Struct(fields.unwrap_or_else(|_| earlier.clone()))
            }
            (earlier, _) => earlier.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bson::{Document, doc};

    use super::*;
    use crate::{ColumnsProposal, Encoder};

    fn proposal(documents: &[Document]) -> ColumnsProposal {
        let mut proposal = ColumnsProposal::new();
        for document in documents {
            proposal.observe(&document.to_vec().unwrap()).unwrap();
        }
        proposal
    }

    fn encoded(columns: &Columns, documents: &[Document]) -> ColumnCounts {
        let mut encoder = Encoder::new(columns);
        for document in documents {
            encoder.push(&document.to_vec().unwrap()).unwrap();
        }
        encoder.counts()
    }

    fn list(columns: &Columns) -> Vec<String> {
        let list = columns.list().map(|(name, kind)| format!("{name} {kind}"));
        list.collect()
    }

    #[test]
    fn new_fields_come_last_and_integer_columns_widen_to_doubles_if_needed() {
        let first = doc! { "_id": 1, "qty": 1, "big": 1_i64, "legs": [{ "px": 1 }], "note": bson::Bson::Null };
        let columns = proposal(std::slice::from_ref(&first)).finish();
        let night = [
            first,
            doc! { "_id": 2, "qty": 0.5, "big": 0.5, "legs": [{ "px": 0.5 }] },
            doc! { "_id": 3, "qty": "text", "big": (1_i64 << 53) + 1 },
        ];
        let counts = encoded(&columns, &night);
        assert_eq!(counts.misfits["qty"]["double"], 1);
        assert_eq!(counts.misfits["qty"]["string"], 1);
        assert_eq!(counts.types["legs[].px"], "int64");
        assert!(counts.can_widen("qty") && counts.can_widen("legs[].px"));
        assert!(!counts.can_widen("big"));
        let today = [
            doc! { "_id": 4, "new": true, "qty": "text", "note": "x", "legs": [{ "new": 1, "px": 2 }] },
        ];
        let (next, _) = proposal(&today).finish_after(&columns, &counts);
        assert_eq!(
            list(&next),
            [
                "_id int64",
                "qty double",
                "big int64",
                "legs list<struct<px: double, new: int64>>",
                "note string",
                "new bool"
            ]
        );
        assert_eq!(encoded(&next, &night[..2]).misfits.len(), 1);
    }

    #[test]
    fn columns_that_share_a_path_are_counted_together() {
        let columns = proposal(&[doc! { "a.b": 1, "a": { "b": 1 } }]).finish();
        let counts = encoded(&columns, &[doc! { "a.b": "text", "a": { "b": "text" } }]);
        assert_eq!(counts.misfits["a.b"]["string"], 2);
    }

    #[test]
    fn a_struct_column_stays_unless_the_user_makes_it_a_map() {
        let book = |n: i32| doc! { "bids": { (n.to_string()): 1.5, ((n + 1).to_string()): 2.5 } };
        let books: Vec<_> = (0..50).map(book).collect();
        let earlier = proposal(&[doc! { "bids": { "best": 1.5 } }]).finish();
        let (next, _) = proposal(&books).finish_after(&earlier, &ColumnCounts::default());
        assert_eq!(list(&next), list(&earlier));
        let mut overruled = ColumnsProposal::with_natures(["bids".to_owned()], []);
        for book in &books {
            overruled.observe(&book.to_vec().unwrap()).unwrap();
        }
        let (next, _) = overruled.finish_after(&earlier, &ColumnCounts::default());
        assert_eq!(list(&next), ["bids map<double>"]);
    }
}
