//! From the Parquet writer's bytes to the parts of an upload.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use lob_core::interrupt::Interrupt;
use lob_core::multipart::{FinishedParts, MultipartUpload};
use lob_core::part::{FileHashes, PartBudget, PartHasher};
use lob_core::progress::Progress;
use lob_core::run::OpenRun;
use lob_core::store::StoreError;

/// Where the Parquet writer writes to. Clones share the bytes: one is the writer's, one the
/// sender's.
#[derive(Debug, Clone, Default)]
pub(crate) struct PartSink(Arc<Mutex<BytesMut>>);

impl PartSink {
    fn take(&self, size: usize) -> Option<Bytes> {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (buffer.len() >= size).then(|| buffer.split_to(size).freeze())
    }

    fn take_rest(&self) -> Bytes {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .split()
            .freeze()
    }
}

impl Write for PartSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hashes and sends what stands in a [`PartSink`], part by part.
pub(crate) struct PartSender {
    sink: PartSink,
    part_size: usize,
    budget: PartBudget,
    hasher: PartHasher,
    upload: MultipartUpload,
}

impl PartSender {
    /// Opens the upload of `key`.
    pub(crate) async fn open(
        run: &OpenRun,
        key: &str,
        sink: PartSink,
        budget: &PartBudget,
        progress: &Arc<dyn Progress>,
    ) -> anyhow::Result<Self> {
        let upload = MultipartUpload::create(&run.store, key, &run.token).await?;
        Ok(Self {
            sink,
            part_size: usize::try_from(budget.part_size())?,
            budget: budget.clone(),
            hasher: PartHasher::default(),
            upload: upload.reporting_to(Arc::clone(progress)),
        })
    }

    /// Starts to send all whole parts.
    pub(crate) async fn send_parts(&mut self) -> Result<(), StoreError> {
        while let Some(part) = self.sink.take(self.part_size) {
            self.send(part).await?;
        }
        Ok(())
    }

    /// Waits until every part so far is acknowledged.
    pub(crate) async fn acknowledged(&mut self) -> Result<(), StoreError> {
        self.upload.acknowledged().await
    }

    /// Sends what is left and waits until every part is acknowledged. If one is not, or an
    /// interrupt comes first, the upload is aborted.
    pub(crate) async fn finish(
        mut self,
        interrupt: &Interrupt,
    ) -> anyhow::Result<(FileHashes, FinishedParts)> {
        if let Err(error) = interrupt.or(self.send_rest()).await {
            self.upload.abort().await;
            return Err(error);
        }
        Ok((self.hasher.finish(), self.upload.finish().await?))
    }

    /// Gives the upload up.
    pub(crate) async fn abort(self) {
        self.upload.abort().await;
    }

    async fn send_rest(&mut self) -> Result<(), StoreError> {
        self.send_parts().await?;
        let rest = self.sink.take_rest();
        if !rest.is_empty() {
            self.send(rest).await?;
        }
        self.acknowledged().await
    }

    async fn send(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let reserved = self.budget.reserve(bytes.len() as u64).await;
        let part = tokio::task::block_in_place(|| self.hasher.hash(bytes, reserved));
        self.upload.send(part)
    }
}
