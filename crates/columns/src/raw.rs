//! Reads BSON elements straight from their bytes, without building a document.
//!
//! Every length is checked against the available bytes before it is used, one level at a time and
//! without recursion, so no input can cause an out-of-bounds read or a stack overflow.

use serde::{Deserialize, Serialize};

/// More than MongoDB's 16 MiB, to leave room for what the server adds to internal documents.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 64 << 20;

/// The bytes are not BSON: a length, a type or a terminator is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed BSON: {0}")]
pub struct MalformedBson(pub(crate) &'static str);

/// The type of a BSON value. In JSON, version 1 shapes write documents and arrays in a way of their
/// own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[repr(u8)]
pub enum BsonType {
    /// A 64-bit float.
    Double = 0x01,
    /// A string.
    String = 0x02,
    /// A document.
    #[serde(skip)]
    Document = 0x03,
    /// An array.
    #[serde(skip)]
    Array = 0x04,
    /// Bytes with a subtype.
    Binary = 0x05,
    /// Undefined (deprecated).
    Undefined = 0x06,
    /// An ObjectId.
    ObjectId = 0x07,
    /// A boolean.
    Bool = 0x08,
    /// Milliseconds since 1970, UTC.
    Date = 0x09,
    /// Null.
    Null = 0x0a,
    /// A regular expression.
    Regex = 0x0b,
    /// A DBPointer (deprecated).
    DbPointer = 0x0c,
    /// JavaScript code.
    Code = 0x0d,
    /// A symbol (deprecated).
    Symbol = 0x0e,
    /// JavaScript code with scope (deprecated).
    CodeWithScope = 0x0f,
    /// A 32-bit integer.
    Int32 = 0x10,
    /// A replication timestamp.
    Timestamp = 0x11,
    /// A 64-bit integer.
    Int64 = 0x12,
    /// A 128-bit decimal.
    Decimal128 = 0x13,
    /// Sorts before all other values.
    MinKey = 0xff,
    /// Sorts after all other values.
    MaxKey = 0x7f,
}

impl BsonType {
    /// The type with this code.
    ///
    /// # Errors
    /// No type has this code.
    pub fn of(byte: u8) -> Result<Self, MalformedBson> {
        Ok(match byte {
            0x01 => Self::Double,
            0x02 => Self::String,
            0x03 => Self::Document,
            0x04 => Self::Array,
            0x05 => Self::Binary,
            0x06 => Self::Undefined,
            0x07 => Self::ObjectId,
            0x08 => Self::Bool,
            0x09 => Self::Date,
            0x0a => Self::Null,
            0x0b => Self::Regex,
            0x0c => Self::DbPointer,
            0x0d => Self::Code,
            0x0e => Self::Symbol,
            0x0f => Self::CodeWithScope,
            0x10 => Self::Int32,
            0x11 => Self::Timestamp,
            0x12 => Self::Int64,
            0x13 => Self::Decimal128,
            0xff => Self::MinKey,
            0x7f => Self::MaxKey,
            _ => return Err(MalformedBson("unknown type")),
        })
    }

    /// The byte that marks this type in BSON.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The name used in plans and manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Double => "double",
            Self::String => "string",
            Self::Document => "document",
            Self::Array => "array",
            Self::Binary => "binary",
            Self::Undefined => "undefined",
            Self::ObjectId => "objectId",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Null => "null",
            Self::Regex => "regex",
            Self::DbPointer => "dbPointer",
            Self::Code => "code",
            Self::Symbol => "symbol",
            Self::CodeWithScope => "codeWithScope",
            Self::Int32 => "int32",
            Self::Timestamp => "timestamp",
            Self::Int64 => "int64",
            Self::Decimal128 => "decimal128",
            Self::MinKey => "minKey",
            Self::MaxKey => "maxKey",
        }
    }

    /// Whether the type alone determines the value.
    pub(crate) fn is_valueless(self) -> bool {
        matches!(
            self,
            Self::Undefined | Self::Null | Self::MinKey | Self::MaxKey
        )
    }

    /// Whether Parquet has no equivalent, so the raw bytes are kept.
    pub(crate) fn is_raw(self) -> bool {
        matches!(
            self,
            Self::Regex
                | Self::DbPointer
                | Self::Code
                | Self::Symbol
                | Self::CodeWithScope
                | Self::Timestamp
        )
    }

    /// The length in bytes of every value of this type, if it is fixed.
    pub(crate) fn fixed_len(self) -> Option<usize> {
        match self {
            Self::Undefined | Self::Null | Self::MinKey | Self::MaxKey => Some(0),
            Self::Bool => Some(1),
            Self::Int32 => Some(4),
            Self::Double | Self::Date | Self::Timestamp | Self::Int64 => Some(8),
            Self::ObjectId => Some(12),
            Self::Decimal128 => Some(16),
            _ => None,
        }
    }

    /// The length of the value at the start of `bytes`.
    pub(crate) fn value_len(self, bytes: &[u8]) -> Result<usize, MalformedBson> {
        let len = match self {
            Self::String | Self::Code | Self::Symbol => string_len(bytes)?,
            Self::Document | Self::Array => document_len(bytes)?,
            Self::Binary => prefix(bytes)?.checked_add(5).ok_or(TRUNCATED)?,
            Self::Regex => {
                let pattern = cstring(bytes)?.len() + 1;
                pattern + cstring(&bytes[pattern..])?.len() + 1
            }
            Self::DbPointer => string_len(bytes)?.checked_add(12).ok_or(TRUNCATED)?,
            Self::CodeWithScope => code_with_scope_len(bytes)?,
            _ => self.fixed_len().unwrap_or(0),
        };
        if len > bytes.len() {
            Err(TRUNCATED)
        } else {
            Ok(len)
        }
    }
}

