//! Shapes: what is left of a version 1 document without its values.
//!
//! A shape is the ordered list of names and types, including nulls, recursively. It does not give
//! the length of an array, whose elements all share one shape. Shapes are stored by name in the
//! footer; bound to the columns, a shape tells the decoder, field by field, which bytes to write
//! and where to find the value.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, IntoDeserializer, MapAccess, Visitor},
};

use super::codec::Codec;
use crate::{
    columns::{ColumnType, Fields},
    limits::MAX_NESTING,
    raw::BsonType,
};

/// The shape of a document.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Shape {
    fields: Vec<FieldShape>,
}

/// Written as `[name, shape]`.
#[derive(Debug, Deserialize)]
struct FieldShape(String, ValueShape);

/// Written as `"double"`, `{"document": […]}` or `{"array": shape}`. An array that is empty in
/// every document has no element shape.
#[derive(Debug)]
enum ValueShape {
    Scalar(BsonType),
    Document { document: Vec<FieldShape> },
    Array { array: Option<Box<ValueShape>> },
}

/// Written by hand because serde's derived code would keep a copy of each level in memory to try it
/// as the next variant. `serde_json` bounds the depth.
impl<'de> Deserialize<'de> for ValueShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueShapeVisitor)
    }
}

struct ValueShapeVisitor;

impl<'de> Visitor<'de> for ValueShapeVisitor {
    type Value = ValueShape;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the shape of a value")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<ValueShape, E> {
        BsonType::deserialize(name.into_deserializer()).map(ValueShape::Scalar)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ValueShape, A::Error> {
        let shape = match map.next_key::<String>()?.as_deref() {
            Some("document") => ValueShape::Document {
                document: map.next_value()?,
            },
            Some("array") => ValueShape::Array {
                array: map.next_value()?,
            },
            _ => return Err(de::Error::custom("neither a document nor an array")),
        };
        match map.next_key::<String>()? {
            None => Ok(shape),
            Some(_) => Err(de::Error::custom("more than one shape of a value")),
        }
    }
}

impl Shape {
    /// Binds the shape to the columns. `None` if one of its values has no column that can hold it,
    /// if a name occurs twice in a document, or if it is not the shape of a document at all.
    pub(super) fn bind(&self, columns: &Fields) -> Option<Vec<BoundField>> {
        bind_fields(&self.fields, Some(columns), 0)
    }
}

/// A field of a shape, bound to the column of its value.
#[derive(Clone, Debug)]
pub(super) struct BoundField {
    /// The bytes before the value: type, name, zero.
    pub(super) header: Box<[u8]>,
    /// The column's position among those of its document; `None` if there is no value to store.
    pub(super) column: Option<usize>,
    pub(super) value: BoundValue,
}

/// What follows the header, and how its column stores it.
#[derive(Clone, Debug)]
pub(super) enum BoundValue {
    /// Nothing follows.
    Valueless,
    Scalar(Codec),
    Document(Vec<BoundField>),
    EmptyArray,
    /// All elements have this type code and this value.
    List(u8, Box<BoundValue>),
}

/// The value, and whether it needs a column.
type Binding = (BoundValue, bool);

fn bind_fields(
    shape: &[FieldShape],
    columns: Option<&Fields>,
    depth: usize,
) -> Option<Vec<BoundField>> {
    let mut names = HashSet::with_capacity(shape.len());
    let is_name = |name: &str| !name.contains('\0');
    if !shape
        .iter()
        .all(|FieldShape(name, _)| is_name(name) && names.insert(name.as_str()))
    {
        return None;
    }
    let bind_field = |FieldShape(name, shape): &FieldShape| {
        let column = columns.and_then(|columns| {
            let position = columns.position(name)?;
            Some((position, &columns.list()[position].column_type))
        });
        let column_type = column.map(|(_, column_type)| column_type);
        let (value, needs_column) = bind_value(shape, column_type, depth + 1)?;
        let header = [&[type_code(shape)], name.as_bytes(), &[0]]
            .concat()
            .into_boxed_slice();
        let column = column
            .map(|(position, _)| position)
            .filter(|_| needs_column);
        Some(BoundField {
            header,
            column,
            value,
        })
    };
    shape.iter().map(bind_field).collect()
}

