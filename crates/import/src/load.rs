//! Loads data files into a staging collection: fetch -> decode -> insert -> note.
//!
//! While one data file is decoded and inserted, the next one is fetched.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use lob_core::checksum::Documents;
use lob_core::cli::Context;
use lob_core::failure::Failure;
use lob_core::run::RunLocation;
use lob_core::store::Store;
use lob_mongo::{BatchLimits, Entries, InsertBatch, Staging};
use tokio::sync::mpsc;

use crate::decode::decode;
use crate::fetch::{FetchedFile, fetch};
use crate::settings::ImportSettings;
use crate::splits::DataFile;

/// Batches waiting for an insert worker.
const WAITING_BATCHES: usize = 2;

/// Everything needed to fill a staging collection.
pub(crate) struct Loader<'a> {
    pub(crate) store: &'a Store,
    pub(crate) run: &'a RunLocation,
    pub(crate) entries: &'a Entries,
    pub(crate) settings: &'a ImportSettings,
    pub(crate) limits: BatchLimits,
    pub(crate) context: &'a Context,
}

impl Loader<'_> {
    /// Fills `staging` with the documents of these data files; returns their count and digest.
    ///
    /// # Errors
    /// Anything that does not match the manifest (exit status 3), or a server error.
    pub(crate) async fn load(
        &self,
        staging: &Staging,
        left: &[&DataFile],
    ) -> anyhow::Result<Documents> {
        let mut loaded = Documents::default();
        let mut files = left.iter().copied();
        let mut next = match files.next() {
            Some(file) => Some((file, self.fetch(file).await?)),
            None => None,
        };
        while let Some((file, fetched)) = next.take() {
            let following = async {
                match files.next() {
                    Some(file) => Ok(Some((file, self.fetch(file).await?))),
                    None => anyhow::Ok(None),
                }
            };
            // Run both to completion, so that no insert is in flight when staging is dropped.
            let (following, inserted) =
                tokio::join!(following, self.insert(file, fetched, staging));
            let (documents, acknowledged) = inserted?;
            self.note(file, documents, acknowledged, staging).await?;
            loaded.merge(documents);
            next = following?;
        }
        Ok(loaded)
    }

    /// Notes that a data file is in staging, if all its documents were acknowledged.
    async fn note(
        &self,
        file: &DataFile,
        documents: Documents,
        acknowledged: u64,
        staging: &Staging,
    ) -> anyhow::Result<()> {
        let (key, count) = (file.key(), documents.count);
        if acknowledged != count {
            let message =
                format!("only {acknowledged} of {count} documents of `{key}` are acknowledged");
            return Err(Failure::integrity(message).into());
        }
        let noted = self.entries.add_file(staging, key, documents).await;
        Ok(noted.map_err(Failure::from)?)
    }

    async fn fetch(&self, file: &DataFile) -> anyhow::Result<FetchedFile> {
        let (spool_dir, progress) = (&self.settings.spool_dir, &*self.context.progress);
        fetch(self.store, self.run, file, spool_dir, progress).await
    }

    /// Decodes one data file on a thread of its own and inserts its documents as they come. All
    /// inserts have finished when this returns.
    async fn insert(
        &self,
        file: &DataFile,
        fetched: FetchedFile,
        staging: &Staging,
    ) -> anyhow::Result<(Documents, u64)> {
        let (sender, mut batches) = mpsc::channel::<InsertBatch>(WAITING_BATCHES);
        let (limits, key) = (self.limits, file.key().to_owned());
        let ids = self.settings.legacy_ids.into();
        let decoder =
            tokio::task::spawn_blocking(move || decode(fetched, &key, ids, limits, &sender));
        let stream = futures::stream::poll_fn(|context| batches.poll_recv(context));
        let failed = AtomicBool::new(false);
        let mut inserting = stream
            .take_while(|_| std::future::ready(!failed.load(Ordering::Relaxed)))
            .map(|batch| async move { staging.insert(&batch).await })
            .buffer_unordered(self.settings.jobs.get());
        let mut inserted = Ok(0);
        while let Some(result) = inserting.next().await {
            match (result, &mut inserted) {
                (Ok(count), Ok(sum)) => {
                    self.context.progress.advance(0, count);
                    *sum += count;
                }
                (Err(error), Ok(_)) => {
                    failed.store(true, Ordering::Relaxed);
                    inserted = Err(Failure::from(error));
                }
                (_, Err(_)) => {}
            }
        }
        drop(inserting);
        drop(batches);
        // A failed insert stops the decoder early, without an error.
        let documents = decoder.await??;
        Ok((documents, inserted?))
    }
}
