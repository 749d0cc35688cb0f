//! How large a collection is according to the server's metadata: for planning and progress, never
//! as proof.

use bson::{Document, rawdoc};
use lob_core::settings::ByteSize;

use super::identity::Collection;
use crate::error::Result;
use crate::server::{Command, number};

/// What the server believes about a collection. Wrong after a crash and during concurrent writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectionSize {
    /// The number of documents.
    pub documents: u64,
    /// Their total size as uncompressed BSON.
    pub bytes: ByteSize,
    /// Their size on disk including indexes, if the server reports it.
    pub stored: Option<ByteSize>,
    /// Whether the documents are distributed over several servers by a shard key.
    pub is_sharded: bool,
}

impl CollectionSize {
    /// Asks for the size of a collection; a collection that does not exist has size zero.
    pub(crate) async fn of(collection: &Collection) -> Result<Self> {
        let command = Command::new("collStats", collection.namespace());
        let body = rawdoc! { "collStats": collection.name() };
        let database = &collection.database;
        let asking = || database.run(&command, body.clone());
        let reply = database.server.retry(asking).await?;
        let number = |field| {
            number(&reply, field).ok_or_else(|| command.invalid_reply("a size is not a number"))
        };
        Ok(Self {
            documents: number("count")?,
            bytes: ByteSize::b(number("size")?),
            stored: stored(&reply),
            is_sharded: reply.get_bool("sharded").unwrap_or(false),
        })
    }

    /// The mean size of the documents; zero if there are none.
    pub fn mean_document_size(self) -> ByteSize {
        ByteSize::b(self.bytes.as_u64() / self.documents.max(1))
    }
}

fn stored(reply: &Document) -> Option<ByteSize> {
    let (documents, indexes) = (
        number(reply, "storageSize")?,
        number(reply, "totalIndexSize")?,
    );
    documents.checked_add(indexes).map(ByteSize::b)
}
