//! Filling the columns of a residual row, for queries.
//!
//! The whole document stands in a column of its own, so nothing here has to be exact: each field
//! that fits its column is put there, of two with one name the first that fits.

use super::builder::{Builder, ListBuilder, StructBuilder};
use crate::{
    codec::Codec,
    columns::{ColumnType, Fields},
    raw::{BsonType, Element, Elements},
};

/// Fills row `at` from a document whose BSON has been checked. The recursion is as deep as the
/// columns are.
pub(super) fn fill(fields: &Fields, columns: &mut StructBuilder, at: usize, document: &[u8]) {
    columns.open(at);
    for element in Elements::of(document).into_iter().flatten().flatten() {
        let name = std::str::from_utf8(element.name).ok();
        let Some(position) = name.and_then(|name| fields.position(name)) else {
            continue;
        };
        if let Some(column) = columns.child(position).filter(|column| column.len() <= at) {
            fill_value(&fields.list()[position].column_type, column, at, element);
        }
    }
}

/// Whether the value fits; if not, the row stays as it was.
fn fill_value(
    column_type: &ColumnType,
    column: &mut Builder,
    at: usize,
    element: Element<'_>,
) -> bool {
    match (column_type, column, element.bson_type) {
        (ColumnType::Struct(fields), Builder::Struct(columns), BsonType::Document) => {
            fill(fields, columns, at, element.value);
            true
        }
        (ColumnType::List(element_type), Builder::List(list), BsonType::Array) => {
            fill_list(element_type, list, at, element.value)
        }
        (_, column, bson_type) => Codec::of(bson_type, column_type)
            .is_some_and(|codec| column.take(codec, at, element.value).is_some()),
    }
}

/// All elements or none; a null among them is a null in the list.
fn fill_list(element_type: &ColumnType, list: &mut ListBuilder, at: usize, array: &[u8]) -> bool {
    let (column, start) = list.elements();
    let mut end = start;
    for element in Elements::of(array).into_iter().flatten().flatten() {
        let fits =
            element.bson_type == BsonType::Null || fill_value(element_type, column, end, element);
        if !fits {
            column.truncate(start);
            return false;
        }
        end += 1;
    }
    list.close(at, end);
    true
}
