//! Sends one file: small ones in one request, larger ones in parts. An upload that was opened is
//! completed or aborted, whatever stops it.

use std::sync::Arc;

use lob_core::interrupt::Interrupt;
use lob_core::multipart::MultipartUpload;
use lob_core::part::{FileHashes, PartBudget};
use lob_core::progress::Progress;
use lob_core::run::OpenRun;
use lob_core::store::{Condition, WrittenObject};

use crate::read::Reader;
use crate::source::SourceFile;

/// What all files of a run share on their way.
#[derive(Debug)]
pub(crate) struct Sender<'a> {
    pub(crate) run: &'a OpenRun,
    /// Memory, shared by all files that are sent at once.
    pub(crate) budget: &'a PartBudget,
    /// Largest file that is sent in one request, in bytes.
    pub(crate) multipart_threshold: u64,
    /// Stops every file.
    pub(crate) stop: &'a Interrupt,
    pub(crate) progress: &'a Arc<dyn Progress>,
}

impl Sender<'_> {
    /// Reads the file once and sends it.
    pub(crate) async fn send(
        &self,
        file: &SourceFile,
    ) -> anyhow::Result<(FileHashes, WrittenObject)> {
        let sent = if file.fingerprint.size <= self.multipart_threshold {
            self.stop.or(self.in_one_request(file)).await?
        } else {
            self.in_parts(file).await?
        };
        self.progress.advance(0, 1);
        Ok(sent)
    }

    async fn in_one_request(
        &self,
        file: &SourceFile,
    ) -> anyhow::Result<(FileHashes, WrittenObject)> {
        let size = file.fingerprint.size;
        let (reader, part) = Reader::open(file).await?.part(size, self.budget).await?;
        let hashes = reader.finish().await?;
        let key = self.run.key(&file.relative_path);
        let object = self
            .run
            .store
            .put_file(&key, part, &hashes, &self.run.token, Condition::Absent)
            .await?;
        self.progress.advance(size, 0);
        Ok((hashes, object))
    }

    async fn in_parts(&self, file: &SourceFile) -> anyhow::Result<(FileHashes, WrittenObject)> {
        let reader = self.stop.or(Reader::open(file)).await?;
        let key = self.run.key(&file.relative_path);
        // Not to be interrupted: an upload whose id nobody knows could not be aborted.
        let mut upload = MultipartUpload::create(&self.run.store, &key, &self.run.token)
            .await?
            .reporting_to(Arc::clone(self.progress));
        let parts = self.parts(reader, file.fingerprint.size, &mut upload);
        match self.stop.or(parts).await {
            Ok(hashes) => {
                let object = upload.finish().await?.complete(&hashes).await?;
                Ok((hashes, object))
            }
            Err(error) => {
                upload.abort().await;
                Err(error)
            }
        }
    }

    async fn parts(
        &self,
        mut reader: Reader,
        size: u64,
        upload: &mut MultipartUpload,
    ) -> anyhow::Result<FileHashes> {
        let part_size = self.budget.part_size_for(size);
        let mut left = size;
        while left > 0 {
            let bytes = part_size.min(left);
            let part;
            (reader, part) = reader.part(bytes, self.budget).await?;
            upload.send(part)?;
            left -= bytes;
        }
        let hashes = reader.finish().await?;
        upload.acknowledged().await?;
        Ok(hashes)
    }
}
