//! The frame of a document that is written element by element.

use crate::raw::MAX_DOCUMENT_BYTES;

/// Reserves space for the length and returns where the document starts.
pub(crate) fn open(document: &mut Vec<u8>) -> usize {
    document.extend_from_slice(&[0; 4]);
    document.len() - 4
}

/// Closes the document opened at `start`; `None` if it exceeds the maximum document size.
pub(crate) fn close(start: usize, document: &mut Vec<u8>) -> Option<()> {
    document.push(0);
    if document.len() > MAX_DOCUMENT_BYTES {
        return None;
    }
    let length = i32::try_from(document.len() - start).ok()?;
    document[start..start + 4].copy_from_slice(&length.to_le_bytes());
    Some(())
}
