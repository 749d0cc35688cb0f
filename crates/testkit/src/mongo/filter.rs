//! Which documents a query means: equality and `$in` on top-level fields, nothing else.
//!
//! That is all the tools ask for; any other operator is refused rather than misunderstood.

use std::collections::BTreeSet;

use bson::spec::ElementType;

use super::arguments::as_array;
use super::element::{Value, elements};
use super::failure::Failure;
use super::order::Key;

/// A conjunction of "the field has one of these values".
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    fields: Vec<(Vec<u8>, BTreeSet<Key>)>,
}

impl Filter {
    pub(crate) fn parse(query: &[u8]) -> Result<Self, Failure> {
        let mut fields = Vec::new();
        for element in elements(query) {
            if element.name.starts_with(b"$") || element.name.contains(&b'.') {
                return Err(Failure::unsupported("this query"));
            }
            fields.push((element.name.to_vec(), accepted(element.value)?));
        }
        Ok(Self { fields })
    }

    /// The values that `_id` may have, where the filter says so.
    pub(crate) fn ids(&self) -> Option<&BTreeSet<Key>> {
        self.fields
            .iter()
            .find(|(name, _)| name == b"_id")
            .map(|(_, values)| values)
    }

    pub(crate) fn accepts(&self, document: &[u8]) -> bool {
        self.fields.iter().all(|(name, values)| {
            elements(document)
                .any(|element| element.name == *name && values.contains(&element.value.into()))
        })
    }
}

fn accepted(value: Value<'_>) -> Result<BTreeSet<Key>, Failure> {
    match value.kind {
        ElementType::EmbeddedDocument => {
            let mut operators = elements(value.bytes);
            match (operators.next(), operators.next()) {
                (Some(only), None) if only.name == b"$eq" => literal(only.value),
                (Some(only), None) if only.name == b"$in" => {
                    let values = as_array(only.value);
                    let values = values.ok_or_else(|| Failure::new(2, "$in needs an array"))?;
                    let sets = values
                        .into_iter()
                        .map(literal)
                        .collect::<Result<Vec<_>, _>>()?;
                    Ok(sets.into_iter().flatten().collect())
                }
                (Some(first), _) if first.name.starts_with(b"$") => {
                    Err(Failure::unsupported("this query operator"))
                }
                _ => literal(value),
            }
        }
        _ => literal(value),
    }
}

/// Null also means absent, arrays and patterns mean more than equality: not needed, so refused.
fn literal(value: Value<'_>) -> Result<BTreeSet<Key>, Failure> {
    match value.kind {
        ElementType::Array | ElementType::RegularExpression => {
            Err(Failure::unsupported("a query for this type"))
        }
        _ => Ok(BTreeSet::from([value.into()])),
    }
}