fn bind_value(
    shape: &ValueShape,
    column_type: Option<&ColumnType>,
    depth: usize,
) -> Option<Binding> {
    if depth > MAX_NESTING {
        return None;
    }
    Some(match (shape, column_type) {
        (ValueShape::Scalar(BsonType::Document | BsonType::Array), _) => return None,
        (ValueShape::Scalar(scalar), _) if scalar.is_valueless() => (BoundValue::Valueless, false),
        (ValueShape::Scalar(scalar), Some(column_type)) => {
            (BoundValue::Scalar(Codec::of(*scalar, column_type)?), true)
        }
        (ValueShape::Scalar(_), None) => return None,
        (ValueShape::Document { document }, Some(ColumnType::Struct(fields))) => (
            BoundValue::Document(bind_fields(document, Some(fields), depth)?),
            true,
        ),
        (ValueShape::Document { document }, _) => (
            BoundValue::Document(bind_fields(document, None, depth)?),
            false,
        ),
        (ValueShape::Array { array: None }, column_type) => (
            BoundValue::EmptyArray,
            matches!(column_type, Some(ColumnType::List(_))),
        ),
        (
            ValueShape::Array {
                array: Some(element),
            },
            Some(ColumnType::List(element_type)),
        ) => {
            match bind_value(element, Some(element_type), depth + 1)? {
                (value, true) => (BoundValue::List(type_code(element), Box::new(value)), true),
                // Without a column for the elements, nothing would tell how many there are.
                (_, false) => return None,
            }
        }
        (ValueShape::Array { array: Some(_) }, _) => return None,
    })
}

fn type_code(shape: &ValueShape) -> u8 {
    match shape {
        ValueShape::Scalar(scalar) => scalar.code(),
        ValueShape::Document { .. } => BsonType::Document.code(),
        ValueShape::Array { .. } => BsonType::Array.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version_1::columns::read;

    fn is_bound(shape: &str) -> bool {
        let columns = r#"[{"name":"a","type":"int64"},{"name":"l","type":{"list":"bool"}}]"#;
        let columns = read(columns).unwrap();
        let shape: Shape = serde_json::from_str(shape).unwrap();
        shape.bind(columns.root()).is_some()
    }

    #[test]
    fn a_shape_that_fits_its_columns_is_bound() {
        assert!(is_bound(
            r#"[["a","int32"],["l",{"array":"bool"}],["b","null"],["c",{"document":[]}]]"#
        ));
        assert!(is_bound(
            r#"[["l",{"array":null}],["a","null"],["b",{"array":null}]]"#
        ));
    }

    #[test]
    fn rejects_a_malformed_or_endlessly_nested_shape() {
        let deep = r#"{"array":"#.repeat(100_000);
        for value in [
            "1",
            "[]",
            "{}",
            "\"other\"",
            r#"{"other":null}"#,
            r#"{"document":[],"array":null}"#,
            &deep,
        ] {
            let shape = serde_json::from_str::<Shape>(&format!(r#"[["a",{value}]]"#));
            assert!(shape.is_err());
        }
    }

    #[test]
    fn a_shape_that_does_not_fit_its_columns_is_not_bound() {
        for shape in [
            r#"[["a","double"]]"#,
            r#"[["b","int32"]]"#,
            r#"[["a","int32"],["a","null"]]"#,
            r#"[["a\u0000b","null"]]"#,
            r#"[["l",{"array":"null"}]]"#,
            r#"[["l",{"array":{"document":[]}}]]"#,
            r#"[["b",{"array":{"document":[]}}]]"#,
            r#"[["b",{"document":[["a","int32"]]}]]"#,
        ] {
            assert!(!is_bound(shape), "{shape}");
        }
        let deep = (0..MAX_NESTING).fold("[]".to_owned(), |inner, _| {
            format!(r#"[["d",{{"document":{inner}}}]]"#)
        });
        assert!(is_bound(&deep));
        assert!(!is_bound(&format!(r#"[["d",{{"document":{deep}}}]]"#)));
    }
}
