//! What a command is called in errors, and what became of one that writes.

use bson::{Document, RawDocumentBuf};
use lob_core::metrics::Moved;

use crate::error::{Error, Refusal, Result};

/// What a command is called in errors: its body is given where it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// Database and collection that it acts on.
    pub(crate) namespace: String,
    /// Documents that it writes.
    documents: u64,
}

impl Command {
    pub(crate) fn new(name: &'static str, namespace: String) -> Self {
        Self {
            name,
            namespace,
            documents: 0,
        }
    }

    /// A command that writes so many documents.
    pub(crate) fn writing(self, documents: usize) -> Self {
        Self {
            documents: documents as u64,
            ..self
        }
    }

    /// What sending it moves.
    pub(super) fn moved(&self, body: &RawDocumentBuf) -> Moved {
        Moved {
            documents: self.documents,
            bytes_sent: body.as_bytes().len() as u64,
            ..Moved::default()
        }
    }

    pub(crate) fn invalid_reply(&self, reason: &str) -> Error {
        Error::InvalidReply {
            command: self.name,
            namespace: self.namespace.clone(),
            reason: reason.to_owned(),
        }
    }

    /// Fails if the command took effect on fewer members than the write concern asks for.
    pub(crate) fn check_write_concern(&self, reply: &Document) -> Result<()> {
        let Ok(error) = reply.get_document("writeConcernError") else {
            return Ok(());
        };
        Err(Error::WriteConcern {
            command: self.name,
            namespace: self.namespace.clone(),
            source: Refusal::read(error, reply),
        })
    }

    /// `failure` after a write was sent that may have taken effect.
    pub(crate) fn outcome_unknown(&self, failure: Error) -> Error {
        Error::OutcomeUnknown {
            command: self.name,
            namespace: self.namespace.clone(),
            source: Box::new(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn an_unsatisfied_write_concern_is_no_success() {
        let command = Command::new("insert", "raw.a".into());
        assert!(command.check_write_concern(&doc! { "n": 1 }).is_ok());
        for (code, is_transient) in [(64, true), (100, false), (91, true), (11602, true)] {
            let reply = doc! { "n": 1, "writeConcernError": { "code": code, "errmsg": "late" } };
            let error = command.check_write_concern(&reply).unwrap_err();
            assert_eq!(error.is_transient(), is_transient, "{code}");
        }
    }
}
