//! Writes BSON documents byte by byte.
//!
//! Test documents need things that no BSON library will write: duplicate names, deprecated types,
//! invalid UTF-8, and values copied verbatim from other documents.

use bson::spec::ElementType;

/// A document under construction. Elements keep the order in which they are written.
#[derive(Clone, Debug)]
pub(crate) struct DocumentWriter(Vec<u8>);

impl DocumentWriter {
    pub(crate) fn new() -> Self {
        Self::with_capacity(64)
    }

    pub(crate) fn with_capacity(bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(bytes);
        buffer.extend_from_slice(&[0; 4]);
        Self(buffer)
    }

    /// Bytes written so far, without the final NUL.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Appends an element of any type. `value` is whatever follows the name, valid or not.
    pub(crate) fn element(
        &mut self,
        kind: ElementType,
        name: impl AsRef<[u8]>,
        value: &[u8],
    ) -> &mut Self {
        self.0.push(kind as u8);
        self.0.extend_from_slice(name.as_ref());
        self.0.push(0);
        self.0.extend_from_slice(value);
        self
    }

    pub(crate) fn int32(&mut self, name: impl AsRef<[u8]>, value: i32) -> &mut Self {
        self.element(ElementType::Int32, name, &value.to_le_bytes())
    }

    pub(crate) fn int64(&mut self, name: impl AsRef<[u8]>, value: i64) -> &mut Self {
        self.element(ElementType::Int64, name, &value.to_le_bytes())
    }

    pub(crate) fn double(&mut self, name: impl AsRef<[u8]>, value: f64) -> &mut Self {
        self.element(ElementType::Double, name, &value.to_le_bytes())
    }

    pub(crate) fn boolean(&mut self, name: impl AsRef<[u8]>, value: bool) -> &mut Self {
        self.element(ElementType::Boolean, name, &[u8::from(value)])
    }

    /// Appends a date, in milliseconds since 1970 UTC.
    pub(crate) fn date(&mut self, name: impl AsRef<[u8]>, milliseconds: i64) -> &mut Self {
        self.element(ElementType::DateTime, name, &milliseconds.to_le_bytes())
    }

    pub(crate) fn null(&mut self, name: impl AsRef<[u8]>) -> &mut Self {
        self.element(ElementType::Null, name, &[])
    }

    pub(crate) fn string(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Self {
        self.element(ElementType::String, name, &string_value(value))
    }

    pub(crate) fn document(&mut self, name: impl AsRef<[u8]>, document: &[u8]) -> &mut Self {
        self.element(ElementType::EmbeddedDocument, name, document)
    }

    pub(crate) fn array(&mut self, name: impl AsRef<[u8]>, array: &[u8]) -> &mut Self {
        self.element(ElementType::Array, name, array)
    }

    pub(crate) fn binary(
        &mut self,
        name: impl AsRef<[u8]>,
        subtype: u8,
        payload: &[u8],
    ) -> &mut Self {
        let mut value = (payload.len() as u32).to_le_bytes().to_vec();
        value.push(subtype);
        value.extend_from_slice(payload);
        self.element(ElementType::Binary, name, &value)
    }

    /// Returns the finished document and leaves an empty one in the writer.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let mut document = std::mem::replace(&mut self.0, vec![0; 4]);
        document.push(0);
        let length = document.len() as u32;
        document[..4].copy_from_slice(&length.to_le_bytes());
        document
    }
}

/// The value bytes of a string, symbol or code: length, bytes, NUL.
pub(crate) fn string_value(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    let mut value = (text.len() as u32 + 1).to_le_bytes().to_vec();
    value.extend_from_slice(text);
    value.push(0);
    value
}
