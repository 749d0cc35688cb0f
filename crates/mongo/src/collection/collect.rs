//! Short queries: what they return is kept in memory, up to a limit.

use bson::RawDocumentBuf;
use lob_core::byte_size::ByteSize;

use super::identity::Collection;
use crate::error::{Error, Result, code};
use crate::server::{Command, documents};

/// Any size will do where a query is about one `_id`.
pub(crate) const ONE_ID: ByteSize = ByteSize::b(1);

impl Collection {
    /// The documents of a cursor until they have `limit` bytes together.
    pub(crate) async fn collect(
        &self,
        name: &'static str,
        mut body: RawDocumentBuf,
        batch_documents: u32,
        limit: ByteSize,
    ) -> Result<Vec<RawDocumentBuf>> {
        self.database.pin(&mut body, self.uuid());
        let command = Command::new(name, self.namespace());
        let server = &self.database.server;
        let documents = server
            .retry(|| self.collect_once(&command, body.clone(), batch_documents, limit))
            .await;
        documents.map_err(|e| self.or_replaced(e))
    }

    /// Says that the collection is gone where that is what the server means.
    pub(crate) fn or_replaced(&self, error: Error) -> Error {
        match error.code() {
            Some(code::COLLECTION_UUID_MISMATCH) => Error::Replaced {
                namespace: self.namespace(),
            },
            _ => error,
        }
    }

    /// What a query returned that this crate can do without, or `None` and a warning where the
    /// server refuses it.
    pub(crate) fn unless_refused<T>(&self, result: Result<T>, without: &str) -> Result<Option<T>> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(Error::Refused { source, .. }) if !source.is_transient() => {
                let namespace = self.namespace();
                tracing::warn!(%namespace, error = %source, "{without}");
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// The same, once.
    pub(crate) async fn collect_once(
        &self,
        command: &Command,
        body: RawDocumentBuf,
        batch_documents: u32,
        limit: ByteSize,
    ) -> Result<Vec<RawDocumentBuf>> {
        let mut cursor = self.database.read(command, body, batch_documents).await?;
        let mut collected = Vec::new();
        let mut size = 0;
        while size < limit.as_u64() {
            let reply = self.database.next_reply(command, &mut cursor).await?;
            let Some(reply) = reply else { break };
            for document in documents(&reply)? {
                let document = document?;
                size += document.as_bytes().len() as u64;
                collected.push(document.to_owned());
            }
        }
        Ok(collected)
    }
}
