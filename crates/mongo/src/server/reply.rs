//! Reads replies: the documents of a cursor, and numbers of any type.

use bson::{Bson, Document, RawDocument};
use mongodb::raw_batch_cursor::RawBatch;

use crate::error::{Cause, Result, invalid};

/// The documents of a cursor's reply, not copied.
pub(crate) fn documents(reply: &RawBatch) -> Result<impl Iterator<Item = Result<&RawDocument>>> {
    let documents = reply
        .doc_slices()
        .map_err(|e| invalid(Cause::of_driver(&e.kind)))?;
    Ok(documents.into_iter().map(|value| {
        value
            .map_err(invalid)?
            .as_document()
            .ok_or_else(|| invalid("it has the wrong BSON type"))
    }))
}

/// A count in a reply, whichever numeric type the server used.
pub(crate) fn number(reply: &Document, field: &str) -> Option<u64> {
    match reply.get(field)? {
        Bson::Int32(n) => u64::try_from(*n).ok(),
        Bson::Int64(n) => u64::try_from(*n).ok(),
        Bson::Double(n) if *n >= 0.0 && n.fract() == 0.0 && *n < 9.0e15 => Some(*n as u64),
        _ => None,
    }
}
