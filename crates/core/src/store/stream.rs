//! Objects for readers that block, such as parsers: a chunk at a time, whatever the size.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

use super::{Store, StoreError, StoreErrorKind};

/// Chunks that are fetched ahead of the reader.
const CHUNKS_AHEAD: usize = 4;

/// What is received, as a source of bytes. It ends early if the other side gives up; that side
/// knows why.
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
    /// Gives the bytes of an object to `read`, which runs on a thread of its own.
    ///
    /// # Errors
    /// [`StoreErrorKind::Refused`] where the object is larger than `limit` bytes. Where the bytes
    /// break off, what `read` made of them counts for nothing.
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
            // A reader that has seen enough takes no more.
            if sender.send(chunk).await.is_err() {
                break;
            }
        }
        drop(sender);
        reading.await.map_err(|error| {
            let (kind, url) = (StoreErrorKind::Refused, self.url(key));
            StoreError::new(kind, "GetObject", url, "its bytes cannot be read").caused_by(error)
        })
    }
}
