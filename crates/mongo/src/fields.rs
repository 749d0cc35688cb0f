//! Reads a document's fields from its bytes: MongoDB accepts names and strings that are not UTF-8,
//! but BSON libraries do not.

use bson::RawDocument;
use bson::spec::ElementType;

use crate::error::{Result, invalid};

/// A BSON value in place within its document, never decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value<'a> {
    pub(crate) kind: ElementType,
    pub(crate) bytes: &'a [u8],
}

/// The names and values of a document's fields, in order.
pub(crate) fn fields(document: &RawDocument) -> impl Iterator<Item = Result<(&[u8], Value<'_>)>> {
    let bytes = document.as_bytes();
    fields_in(bytes.get(4..bytes.len() - 1).unwrap_or_default())
}

/// The names and values in what is between a document's length and its final NUL.
pub(crate) fn fields_in(bytes: &[u8]) -> impl Iterator<Item = Result<(&[u8], Value<'_>)>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((name, value, after)) = first(rest) else {
            rest = &[];
            return Some(Err(invalid("cut off, or of an unknown type")));
        };
        rest = after;
        Some(Ok((name, value)))
    })
}

/// The first field of these bytes, and what follows it.
fn first(bytes: &[u8]) -> Option<(&[u8], Value<'_>, &[u8])> {
    let (&kind, rest) = bytes.split_first()?;
    let kind = ElementType::from(kind)?;
    let (name, rest) = rest.split_at_checked(c_string(rest)?)?;
    let (bytes, rest) = rest.split_at_checked(size(kind, rest)?)?;
    Some((&name[..name.len() - 1], Value { kind, bytes }, rest))
}

/// The size of the text at the start of these bytes, including its NUL.
fn c_string(bytes: &[u8]) -> Option<usize> {
    Some(bytes.iter().position(|byte| *byte == 0)? + 1)
}

/// The size of the value at the start of these bytes.
fn size(kind: ElementType, bytes: &[u8]) -> Option<usize> {
    let and_length = |more: usize| {
        let length = u32::from_le_bytes(*bytes.first_chunk()?);
        usize::try_from(length).ok()?.checked_add(more)
    };
    match kind {
        ElementType::Undefined | ElementType::Null | ElementType::MinKey | ElementType::MaxKey => {
            Some(0)
        }
        ElementType::Boolean => Some(1),
        ElementType::Int32 => Some(4),
        ElementType::Double
        | ElementType::Int64
        | ElementType::DateTime
        | ElementType::Timestamp => Some(8),
        ElementType::ObjectId => Some(12),
        ElementType::Decimal128 => Some(16),
        ElementType::String | ElementType::Symbol | ElementType::JavaScriptCode => and_length(4),
        ElementType::Binary => and_length(5),
        ElementType::DbPointer => and_length(16),
        ElementType::EmbeddedDocument
        | ElementType::Array
        | ElementType::JavaScriptCodeWithScope => and_length(0),
        ElementType::RegularExpression => {
            let pattern = c_string(bytes)?;
            Some(pattern + c_string(bytes.get(pattern..)?)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use lob_testkit::bson_samples::{one_of_each_id_type, samples};

    use super::*;

    #[test]
    fn the_fields_of_every_sample_add_up_to_its_bytes() {
        for sample in samples().into_iter().chain(one_of_each_id_type()) {
            let mut bytes = Vec::new();
            for field in fields(&sample.document) {
                let (name, value) = field.unwrap();
                bytes.extend([&[value.kind as u8], name, &[0], value.bytes].concat());
            }
            let document = sample.document.as_bytes();
            assert_eq!(bytes, document[4..document.len() - 1], "{}", sample.name);
        }
    }

    #[test]
    fn a_truncated_field_is_an_error() {
        for sample in samples() {
            let whole = sample.document.as_bytes();
            for end in 5..whole.len() - 1 {
                let mut bytes = [&whole[..end], &[0]].concat();
                bytes[..4].copy_from_slice(&(end as u32 + 1).to_le_bytes());
                let document = RawDocument::from_bytes(&bytes).unwrap();
                let sum = fields(document).try_fold(5, |sum, field| {
                    field.map(|(name, value)| sum + 2 + name.len() + value.bytes.len())
                });
                assert!(sum.is_err() || sum.unwrap() == end + 1, "{}", sample.name);
            }
        }
    }
}