pub(crate) const TRUNCATED: MalformedBson = MalformedBson("a value ends outside its document");

/// The non-negative 32-bit length at the start of `bytes`.
fn prefix(bytes: &[u8]) -> Result<usize, MalformedBson> {
    let (length, _) = bytes.split_first_chunk().ok_or(TRUNCATED)?;
    usize::try_from(i32::from_le_bytes(*length)).map_err(|_| MalformedBson("negative length"))
}

fn string_len(bytes: &[u8]) -> Result<usize, MalformedBson> {
    let len = prefix(bytes)?.checked_add(4).ok_or(TRUNCATED)?;
    match bytes.get(4..len).ok_or(TRUNCATED)?.last() {
        Some(0) => Ok(len),
        _ => Err(MalformedBson("a string does not end with a zero byte")),
    }
}

fn document_len(bytes: &[u8]) -> Result<usize, MalformedBson> {
    let len = prefix(bytes)?;
    match bytes.get(4..len).ok_or(TRUNCATED)?.last() {
        Some(0) => Ok(len),
        _ => Err(MalformedBson("a document does not end with a zero byte")),
    }
}

fn code_with_scope_len(bytes: &[u8]) -> Result<usize, MalformedBson> {
    let len = prefix(bytes)?;
    let inner = bytes.get(4..len).ok_or(TRUNCATED)?;
    let code = string_len(inner)?;
    if document_len(&inner[code..])? == inner.len() - code {
        Ok(len)
    } else {
        Err(MalformedBson("code with scope does not end with its scope"))
    }
}

pub(crate) fn cstring(bytes: &[u8]) -> Result<&[u8], MalformedBson> {
    let end = bytes.iter().position(|byte| *byte == 0);
    end.map(|end| &bytes[..end]).ok_or(TRUNCATED)
}

/// One field of a document.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    /// The type of the value.
    pub bson_type: BsonType,
    /// Without the terminating zero; not necessarily UTF-8.
    pub name: &'a [u8],
    /// The value's bytes in BSON layout.
    pub value: &'a [u8],
}

