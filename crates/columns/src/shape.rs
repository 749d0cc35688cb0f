//! Shapes: what a document is without its values.
//!
//! A shape is the ordered list of names and types, nulls included, recursively. It says nothing of
//! the length of an array: an array has a shape only if its elements share one. A shape is stored
//! by name in the footer; bound to the columns it tells encoder and decoder, field by field, which
//! bytes to expect or to write and where the value is.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IntoDeserializer, MapAccess, Visitor},
};

use crate::{
    codec::Codec,
    columns::{ColumnType, Fields, MAX_NESTING},
    raw::{ArrayKey, BsonType, Element, Elements, MalformedBson},
};

/// The shape of a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Shape {
    fields: Vec<FieldShape>,
}

/// Written as `[name, shape]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct FieldShape(String, ValueShape);

/// Written as `"double"`, `{"document": […]}` or `{"array": shape}`; the elements of an array that
/// is empty all the way have none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
enum ValueShape {
    Scalar(BsonType),
    Document { document: Vec<FieldShape> },
    Array { array: Option<Box<ValueShape>> },
}

/// By hand, as what serde derives would keep a copy of each level in memory to try it as the next
/// variant; `serde_json` bounds the depth.
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

/// Why a document has no shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoShape {
    Malformed(MalformedBson),
    /// Mixed arrays, odd keys, names that are not UTF-8, or nesting beyond [`MAX_NESTING`].
    Irregular,
}

impl From<MalformedBson> for NoShape {
    fn from(error: MalformedBson) -> Self {
        NoShape::Malformed(error)
    }
}

impl Shape {
    pub(crate) fn of(document: &[u8]) -> Result<Self, NoShape> {
        Ok(Self {
            fields: document_shape(document, 0)?,
        })
    }

    /// Binds the shape to the columns; none if a value of it has no column that takes it, if a name
    /// stands twice in one document, or if it is no shape of a document at all.
    pub(crate) fn bind(&self, columns: &Fields) -> Option<Vec<BoundField>> {
        bind_fields(&self.fields, Some(columns), 0)
    }
}

fn document_shape(document: &[u8], depth: usize) -> Result<Vec<FieldShape>, NoShape> {
    let mut fields = Vec::new();
    for element in Elements::of(document)? {
        let element = element?;
        let name = std::str::from_utf8(element.name).map_err(|_| NoShape::Irregular)?;
        fields.push(FieldShape(
            name.to_owned(),
            value_shape(element, depth + 1)?,
        ));
    }
    Ok(fields)
}

fn value_shape(element: Element<'_>, depth: usize) -> Result<ValueShape, NoShape> {
    if depth > MAX_NESTING {
        return Err(NoShape::Irregular);
    }
    match element.bson_type {
        BsonType::Document => Ok(ValueShape::Document {
            document: document_shape(element.value, depth)?,
        }),
        BsonType::Array => array_shape(element.value, depth),
        scalar => Ok(ValueShape::Scalar(scalar)),
    }
}

fn array_shape(array: &[u8], depth: usize) -> Result<ValueShape, NoShape> {
    let mut shared: Option<ValueShape> = None;
    let mut key = ArrayKey::first();
    for element in Elements::of(array)? {
        let element = element?;
        if element.name != key.bytes() || element.bson_type.is_valueless() {
            return Err(NoShape::Irregular);
        }
        key.advance();
        shared = match (shared, element.bson_type) {
            (Some(ValueShape::Scalar(first)), next) if first == next => {
                Some(ValueShape::Scalar(first))
            }
            (Some(first), _) => {
                let next = value_shape(element, depth + 1)?;
                Some(unite(first, next).ok_or(NoShape::Irregular)?)
            }
            (None, _) => Some(value_shape(element, depth + 1)?),
        };
    }
    Ok(ValueShape::Array {
        array: shared.map(Box::new),
    })
}

/// The shape that describes both elements of an array; they differ in empty arrays at most.
fn unite(one: ValueShape, other: ValueShape) -> Option<ValueShape> {
    match (one, other) {
        (ValueShape::Scalar(one), ValueShape::Scalar(other)) => {
            (one == other).then_some(ValueShape::Scalar(one))
        }
        (ValueShape::Document { document: one }, ValueShape::Document { document: other }) => {
            if one.len() != other.len() {
                return None;
            }
            let unite_field = |(one, other): (FieldShape, FieldShape)| {
                (one.0 == other.0).then_some(())?;
                Some(FieldShape(one.0, unite(one.1, other.1)?))
            };
            let document = one
                .into_iter()
                .zip(other)
                .map(unite_field)
                .collect::<Option<_>>()?;
            Some(ValueShape::Document { document })
        }
        (ValueShape::Array { array: one }, ValueShape::Array { array: other }) => {
            let array = match (one, other) {
                (Some(one), Some(other)) => Some(Box::new(unite(*one, *other)?)),
                (one, other) => one.or(other),
            };
            Some(ValueShape::Array { array })
        }
        _ => None,
    }
}

/// A field of a shape, bound to the column of its value.
#[derive(Clone, Debug)]
pub(crate) struct BoundField {
    /// The bytes before the value: type, name, zero.
    pub(crate) header: Box<[u8]>,
    /// The position of its column among those of its document; none if there is no value to keep.
    pub(crate) column: Option<usize>,
    pub(crate) value: BoundValue,
}

/// What follows the header, and how it stands in the column.
#[derive(Clone, Debug)]
pub(crate) enum BoundValue {
    /// Nothing follows.
    Valueless,
    Scalar(Codec),
    Document(Vec<BoundField>),
    EmptyArray,
    /// All elements have this type code and this value.
    List(u8, Box<BoundValue>),
}

/// The value, and whether it needs its column.
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
                // Without a column of the elements nothing would say how many there are.
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
    use crate::columns::Columns;

    fn is_bound(shape: &str) -> bool {
        let columns = r#"[{"name":"a","type":"int64"},{"name":"l","type":{"list":"bool"}}]"#;
        let columns: Columns = serde_json::from_str(columns).unwrap();
        let shape: Shape = serde_json::from_str(shape).unwrap();
        assert_eq!(
            serde_json::from_str::<Shape>(&serde_json::to_string(&shape).unwrap()).unwrap(),
            shape
        );
        shape.bind(columns.root()).is_some()
    }

    #[test]
    fn a_shape_that_its_columns_hold_is_bound() {
        assert!(is_bound(
            r#"[["a","int32"],["l",{"array":"bool"}],["b","null"],["c",{"document":[]}]]"#
        ));
        assert!(is_bound(
            r#"[["l",{"array":null}],["a","null"],["b",{"array":null}]]"#
        ));
    }

    #[test]
    fn a_value_that_is_no_shape_or_nested_without_end_is_refused() {
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
    fn a_shape_that_would_write_something_else_than_it_says_is_not_bound() {
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
