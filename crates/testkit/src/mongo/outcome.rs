//! The result of a command: its reply, and how many documents it carried or returned.

use crate::document_writer::DocumentWriter;

/// The result of a command.
pub(crate) struct Outcome {
    pub(crate) reply: DocumentWriter,
    /// How many documents it carried or returned.
    pub(crate) documents: usize,
}

impl From<DocumentWriter> for Outcome {
    fn from(reply: DocumentWriter) -> Self {
        Self {
            reply,
            documents: 0,
        }
    }
}

impl Outcome {
    /// A cursor reply that holds the whole result.
    pub(crate) fn whole_result(namespace: &str, documents: &[Vec<u8>]) -> Self {
        let mut batch = DocumentWriter::new();
        for (position, document) in documents.iter().enumerate() {
            batch.document(position.to_string(), document);
        }
        let mut cursor = DocumentWriter::new();
        cursor
            .int64("id", 0)
            .string("ns", namespace)
            .array("firstBatch", &batch.finish());
        let mut reply = DocumentWriter::new();
        reply.document("cursor", &cursor.finish());
        Self {
            reply,
            documents: documents.len(),
        }
    }
}
