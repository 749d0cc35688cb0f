//! Query filters: equality, `$in` and `$lte` of a date on top-level fields, and `$or` of these.
//!
//! The tools need nothing else, and any other operator is refused rather than misunderstood.

use std::collections::BTreeSet;

use bson::spec::ElementType;

use super::arguments::{as_array, as_document};
use super::element::{Value, elements};
use super::failure::Failure;
use super::order::Key;

/// Conditions on fields that must all hold, plus, if there are alternatives, one of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    fields: Vec<(Vec<u8>, Wanted)>,
    any_of: Vec<Self>,
}

/// The condition on a field.
#[derive(Clone, Debug)]
enum Wanted {
    OneOf(BTreeSet<Key>),
    /// A date no later than this one, or an array containing such a date.
    DateUntil(Key),
}

impl Wanted {
    fn accepts(&self, value: Value<'_>) -> bool {
        match self {
            Self::OneOf(values) => values.contains(&value.into()),
            Self::DateUntil(last) => match as_array(value) {
                Some(values) => values.into_iter().any(|value| is_until(value, last)),
                None => is_until(value, last),
            },
        }
    }
}

/// A date is only ever compared with dates.
fn is_until(value: Value<'_>, last: &Key) -> bool {
    value.kind == ElementType::DateTime && Key::from(value) <= *last
}

impl Filter {
    pub(crate) fn parse(query: &[u8]) -> Result<Self, Failure> {
        let (mut fields, mut any_of) = (Vec::new(), Vec::new());
        for element in elements(query) {
            if element.name == b"$or" && any_of.is_empty() {
                any_of = alternatives(element.value)?;
                continue;
            }
            if element.name.starts_with(b"$") || element.name.contains(&b'.') {
                return Err(Failure::unsupported("this query"));
            }
            fields.push((element.name.to_vec(), accepted(element.value)?));
        }
        Ok(Self { fields, any_of })
    }

    /// The values that `_id` may have, if the filter restricts it.
    pub(crate) fn ids(&self) -> Option<&BTreeSet<Key>> {
        self.fields.iter().find_map(|(name, wanted)| match wanted {
            Wanted::OneOf(values) if name == b"_id" => Some(values),
            _ => None,
        })
    }

    pub(crate) fn accepts(&self, document: &[u8]) -> bool {
        let fits = |(name, wanted): &(Vec<u8>, Wanted)| {
            elements(document).any(|element| element.name == *name && wanted.accepts(element.value))
        };
        let is_one = || self.any_of.iter().any(|filter| filter.accepts(document));
        self.fields.iter().all(fits) && (self.any_of.is_empty() || is_one())
    }
}

fn alternatives(value: Value<'_>) -> Result<Vec<Filter>, Failure> {
    let queries = as_array(value).filter(|queries| !queries.is_empty());
    let queries = queries.ok_or_else(|| Failure::new(2, "$or must be a nonempty array"))?;
    let parse = |query| match as_document(query) {
        Some(query) => Filter::parse(query),
        None => Err(Failure::new(
            2,
            "$or/$and/$nor entries need to be full objects",
        )),
    };
    queries.into_iter().map(parse).collect()
}

fn accepted(value: Value<'_>) -> Result<Wanted, Failure> {
    match value.kind {
        ElementType::EmbeddedDocument => {
            let mut operators = elements(value.bytes);
            match (operators.next(), operators.next()) {
                (Some(only), None) if only.name == b"$eq" => literal(only.value).map(Wanted::OneOf),
                (Some(only), None) if only.name == b"$lte" => match only.value.kind {
                    ElementType::DateTime => Ok(Wanted::DateUntil(only.value.into())),
                    _ => Err(Failure::unsupported("this comparison")),
                },
                (Some(only), None) if only.name == b"$in" => {
                    let values = as_array(only.value);
                    let values = values.ok_or_else(|| Failure::new(2, "$in needs an array"))?;
                    let sets = values
                        .into_iter()
                        .map(literal)
                        .collect::<Result<Vec<_>, _>>()?;
                    Ok(Wanted::OneOf(sets.into_iter().flatten().collect()))
                }
                (Some(first), _) if first.name.starts_with(b"$") => {
                    Err(Failure::unsupported("this query operator"))
                }
                _ => literal(value).map(Wanted::OneOf),
            }
        }
        _ => literal(value).map(Wanted::OneOf),
    }
}

/// Null would also match absent fields, and arrays and patterns mean more than equality. The tools
/// need none of them, so all are refused.
fn literal(value: Value<'_>) -> Result<BTreeSet<Key>, Failure> {
    match value.kind {
        ElementType::Array | ElementType::RegularExpression => {
            Err(Failure::unsupported("a query for this type"))
        }
        _ => Ok(BTreeSet::from([value.into()])),
    }
}
