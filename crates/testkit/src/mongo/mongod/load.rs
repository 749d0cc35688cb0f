//! Puts documents on a real MongoDB for a test, as little changed as the server can.
//!
//! It moves `_id` to the front; zero timestamps stay.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bson::RawDocumentBuf;

use super::Mongod;
use crate::document_writer::DocumentWriter;
use crate::mongo::catalog::Namespace;
use crate::mongo::element::get;

/// The most bytes of documents in one insert.
const INSERT_BYTES: usize = 8 << 20;
/// The error code of a document whose `_id` exists.
const DUPLICATE_KEY: i32 = 11000;

impl Mongod {
    /// Stores documents, in place of those with the same `_id`.
    pub(crate) fn load(&self, namespace: &Namespace, documents: &[Vec<u8>]) {
        let Namespace {
            database,
            collection,
        } = namespace;
        if documents.is_empty() && self.documents(namespace).is_none() {
            let create = DocumentWriter::new().string("create", collection).finish();
            self.run(database, RawDocumentBuf::from_bytes(create).unwrap());
        }
        let mut rest = documents;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |document: &&Vec<u8>| {
                bytes += document.len();
                bytes <= INSERT_BYTES
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (batch, later) = rest.split_at(count);
            for taken in self.insert(namespace, batch) {
                self.replace(namespace, &batch[taken]);
            }
            rest = later;
        }
    }

    /// Returns which documents have an `_id` that exists.
    fn insert(&self, namespace: &Namespace, documents: &[Vec<u8>]) -> Vec<usize> {
        let mut list = DocumentWriter::new();
        for (position, document) in documents.iter().enumerate() {
            list.document(position.to_string(), document);
        }
        let mut insert = DocumentWriter::new();
        insert.string("insert", &namespace.collection);
        insert
            .boolean("ordered", false)
            .boolean("bypassDocumentValidation", true)
            .boolean("bypassEmptyTsReplacement", true)
            .array("documents", &list.finish());
        let insert = RawDocumentBuf::from_bytes(insert.finish()).unwrap();
        let reply = self.run(&namespace.database, insert);
        let errors = reply.get_array("writeErrors").into_iter().flatten();
        let taken = errors.map(|error| {
            let error = error.as_document().unwrap();
            assert_eq!(error.get_i32("code").unwrap(), DUPLICATE_KEY, "{error}");
            usize::try_from(error.get_i32("index").unwrap()).unwrap()
        });
        taken.collect()
    }

    fn replace(&self, namespace: &Namespace, document: &[u8]) {
        let id = get(document, "_id").unwrap();
        let mut chosen = DocumentWriter::new();
        chosen.element(id.kind, "_id", id.bytes);
        let mut update = DocumentWriter::new();
        update
            .document("q", &chosen.finish())
            .document("u", document);
        let updates = DocumentWriter::new()
            .document("0", &update.finish())
            .finish();
        let mut command = DocumentWriter::new();
        command
            .string("update", &namespace.collection)
            .boolean("bypassDocumentValidation", true)
            .array("updates", &updates);
        let command = RawDocumentBuf::from_bytes(command.finish()).unwrap();
        let reply = self.run(&namespace.database, command);
        assert_eq!(reply.get_i32("n").unwrap(), 1, "{reply}");
    }
}
