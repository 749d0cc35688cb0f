//! How large a collection is by the server's own books: for planning and progress, never as a proof.

use bson::{Document, rawdoc};
use lob_core::settings::ByteSize;

use super::identity::Collection;
use crate::error::Result;
use crate::server::{Command, number};

/// What the server believes of a collection. It is wrong after a crash, and while others write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectionSize {
    /// How many documents there are.
    pub documents: u64,
    /// What they take together as BSON, uncompressed.
    pub bytes: ByteSize,
    /// What they take on the disk with their indexes, where the server tells it.
    pub stored: Option<ByteSize>,
    /// True if the documents lie on several servers by some key.
    pub is_sharded: bool,
}

impl CollectionSize {
    /// Asks for the size of a collection; one that does not exist has none.
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

    /// The mean size of the documents, zero if there are none.
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
