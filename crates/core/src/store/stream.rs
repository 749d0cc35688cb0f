//! Objects for readers that block, such as parsers: one chunk at a time, however large the object.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

use super::{Store, StoreError, StoreErrorKind};

/// How many chunks to fetch ahead of the reader.
const CHUNKS_AHEAD: usize = 4;

/// The received chunks as a source of bytes. It ends early if the sender gives up; the sender knows
/// why.
struct Received {
    chunks: mpsc::Receiver<Bytes>,
    chunk: Bytes,
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

impl Store {
    /// Passes the bytes of an object to `read`, which runs on a thread of its own.
    ///
    /// # Errors
    /// [`StoreErrorKind::Refused`] if the object is larger than `limit` bytes. If the download
    /// breaks off, the result of `read` is discarded.
    pub async fn stream<T: Send + 'static>(
        &self,
        key: &str,
        limit: u64,
        read: impl FnOnce(&mut dyn Read) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut body = self.get_within(key, limit).await?;
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        let reading = tokio::task::spawn_blocking(move || {
            let chunk = Bytes::new();
            read(&mut Received { chunks, chunk })
        });
        while let Some(chunk) = body.next().await? {
            // The reader stops receiving once it has seen enough.
            if sender.send(chunk).await.is_err() {
                break;
            }
        }
        drop(sender);
        reading.await.map_err(|error| {
            let (kind, url) = (StoreErrorKind::Refused, self.url(key));
            StoreError::new(kind, "GetObject", url, "it cannot be read").caused_by(error)
        })
    }
}