/// The fields of one document or array, in order. Of nested documents and arrays only the frame is
/// checked.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// The fields of `document`, which must be exactly one document.
    ///
    /// # Errors
    /// The length or terminator of `document` is wrong.
    pub fn of(document: &'a [u8]) -> Result<Self, MalformedBson> {
        body(document).map(|rest| Self { rest })
    }

    fn take(&mut self) -> Result<Element<'a>, MalformedBson> {
        let bson_type = BsonType::of(self.rest[0])?;
        let name = cstring(&self.rest[1..])?;
        let value = &self.rest[name.len() + 2..];
        let (value, rest) = value.split_at(bson_type.value_len(value)?);
        self.rest = rest;
        Ok(Element {
            bson_type,
            name,
            value,
        })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, MalformedBson>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let element = self.take();
        if element.is_err() {
            self.rest = &[];
        }
        Some(element)
    }
}

/// The bytes between the length and the terminating zero of exactly one document.
pub(crate) fn body(document: &[u8]) -> Result<&[u8], MalformedBson> {
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(MalformedBson("longer than any document"));
    }
    if document_len(document)? != document.len() {
        return Err(MalformedBson("the length is not the document's"));
    }
    Ok(&document[4..document.len() - 1])
}

/// Checks all nested documents and arrays too, without recursion, down to the depth MongoDB allows;
/// of anything deeper only the frame is checked.
pub(crate) fn check(document: &[u8]) -> Result<(), MalformedBson> {
    const SERVER_NESTING: usize = 200;
    let mut open = vec![Elements::of(document)?];
    while let Some(elements) = open.last_mut() {
        match elements.next().transpose()? {
            None => drop(open.pop()),
            Some(Element {
                bson_type: BsonType::Document | BsonType::Array,
                value,
                ..
            }) if open.len() < SERVER_NESTING => {
                open.push(Elements::of(value)?);
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The keys "0", "1", … of array elements, incremented without formatting each number.
pub(crate) struct ArrayKey {
    digits: [u8; 8],
    start: usize,
}

impl ArrayKey {
    pub(crate) fn first() -> Self {
        Self {
            digits: *b"00000000",
            start: 7,
        }
    }

    /// The key of an element. Documents are too small for keys of more than seven digits.
    pub(crate) fn at(number: usize) -> Self {
        let mut key = Self::first();
        let mut rest = number;
        for place in (0..key.digits.len()).rev() {
            if rest == 0 {
                break;
            }
            key.digits[place] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            key.start = place;
            rest /= 10;
        }
        key
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }

    /// Moves to the next key.
    pub(crate) fn advance(&mut self) {
        for place in (0..self.digits.len()).rev() {
            self.start = self.start.min(place);
            if self.digits[place] < b'9' {
                self.digits[place] += 1;
                return;
            }
            self.digits[place] = b'0';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_keys_are_decimal_numbers() {
        let mut key = ArrayKey::first();
        for number in 0..12_345 {
            assert_eq!(key.bytes(), number.to_string().as_bytes());
            assert_eq!(ArrayKey::at(number).bytes(), key.bytes());
            key.advance();
        }
    }

    #[test]
    fn a_wrong_length_or_terminator_is_malformed() {
        assert!(Elements::of(b"\x05\0\0\0\0").unwrap().next().is_none());
        for bad in [
            &b""[..],
            b"\x05\0\0\0",
            b"\x06\0\0\0\0",
            b"\x05\0\0\0\x01",
            b"\x04\0\0\0\0",
        ] {
            assert!(Elements::of(bad).is_err(), "{bad:?}");
        }
        assert!(Elements::of(b"\xff\xff\xff\xff\0").is_err());
    }

    #[test]
    fn a_value_that_ends_outside_its_document_ends_the_walk() {
        let mut elements = Elements::of(b"\x0b\0\0\0\x01a\0\x01\x02\x03\0").unwrap();
        assert!(elements.next().unwrap().is_err());
        assert!(elements.next().is_none());
    }

    #[test]
    fn a_deeply_nested_document_is_checked_without_recursion() {
        let mut document = vec![5, 0, 0, 0, 0];
        for _ in 0..20_000 {
            let len = i32::try_from(document.len() + 8).unwrap();
            document = [&len.to_le_bytes()[..], b"\x03a\0", &document, b"\0"].concat();
        }
        check(&document).unwrap();
    }
}
