//! Reads BSON documents as bytes and checks their framing.
//!
//! The server must hand back exactly what it was given, so nothing here decodes to a tree: an
//! element is a name and a slice.

use bson::spec::ElementType;

/// How deep a message may nest before the server calls it invalid.
const MAX_DEPTH: usize = 200;

/// One value: its type and the bytes after the name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a> {
    pub(crate) kind: ElementType,
    pub(crate) bytes: &'a [u8],
}

/// One element of a document. Its name need not be UTF-8.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) value: Value<'a>,
}

/// Why some bytes are not a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(&'static str);

const SHORT: Malformed = Malformed("BSON size is larger than buffer size");

/// The elements, in order, of a document that [`validate`] has accepted.
pub(crate) fn elements(document: &[u8]) -> impl Iterator<Item = Element<'_>> {
    Elements::new(document).map_while(Result::ok)
}

/// The first element with that name.
pub(crate) fn get<'a>(document: &'a [u8], name: &str) -> Option<Value<'a>> {
    elements(document)
        .find(|element| element.name == name.as_bytes())
        .map(|found| found.value)
}

/// Checks what the real server checks in every message: framing all the way down, type bytes,
/// booleans that are 0 or 1, and depth. Returns how many levels the document has.
pub(crate) fn validate(document: &[u8]) -> Result<usize, Malformed> {
    validate_at(document, 1)
}

fn validate_at(document: &[u8], depth: usize) -> Result<usize, Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed("BSON nesting depth is too large"));
    }
    if framed_length(document)? != document.len() || document[document.len() - 1] != 0 {
        return Err(Malformed("BSON length does not fit its bytes"));
    }
    let mut deepest = depth;
    for element in Elements::new(document) {
        let Value { kind, bytes } = element?.value;
        match kind {
            ElementType::EmbeddedDocument | ElementType::Array => {
                deepest = deepest.max(validate_at(bytes, depth + 1)?);
            }
            ElementType::JavaScriptCodeWithScope => {
                let (_, scope) = code_with_scope(bytes)?;
                deepest = deepest.max(validate_at(scope, depth + 1)?);
            }
            ElementType::Boolean if bytes[0] > 1 => {
                return Err(Malformed("BSON bool is neither false nor true"));
            }
            _ => {}
        }
    }
    Ok(deepest)
}

/// Splits the value of a code with scope into the code, without its NUL, and the scope.
pub(crate) fn code_with_scope(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let rest = bytes.get(4..).ok_or(SHORT)?;
    let (code, scope) = rest.split_at_checked(string_length(rest)?).ok_or(SHORT)?;
    Ok((&code[4..code.len() - 1], scope))
}

struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    fn new(document: &'a [u8]) -> Self {
        Self {
            rest: document
                .get(4..document.len().saturating_sub(1))
                .unwrap_or_default(),
        }
    }

    fn read(&mut self, tag: u8, rest: &'a [u8]) -> Result<Element<'a>, Malformed> {
        let kind = ElementType::from(tag).ok_or(Malformed("unrecognized BSON type"))?;
        let name_length = cstring_length(rest)?;
        let (name, rest) = rest.split_at(name_length);
        let length = value_length(kind, rest)?;
        let (bytes, rest) = rest.split_at_checked(length).ok_or(SHORT)?;
        self.rest = rest;
        Ok(Element {
            name: &name[..name_length - 1],
            value: Value { kind, bytes },
        })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, rest) = self.rest.split_first()?;
        let element = self.read(*tag, rest);
        if element.is_err() {
            self.rest = &[];
        }
        Some(element)
    }
}

fn value_length(kind: ElementType, rest: &[u8]) -> Result<usize, Malformed> {
    match kind {
        ElementType::Undefined | ElementType::Null | ElementType::MinKey | ElementType::MaxKey => {
            Ok(0)
        }
        ElementType::Boolean => Ok(1),
        ElementType::Int32 => Ok(4),
        ElementType::Double
        | ElementType::DateTime
        | ElementType::Timestamp
        | ElementType::Int64 => Ok(8),
        ElementType::ObjectId => Ok(12),
        ElementType::Decimal128 => Ok(16),
        ElementType::String | ElementType::JavaScriptCode | ElementType::Symbol => {
            string_length(rest)
        }
        ElementType::DbPointer => Ok(string_length(rest)? + 12),
        ElementType::Binary => Ok(length_prefix(rest)? + 5),
        ElementType::EmbeddedDocument | ElementType::Array => framed_length(rest),
        ElementType::JavaScriptCodeWithScope => Ok(length_prefix(rest)?.max(14)),
        ElementType::RegularExpression => {
            let pattern = cstring_length(rest)?;
            Ok(pattern + cstring_length(&rest[pattern..])?)
        }
    }
}

fn length_prefix(bytes: &[u8]) -> Result<usize, Malformed> {
    let prefix = bytes.first_chunk().ok_or(SHORT)?;
    usize::try_from(i32::from_le_bytes(*prefix)).map_err(|_| Malformed("negative BSON length"))
}

fn framed_length(bytes: &[u8]) -> Result<usize, Malformed> {
    match length_prefix(bytes)? {
        length if length < 5 => Err(Malformed("BSON document is too short")),
        length if length > bytes.len() => Err(SHORT),
        length => Ok(length),
    }
}

/// The length of a string: prefix, bytes and NUL.
fn string_length(bytes: &[u8]) -> Result<usize, Malformed> {
    let length = length_prefix(bytes)? + 4;
    match bytes.get(length - 1) {
        Some(0) if length > 4 => Ok(length),
        Some(_) => Err(Malformed("BSON string is not terminated")),
        None => Err(SHORT),
    }
}

/// The length of a C string including its NUL.
fn cstring_length(bytes: &[u8]) -> Result<usize, Malformed> {
    let end = bytes.iter().position(|byte| *byte == 0);
    Ok(end.ok_or(Malformed("BSON name is not terminated"))? + 1)
}
