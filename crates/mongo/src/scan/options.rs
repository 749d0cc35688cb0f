//! What to scan, and how.

use lob_core::settings::ByteSize;

use crate::collection::IdRange;
use crate::id::DocumentId;
use crate::server::ClusterTime;

/// Maximum size to ask for in one reply. MongoDB itself stops at 16 MiB, other servers do not.
pub(super) const REPLY: ByteSize = ByteSize::mib(4);

/// What to scan. The default is the whole collection.
#[derive(Debug, Clone, Default)]
pub struct ScanRange {
    /// The documents to return.
    pub range: IdRange,
    /// The last `_id` that an earlier scan of the same range returned; this scan continues after
    /// it.
    pub after: Option<DocumentId>,
}

/// How to scan.
#[derive(Debug, Clone, Copy)]
pub struct ScanOptions {
    /// The time to read at. Without it, each document is returned as it is when its turn comes.
    pub at: Option<ClusterTime>,
    /// How many bytes of documents may wait for the consumer or be held by it. One more reply is in
    /// flight.
    pub queue: ByteSize,
    /// Whether parts of the collection can be read on their own, as given by
    /// [`Cuts::is_divisible`](crate::Cuts::is_divisible). Then several cursors may read it at once.
    pub is_divisible: bool,
    /// The average size of a document, as given by
    /// [`Sample::mean_document_size`](crate::Sample::mean_document_size).
    pub mean_document_size: ByteSize,
}

impl ScanOptions {
    /// How many documents to request per reply.
    pub(super) fn batch_documents(self) -> u32 {
        let reply = REPLY.as_u64().min(self.queue.as_u64() / 2);
        self.documents_in(ByteSize::b(reply))
    }

    /// How many documents of the average size are as large as this together.
    pub(super) fn documents_in(self, size: ByteSize) -> u32 {
        let documents = size.as_u64() / self.mean_document_size.as_u64().max(1);
        u32::try_from(documents.clamp(1, 100_000)).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_bounded_by_the_queue_and_by_its_own_limit() {
        let documents = |queue, mean_document_size| {
            ScanOptions {
                at: None,
                queue,
                is_divisible: false,
                mean_document_size,
            }
            .batch_documents()
        };
        assert_eq!(documents(ByteSize::mib(64), ByteSize::kib(8)), 512);
        assert_eq!(documents(ByteSize::mib(1), ByteSize::kib(8)), 64);
        assert_eq!(documents(ByteSize::mib(64), ByteSize::mib(16)), 1);
        assert_eq!(documents(ByteSize::mib(64), ByteSize::b(0)), 100_000);
        assert_eq!(documents(ByteSize::b(0), ByteSize::mib(1)), 1);
    }
}
