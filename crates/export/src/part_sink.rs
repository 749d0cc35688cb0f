//! Turns the Parquet writer's bytes into the parts of an upload.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lob_core::interrupt::Interrupt;
use lob_core::progress::Progress;
use lob_core::run::OpenRun;
use lob_core::store::StoreError;
use lob_core::transfer::{FileHashes, Hashing, PartBudget, PartHasher};
use lob_core::transfer::{FinishedParts, MultipartUpload};

/// The Parquet writer's output: what it has written and nobody has sent yet. Clones share the
/// bytes; the writer has one, the sender another.
///
/// They are copied to buffers of parts only when a part is full. The writer does not pause within a
/// row group, which may need several parts: ranges that each held some of the budget would wait for
/// each other for the rest.
#[derive(Debug, Clone)]
pub(crate) struct PartSink(Arc<Mutex<VecDeque<u8>>>);

impl PartSink {
    /// A sink with room for `size` bytes: to grow step by step would copy them over and over.
    pub(crate) fn with_room(size: u64) -> Self {
        let size = usize::try_from(size).unwrap_or(0);
        Self(Arc::new(Mutex::new(VecDeque::with_capacity(size))))
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for PartSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hashes and sends the contents of a [`PartSink`], part by part.
pub(crate) struct PartSender {
    sink: PartSink,
    budget: PartBudget,
    hasher: PartHasher,
    upload: MultipartUpload,
    /// Documents in the bytes waiting to be sent.
    documents: u64,
}

impl PartSender {
    /// Opens the upload of `key`.
    pub(crate) async fn open(
        run: &OpenRun,
        key: &str,
        sink: PartSink,
        budget: &PartBudget,
        progress: &Arc<dyn Progress>,
    ) -> Result<Self, StoreError> {
        let upload = MultipartUpload::create(&run.store, key).await?;
        Ok(Self {
            sink,
            budget: budget.clone(),
            hasher: PartHasher::new(Hashing {
                md5: false,
                part_md5: run.store.endpoint().needs_md5(),
            }),
            upload: upload.reporting_to(Arc::clone(progress)),
            documents: 0,
        })
    }

    /// Adds documents that were written to the sink.
    pub(crate) fn add(&mut self, documents: u64) {
        self.documents += documents;
    }

    /// Starts sending all full parts.
    pub(crate) async fn send_parts(&mut self) -> anyhow::Result<()> {
        let part_size = self.budget.part_size();
        while self.sink.waiting().len() as u64 >= part_size {
            self.send(part_size).await?;
        }
        Ok(())
    }

    /// Sends what is left and waits until every part is acknowledged. If that fails or is
    /// interrupted, the upload is aborted.
    pub(crate) async fn finish(
        mut self,
        interrupt: &Interrupt,
    ) -> anyhow::Result<(FileHashes, FinishedParts)> {
        // Less than a part and the footer: what is sent slowly should not hold room for a row group.
        self.sink.waiting().shrink_to_fit();
        if let Err(error) = interrupt.or(self.send_rest()).await {
            self.upload.abort().await;
            return Err(error);
        }
        Ok((self.hasher.finish(), self.upload.finish().await?))
    }

    /// Aborts the upload.
    pub(crate) async fn abort(self) {
        self.upload.abort().await;
    }

    async fn send_rest(&mut self) -> anyhow::Result<()> {
        self.send_parts().await?;
        let rest = self.sink.waiting().len() as u64;
        if rest > 0 {
            self.send(rest).await?;
        }
        Ok(self.upload.acknowledged().await?)
    }

    /// Starts sending the next `size` bytes, which are in the sink.
    async fn send(&mut self, size: u64) -> anyhow::Result<()> {
        let buffer = self.budget.buffer(size).await;
        // A document's columns are spread over its row group, so each part counts a share of the
        // documents.
        let all = (self.sink.waiting().len() as u128).max(1);
        let share = u128::from(self.documents) * u128::from(size) / all;
        let share = u64::try_from(share).unwrap_or(self.documents);
        self.documents -= share;
        let part = tokio::task::block_in_place(|| {
            let mut written = self.sink.waiting();
            self.hasher.read(buffer, &mut *written)
        })?;
        Ok(self.upload.send(part, share).await?)
    }
}
