//! The next element of a document, and why a document cannot be appended.

use crate::raw::{BsonType, MalformedBson, TRUNCATED};

/// An element and the bytes after it.
#[derive(Clone, Copy)]
pub(super) struct Ahead<'a> {
    pub(super) bytes: &'a [u8],
    /// Length of the name, including the zero byte.
    pub(super) name_len: usize,
}

impl<'a> Ahead<'a> {
    pub(super) fn code(self) -> u8 {
        self.bytes[0]
    }

    pub(super) fn value(self) -> &'a [u8] {
        &self.bytes[1 + self.name_len..]
    }

    pub(super) fn fixed<const N: usize>(self) -> Result<([u8; N], &'a [u8]), MalformedBson> {
        let (value, rest) = self.value().split_first_chunk().ok_or(TRUNCATED)?;
        Ok((*value, rest))
    }

    /// The value, read as this type, and the bytes after it.
    pub(super) fn split(self, bson_type: BsonType) -> Result<(&'a [u8], &'a [u8]), MalformedBson> {
        let value = self.value();
        Ok(value.split_at(bson_type.value_len(value)?))
    }
}

/// Why a document cannot be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Malformed(MalformedBson),
    /// The fields come in an unexpected order: scan them all first.
    OtherOrder,
}

impl From<MalformedBson> for Stop {
    fn from(error: MalformedBson) -> Self {
        Stop::Malformed(error)
    }
}
