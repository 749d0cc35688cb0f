//! What a server's reply to an insert says about single documents.

use std::collections::HashSet;

use bson::{Bson, Document};

use crate::error::{Refusal, Result, code};
use crate::server::{Command, number};

/// What the server said about single documents of a batch.
#[derive(Debug, Default)]
pub(super) struct WriteErrors {
    /// Positions in the batch of all refused documents.
    pub(super) refused: HashSet<usize>,
    /// Positions of the documents refused as duplicates.
    pub(super) duplicates: HashSet<usize>,
    /// The first error of each kind.
    pub(super) duplicate: Option<Refusal>,
    pub(super) transient: Option<Refusal>,
    pub(super) other: Option<Refusal>,
}

impl WriteErrors {
    /// Reads the reply to an insert of this many documents; each must be either counted or refused.
    pub(super) fn read(command: &Command, reply: &Document, documents: usize) -> Result<Self> {
        let invalid =
            |field: &str| command.invalid_reply(&format!("`{field}` is missing or wrong"));
        let mut errors = Self::default();
        for error in reply
            .get_array("writeErrors")
            .into_iter()
            .flatten()
            .map(Bson::as_document)
        {
            let error = error.ok_or_else(|| invalid("writeErrors"))?;
            let index = number(error, "index")
                .and_then(|index| usize::try_from(index).ok())
                .filter(|&index| index < documents)
                .ok_or_else(|| invalid("index"))?;
            errors.refused.insert(index);
            if error
                .get_i32("code")
                .is_ok_and(|told| told == code::DUPLICATE_KEY)
            {
                errors.duplicates.insert(index);
                // A batch can have a hundred thousand, each with a message to copy and to mask.
                let first = &mut errors.duplicate;
                first.get_or_insert_with(|| Refusal::read(error, reply));
                continue;
            }
            let refusal = Refusal::read(error, reply);
            let first = match refusal.is_transient() {
                true => &mut errors.transient,
                false => &mut errors.other,
            };
            first.get_or_insert(refusal);
        }
        // Some servers also count refused documents.
        let inserted = number(reply, "n").ok_or_else(|| invalid("n"))?;
        if inserted.saturating_add(errors.refused.len() as u64) < documents as u64 {
            return Err(invalid("n"));
        }
        Ok(errors)
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn command() -> Command {
        Command::new("insert", "raw.a".into())
    }

    #[test]
    fn a_document_that_is_neither_counted_nor_refused_is_an_error() {
        let error = doc! { "index": 1, "code": 11000, "errmsg": "E11000" };
        let reply = doc! { "n": 1, "writeErrors": [error.clone()] };
        assert_eq!(
            WriteErrors::read(&command(), &reply, 2).unwrap().duplicates,
            [1].into()
        );
        assert!(WriteErrors::read(&command(), &reply, 3).is_err());
        let twice = doc! { "n": 1, "writeErrors": [error.clone(), error.clone()] };
        assert!(WriteErrors::read(&command(), &twice, 3).is_err());
        let outside = doc! { "n": 1, "writeErrors": [{ "index": 2, "code": 11000 }] };
        assert!(WriteErrors::read(&command(), &outside, 2).is_err());
        assert!(WriteErrors::read(&command(), &doc! { "ok": 1 }, 0).is_err());
    }
}
