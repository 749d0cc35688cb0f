//! Turns the Parquet writer's bytes into the parts of an upload.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use lob_core::interrupt::Interrupt;
use lob_core::progress::Progress;
use lob_core::run::OpenRun;
use lob_core::store::StoreError;
use lob_core::transfer::{FileHashes, Hashing, PartBudget, PartBuffer, PartHasher};
use lob_core::transfer::{FinishedParts, MultipartUpload};

/// The Parquet writer's output: buffers of one part each. Clones share the buffers; the writer has
/// one, the sender another.
#[derive(Debug, Clone)]
pub(crate) struct PartSink {
    budget: PartBudget,
    filled: Arc<Mutex<VecDeque<PartBuffer>>>,
}

impl PartSink {
    pub(crate) fn new(budget: &PartBudget) -> Self {
        Self {
            budget: budget.clone(),
            filled: Arc::default(),
        }
    }

    /// The next full part, if there is one.
    fn take_part(&self) -> Option<PartBuffer> {
        let mut filled = self.filled.lock().unwrap_or_else(PoisonError::into_inner);
        let is_whole =
            |part: &mut PartBuffer| part.bytes_mut().len() as u64 == self.budget.part_size();
        filled
            .front_mut()
            .is_some_and(is_whole)
            .then(|| filled.pop_front())?
    }

    /// How many bytes are waiting to be sent.
    fn waiting(&self) -> u64 {
        let mut filled = self.filled.lock().unwrap_or_else(PoisonError::into_inner);
        let sizes = filled.iter_mut().map(|part| part.bytes_mut().len() as u64);
        sizes.sum()
    }

    /// The bytes left once all full parts are taken.
    fn take_rest(&self) -> Option<PartBuffer> {
        self.filled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }
}

impl Write for PartSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part_size = self.budget.part_size();
        let mut filled = self.filled.lock().unwrap_or_else(PoisonError::into_inner);
        let room = |part: &mut PartBuffer| part_size - part.bytes_mut().len() as u64;
        if filled.back_mut().is_none_or(|part| room(part) == 0) {
            filled.push_back(self.budget.buffer(part_size));
        }
        let Some(part) = filled.back_mut() else {
            return Ok(0);
        };
        let taken = usize::try_from(room(part))
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        part.bytes_mut().extend_from_slice(&bytes[..taken]);
        Ok(taken)
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
    pub(crate) async fn send_parts(&mut self) -> Result<(), StoreError> {
        while let Some(part) = self.sink.take_part() {
            self.send(part).await?;
        }
        Ok(())
    }

    /// Waits until every part so far is acknowledged.
    pub(crate) async fn acknowledged(&mut self) -> Result<(), StoreError> {
        self.upload.acknowledged().await
    }

    /// Sends what is left and waits until every part is acknowledged. If that fails or is
    /// interrupted, the upload is aborted.
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

    /// Aborts the upload.
    pub(crate) async fn abort(self) {
        self.upload.abort().await;
    }

    async fn send_rest(&mut self) -> Result<(), StoreError> {
        self.send_parts().await?;
        if let Some(rest) = self.sink.take_rest() {
            self.send(rest).await?;
        }
        self.acknowledged().await
    }

    async fn send(&mut self, mut part: PartBuffer) -> Result<(), StoreError> {
        let size = part.bytes_mut().len() as u64;
        let reserved = self.budget.reserve(size).await;
        let part = tokio::task::block_in_place(|| self.hasher.hash(part, reserved));
        // A document's columns are spread over its row group, so each part counts a share of the
        // documents.
        let all = u128::from(size + self.sink.waiting()).max(1);
        let share = u128::from(self.documents) * u128::from(size) / all;
        let share = u64::try_from(share).unwrap_or(self.documents);
        self.documents -= share;
        self.upload.send(part, share)
    }
}
