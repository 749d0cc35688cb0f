//! How errors refer to a command, and the outcome of a command that writes.

use bson::{Document, RawDocumentBuf};
use lob_core::metrics::Moved;

use crate::error::{Error, Refusal, Result};

/// How errors refer to a command; the body is passed separately when it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// The database and collection it acts on.
    pub(crate) namespace: String,
    /// How many documents it writes.
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

    /// A command that writes this many documents.
    pub(crate) fn writing(self, documents: usize) -> Self {
        Self {
            documents: documents as u64,
            ..self
        }
    }

    /// What sending it transfers.
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

    /// Fails if the command took effect on fewer members than the write concern requires.
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

    /// Wraps `failure`, which followed a write that may have taken effect.
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
    fn an_unsatisfied_write_concern_is_an_error() {
        let command = Command::new("insert", "raw.a".into());
        assert!(command.check_write_concern(&doc! { "n": 1 }).is_ok());
        for (code, is_transient) in [(64, true), (100, false), (91, true), (11602, true)] {
            let reply = doc! { "n": 1, "writeConcernError": { "code": code, "errmsg": "late" } };
            let error = command.check_write_concern(&reply).unwrap_err();
            assert_eq!(error.is_transient(), is_transient, "{code}");
        }
    }
}
