//! The `_id` of a document, kept exactly as its bytes are.

use std::cmp::Ordering;
use std::fmt;

use bson::spec::ElementType;
use bson::{Bson, RawDocument, RawDocumentBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, invalid};
use crate::fields::{Value, fields};
use crate::id_order::compare;

/// Maximum nesting of an `_id` that is shown: BSON libraries overflow the stack at a few thousand
/// levels.
const SHOWN_LEVELS: usize = 20;

/// The value of the field `_id`.
pub(crate) fn id_of(document: &RawDocument) -> Result<Value<'_>> {
    for field in fields(document) {
        let (name, value) = field?;
        if name == b"_id" {
            return Ok(value);
        }
    }
    Err(invalid("it has no `_id`"))
}

/// `{ "$in": ids }`, assembled from bytes because a string in an `_id` need not be UTF-8.
pub(crate) fn one_of(ids: &[Value<'_>]) -> Result<RawDocumentBuf> {
    let items = ids.iter().enumerate().map(|(i, id)| (i.to_string(), *id));
    let items = raw_document(items)?;
    let array = Value {
        kind: ElementType::Array,
        bytes: items.as_bytes(),
    };
    raw_document([("$in".to_owned(), array)])
}

fn raw_document<'a>(
    fields: impl IntoIterator<Item = (String, Value<'a>)>,
) -> Result<RawDocumentBuf> {
    let mut bytes = vec![0; 4];
    for (name, value) in fields {
        bytes.push(value.kind as u8);
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(value.bytes);
    }
    bytes.push(0);
    let length = i32::try_from(bytes.len()).map_err(invalid)?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    RawDocumentBuf::from_bytes(bytes).map_err(invalid)
}

/// An `_id` that outlives its document. Serialized as the hexadecimal digits of the BSON document
/// `{_id: …}`, because no other text form distinguishes all types and bytes.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocumentId(RawDocumentBuf);

impl DocumentId {
    /// The `_id` of `document`.
    ///
    /// # Errors
    /// [`Error::InvalidDocument`] if it has none.
    pub fn of(document: &RawDocument) -> Result<Self> {
        Self::new(id_of(document)?)
    }

    pub(crate) fn value(&self) -> Result<Value<'_>> {
        id_of(&self.0)
    }

    /// How this `_id` and another are ordered, or `None` if that is unknown.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        compare(self.value().ok()?, other.value().ok()?)
    }

    pub(crate) fn new(value: Value<'_>) -> Result<Self> {
        let size = 4 + 1 + "_id\0".len() + value.bytes.len() + 1;
        let length = i32::try_from(size).map_err(invalid)?;
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.push(value.kind as u8);
        bytes.extend_from_slice(b"_id\0");
        bytes.extend_from_slice(value.bytes);
        bytes.push(0);
        RawDocumentBuf::from_bytes(bytes).map(Self).map_err(invalid)
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.0.as_bytes().len()
    }

    /// A document whose only field is this `_id`: its exact BSON type and bytes.
    pub fn as_document(&self) -> &RawDocument {
        &self.0
    }
}

impl TryFrom<String> for DocumentId {
    type Error = Error;

    fn try_from(digits: String) -> Result<Self> {
        let bytes = hex::decode(digits).map_err(invalid)?;
        let document = RawDocumentBuf::from_bytes(bytes).map_err(invalid)?;
        let id = Self::of(&document)?;
        if id.0 == document {
            Ok(id)
        } else {
            Err(invalid("it has fields besides `_id`"))
        }
    }
}

impl From<DocumentId> for String {
    fn from(id: DocumentId) -> Self {
        hex::encode(id.0.as_bytes())
    }
}

/// Whether recursing into the value is safe. Code with scope is not worth the trouble.
fn is_shallow(value: Value<'_>, levels: usize) -> bool {
    match value.kind {
        ElementType::EmbeddedDocument | ElementType::Array => {
            let Ok(document) = RawDocument::from_bytes(value.bytes) else {
                return false;
            };
            let is_shallow = |value| levels > 0 && is_shallow(value, levels - 1);
            fields(document).all(|field| field.is_ok_and(|(_, value)| is_shallow(value)))
        }
        ElementType::JavaScriptCodeWithScope => false,
        _ => true,
    }
}

/// The value roughly as MongoDB's shell writes it; for messages.
impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self
            .value()
            .is_ok_and(|value| is_shallow(value, SHOWN_LEVELS))
        {
            return f.write_str("(not shown)");
        }
        let value = self.0.iter_elements().next().and_then(Result::ok);
        let value = value.and_then(|value| value.value_utf8_lossy().ok());
        match value.and_then(|value| Bson::try_from(value).ok()) {
            Some(value) => value.fmt(f),
            None => f.write_str("(not valid BSON)"),
        }
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn an_id_keeps_its_bytes_whatever_its_position() {
        let id = rawdoc! { "_id": { "a": 1_i64, "b": "x" } };
        for document in [
            rawdoc! { "_id": { "a": 1_i64, "b": "x" }, "c": 3 },
            rawdoc! { "c": 3, "d": [1, 2], "_id": { "a": 1_i64, "b": "x" } },
        ] {
            assert_eq!(DocumentId::of(&document).unwrap().as_document(), &*id);
        }
        assert!(DocumentId::of(&rawdoc! { "a": 1 }).is_err());
    }

    #[test]
    fn an_id_is_serialized_as_its_bytes_and_reads_back() {
        let id = DocumentId::of(&rawdoc! { "_id": 1.0, "a": 2 }).unwrap();
        let digits = "\"12000000015f696400000000000000f03f00\"";
        assert_eq!(serde_json::to_string(&id).unwrap(), digits);
        assert_eq!(serde_json::from_str::<DocumentId>(digits).unwrap(), id);
        let two = hex::encode(rawdoc! { "_id": 1, "a": 2 }.as_bytes());
        for wrong in ["", "12", "zz", &digits[1..30], &two] {
            assert!(DocumentId::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_deeply_nested_id_is_read_compared_and_displayed_safely() {
        let mut bytes = rawdoc! { "a": 1 }.into_bytes();
        for _ in 0..5_000 {
            let length = (bytes.len() + 8) as i32;
            bytes = [&length.to_le_bytes()[..], b"\x03a\0", &bytes, b"\0"].concat();
        }
        let length = (bytes.len() + 10) as i32;
        let document = [&length.to_le_bytes()[..], b"\x03_id\0", &bytes, b"\0"].concat();
        let id = DocumentId::try_from(hex::encode(document)).unwrap();
        assert_eq!(id.compare(&id), None);
        assert_eq!(id.to_string(), "(not shown)");
        assert_eq!(id, DocumentId::try_from(String::from(id.clone())).unwrap());
    }

    #[test]
    fn an_id_that_is_not_utf_8_is_kept_and_displayed() {
        let mut bytes = rawdoc! { "_id": "ab" }.into_bytes();
        let at = bytes.windows(2).position(|two| two == b"ab").unwrap();
        bytes[at] = 0xff;
        let document = RawDocumentBuf::from_bytes(bytes).unwrap();
        let id = DocumentId::of(&document).unwrap();
        assert_eq!(id.as_document(), &*document);
        assert_eq!(id.to_string(), "\"\u{fffd}b\"");
    }
}
