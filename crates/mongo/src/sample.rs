//! Some documents of a collection, by which its columns are planned and its scan is sized.

use bson::{RawDocumentBuf, rawdoc};
use lob_core::byte_size::ByteSize;

use crate::collection::Collection;
use crate::command::{Command, documents};
use crate::error::{Error, Result, code};

/// Documents in one reply: few, since their size is not known yet.
const BATCH_DOCUMENTS: u32 = 16;

/// How many documents to look at.
#[derive(Debug, Clone, Copy)]
pub struct SampleSize {
    /// From the start of the collection.
    pub first: u32,
    /// From anywhere in it.
    pub random: u32,
    /// No more of each kind once they have this size together.
    pub limit: ByteSize,
}

/// Documents of a collection: the first ones in `_id` order, then random ones, which may repeat
/// the first.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// The raw documents.
    pub documents: Vec<RawDocumentBuf>,
}

impl Sample {
    /// The mean size of the documents, zero if there are none.
    pub fn mean_document_size(&self) -> ByteSize {
        let total: usize = self
            .documents
            .iter()
            .map(|document| document.as_bytes().len())
            .sum();
        ByteSize::b(total as u64 / (self.documents.len() as u64).max(1))
    }
}

impl Collection {
    /// Reads the first documents and a random choice. A server that cannot choose at random
    /// (`$sample`) gives only the first, which is said aloud.
    ///
    /// # Errors
    /// A server that does not answer, or a collection that was replaced.
    pub async fn sample(&self, size: SampleSize) -> Result<Sample> {
        let mut sample = Sample::default();
        if size.first > 0 {
            let mut body = rawdoc! {
                "find": self.name(),
                "filter": {},
                "sort": { "_id": 1 },
                "limit": i64::from(size.first),
                "batchSize": i64::from(BATCH_DOCUMENTS),
            };
            self.database.pin(&mut body, self.uuid());
            sample.documents = self
                .collect("find", body, BATCH_DOCUMENTS, size.limit)
                .await?;
        }
        if size.random > 0 && !sample.documents.is_empty() {
            let body = rawdoc! {
                "aggregate": self.name(),
                "pipeline": [{ "$sample": { "size": i64::from(size.random) } }],
                "cursor": { "batchSize": i64::from(BATCH_DOCUMENTS) },
            };
            let random = self.collect("aggregate", body, BATCH_DOCUMENTS, size.limit);
            match random.await {
                Ok(random) => sample.documents.extend(random),
                Err(Error::Refused { source, .. }) if !source.is_transient() => {
                    let namespace = self.namespace();
                    tracing::warn!(%namespace, error = %source, "no random sample");
                }
                Err(e) => return Err(e),
            }
        }
        Ok(sample)
    }

    /// The documents of a cursor until they have `limit` bytes together.
    pub(crate) async fn collect(
        &self,
        name: &'static str,
        body: RawDocumentBuf,
        batch_documents: u32,
        limit: ByteSize,
    ) -> Result<Vec<RawDocumentBuf>> {
        let command = Command::new(name, self.namespace());
        let server = &self.database.server;
        let documents = server
            .retry(|| self.collect_once(&command, body.clone(), batch_documents, limit))
            .await;
        documents.map_err(|e| match e.code() {
            Some(code::COLLECTION_UUID_MISMATCH) => Error::Replaced {
                namespace: self.namespace(),
            },
            _ => e,
        })
    }

    async fn collect_once(
        &self,
        command: &Command,
        body: RawDocumentBuf,
        batch_documents: u32,
        limit: ByteSize,
    ) -> Result<Vec<RawDocumentBuf>> {
        let mut cursor = self
            .database
            .open_cursor(command, body, batch_documents)
            .await?;
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
