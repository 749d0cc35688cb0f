//! Value bytes that the document writer has no method for, and the types that samples are added
//! with.

use crate::document_writer::{DocumentWriter, string_value};

/// Writes what follows a sample's `_id`.
pub(super) type Write<'a> = dyn Fn(&mut DocumentWriter) -> &mut DocumentWriter + 'a;
/// Adds a sample under its name.
pub(super) type Add<'a> = dyn FnMut(&'static str, &Write<'_>) + 'a;

pub(super) fn decimal(text: &str) -> [u8; 16] {
    text.parse::<bson::Decimal128>()
        .map_or([0; 16], |decimal| decimal.bytes())
}

pub(super) fn binary_value(subtype: u8, payload: &[u8]) -> Vec<u8> {
    [
        &(payload.len() as u32).to_le_bytes()[..],
        &[subtype],
        payload,
    ]
    .concat()
}

pub(super) fn pointer_value(namespace: &str) -> Vec<u8> {
    [&string_value(namespace)[..], &[7; 12]].concat()
}

pub(super) fn code_with_scope(code: &str, scope: &[u8]) -> Vec<u8> {
    let code = string_value(code);
    let length = (4 + code.len() + scope.len()) as u32;
    [&length.to_le_bytes()[..], &code, scope].concat()
}
