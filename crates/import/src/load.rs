//! Loads data files into staging collections: fetch -> decode -> insert -> note.
//!
//! Each stage runs in tasks of its own: files are fetched ahead, some are decoded at once, and
//! batches are inserted as they come. What waits between the stages is bounded, so a stage that is
//! slower than the others holds them up instead of filling the memory.

use std::sync::Arc;

use anyhow::Context as _;
use futures::StreamExt as _;
use lob_core::checksum::Documents;
use lob_core::cli::Context;
use lob_core::failure::{Failure, worst};
use lob_core::interrupt::Interrupt;
use lob_core::limiter::Limiter;
use lob_mongo::{BatchLimits, Entries, InsertBatch, Staging};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::budget::Budget;
use crate::decode::decode;
use crate::fetch::{Fetcher, Spooled};
use crate::settings::{COPIES_OF_BATCH, ImportSettings, WAITING_BATCHES};
use crate::splits::DataFile;

/// Everything needed to fill staging collections; all splits share it.
pub(crate) struct Loader<'a> {
    pub(crate) entries: &'a Entries,
    pub(crate) settings: &'a ImportSettings,
    pub(crate) limits: BatchLimits,
    pub(crate) fetcher: Fetcher,
    /// As many files are decoded at once.
    pub(crate) decoders: Semaphore,
    pub(crate) inserts: Limiter,
    /// What the batches that are inserted may take.
    pub(crate) memory: Budget,
    pub(crate) context: &'a Context,
    /// Stops all splits.
    pub(crate) stop: Interrupt,
}

impl Loader<'_> {
    /// Fills `staging` with the documents of these data files; returns their count and digest. No
    /// insert is in flight when this returns.
    ///
    /// # Errors
    /// Anything that does not match the manifest (exit status 3), or a server error.
    pub(crate) async fn load(
        &self,
        staging: &Staging,
        left: &[&DataFile],
    ) -> anyhow::Result<Documents> {
        let failed = Notify::new();
        let fetched = self.fetcher.fetch(left).take_until(failed.notified());
        let mut loading = Box::pin(fetched)
            .map(async |spooled| self.load_file(spooled?, staging).await)
            .buffer_unordered(self.settings.decoders());
        let (mut loaded, mut failures) = (Documents::default(), Vec::new());
        while let Some(result) = loading.next().await {
            match result {
                Ok(documents) => loaded.merge(documents),
                Err(error) => {
                    failed.notify_one();
                    failures.push(error);
                }
            }
        }
        worst(failures)?;
        Ok(loaded)
    }

    /// Inserts a data file, and notes that it is in staging if all its documents were acknowledged.
    async fn load_file(
        &self,
        spooled: Spooled<'_>,
        staging: &Staging,
    ) -> anyhow::Result<Documents> {
        let _decoder = self.decoders.acquire().await;
        let key = spooled.file.key().to_owned();
        let (documents, acknowledged) = self.insert(spooled, staging).await?;
        let count = documents.count;
        if acknowledged != count {
            let message =
                format!("only {acknowledged} of {count} documents of `{key}` are acknowledged");
            return Err(Failure::integrity(message).into());
        }
        let noted = self.entries.add_file(staging, &key, documents).await;
        noted.map_err(Failure::from)?;
        Ok(documents)
    }

    /// Decodes one data file on a thread of its own and inserts its documents as they come. All
    /// inserts have finished when this returns.
    async fn insert(
        &self,
        spooled: Spooled<'_>,
        staging: &Staging,
    ) -> anyhow::Result<(Documents, u64)> {
        let Spooled {
            file,
            fetched,
            room: _room,
        } = spooled;
        let (sender, mut batches) = mpsc::channel::<InsertBatch>(WAITING_BATCHES);
        let (limits, key) = (self.limits, file.key().to_owned());
        let ids = self.settings.legacy_ids.into();
        let memory = self.settings.decoding();
        let decoder = tokio::task::spawn_blocking(move || {
            decode(fetched, &key, ids, limits, memory, &sender)
        });
        let staging = Arc::new(staging.clone());
        let mut inserting = JoinSet::new();
        let mut inserted = Inserted::default();
        while inserted.failure.is_none()
            && let Some(batch) = batches.recv().await
        {
            let memory = COPIES_OF_BATCH * batch.size() as u64;
            let memory = self.memory.take(memory).await;
            let permit = self.inserts.enter().await;
            let staging = Arc::clone(&staging);
            inserting.spawn(async move {
                let _memory = memory;
                let count = staging.insert(&batch).await?;
                permit.succeeded(batch.size() as u64);
                Ok(count)
            });
            while let Some(done) = inserting.try_join_next() {
                inserted.add(done.context("an insert stopped")?, self.context);
            }
        }
        drop(batches);
        while let Some(done) = inserting.join_next().await {
            inserted.add(done.context("an insert stopped")?, self.context);
        }
        // A failed insert stops the decoder early, without an error.
        let documents = decoder.await??;
        match inserted.failure {
            Some(failure) => Err(failure.into()),
            None => Ok((documents, inserted.count)),
        }
    }
}

/// What became of the inserts of a file.
#[derive(Default)]
struct Inserted {
    count: u64,
    /// The first of them.
    failure: Option<Failure>,
}

impl Inserted {
    fn add(&mut self, done: lob_mongo::Result<u64>, context: &Context) {
        match done {
            Ok(count) => {
                context.progress.advance(0, count);
                self.count += count;
            }
            Err(error) => {
                self.failure.get_or_insert(error.into());
            }
        }
    }
}
