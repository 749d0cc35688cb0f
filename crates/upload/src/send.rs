//! Sends one file: a small one in a single request, a larger one in parts. Anything already in S3
//! is proved and kept, so a stopped run resumes where it left off.

use std::sync::Arc;

use lob_core::failure::ExitStatus;
use lob_core::interrupt::Interrupt;
use lob_core::progress::Progress;
use lob_core::run::OpenRun;
use lob_core::store::{Condition, StoreError, StoreErrorKind, WrittenObject};
use lob_core::transfer::{FileHashes, Hashing, PartBudget};
use lob_core::transfer::{KeptParts, MultipartUpload};

use crate::fault::is_of_the_disk;
use crate::read::Reader;
use crate::source::SourceFile;

/// How often to restart a file that another process of the same run interfered with.
const MAX_RESTARTS: u32 = 5;

/// What all files of a run share while they are sent.
#[derive(Debug)]
pub(crate) struct Sender<'a> {
    pub(crate) run: &'a OpenRun,
    /// Whether an earlier process may have sent something.
    pub(crate) resumed: bool,
    /// Memory shared by all files in flight.
    pub(crate) budget: &'a PartBudget,
    pub(crate) hashing: Hashing,
    /// Largest file sent in a single request, in bytes.
    pub(crate) multipart_threshold: u64,
    /// Stops all files.
    pub(crate) stop: &'a Interrupt,
    pub(crate) progress: &'a Arc<dyn Progress>,
}

/// A file that is in S3.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) hashes: FileHashes,
    pub(crate) object: WrittenObject,
    pub(crate) kept: Kept,
}

/// What was already in S3 and did not have to be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Whole files.
    pub(crate) files: u64,
    /// Parts of incomplete files.
    pub(crate) parts: u64,
    /// Bytes of both: read again, but not sent.
    pub(crate) bytes: u64,
}

impl Kept {
    pub(crate) fn add(&mut self, other: Self) {
        self.files += other.files;
        self.parts += other.parts;
        self.bytes += other.bytes;
    }
}

impl From<KeptParts> for Kept {
    fn from(kept: KeptParts) -> Self {
        Self {
            files: 0,
            parts: kept.parts,
            bytes: kept.bytes,
        }
    }
}

impl Sender<'_> {
    /// Reads the file once and sends whatever is not in S3 yet.
    pub(crate) async fn send(&self, file: &SourceFile) -> anyhow::Result<Sent> {
        let mut may_be_there = self.resumed;
        for _ in 0..MAX_RESTARTS {
            match self.send_once(file, may_be_there).await {
                Err(error) if restarts(&error) => {
                    tracing::warn!(file = file.relative_path, "restarted: {error:#}");
                    may_be_there = true;
                }
                done => return self.counted(done),
            }
        }
        self.counted(self.send_once(file, true).await)
    }

    fn counted(&self, done: anyhow::Result<Sent>) -> anyhow::Result<Sent> {
        if done.is_ok() {
            self.progress.advance(0, 1);
        }
        done
    }

    async fn send_once(&self, file: &SourceFile, may_be_there: bool) -> anyhow::Result<Sent> {
        let key = self.run.key(&file.relative_path);
        let mut replaced = None;
        if may_be_there && let Some(there) = self.stop.or(self.run.store.head(&key)).await? {
            match self.stop.or(self.prove(file, &key, &there)).await? {
                Some(sent) => return Ok(sent),
                None => replaced = Some(there.etag),
            }
        }
        let condition = replaced
            .as_deref()
            .map_or(Condition::Absent, Condition::Unchanged);
        if self.is_in_parts(file) {
            self.in_parts(file, &key, may_be_there, condition).await
        } else {
            self.stop
                .or(self.in_one_request(file, &key, condition))
                .await
        }
    }

    fn is_in_parts(&self, file: &SourceFile) -> bool {
        file.fingerprint.size > self.multipart_threshold
    }

    async fn in_one_request(
        &self,
        file: &SourceFile,
        key: &str,
        condition: Condition<'_>,
    ) -> anyhow::Result<Sent> {
        let reader = Reader::open(file, self.hashing).await?;
        let size = reader.left();
        let (reader, part) = reader.part(size, self.budget).await?;
        let hashes = reader.finish().await?;
        let store = &self.run.store;
        let object = store.put_file(key, part, &hashes, condition).await?;
        self.progress.advance(size, 0);
        Ok(Sent {
            hashes,
            object,
            kept: Kept::default(),
        })
    }

    async fn in_parts(
        &self,
        file: &SourceFile,
        key: &str,
        may_be_there: bool,
        condition: Condition<'_>,
    ) -> anyhow::Result<Sent> {
        let reader = self.stop.or(Reader::open(file, self.hashing)).await?;
        let mut upload = self
            .open_upload(key, may_be_there)
            .await?
            .reporting_to(Arc::clone(self.progress));
        let is_resumed = upload.is_resumed();
        let unusable = |error: anyhow::Error| match store_error(&error) {
            Some(StoreErrorKind::Integrity | StoreErrorKind::Refused) if is_resumed => {
                error.context(UnusableUpload)
            }
            _ => error,
        };
        match self.stop.or(self.parts(reader, &mut upload)).await {
            Ok(hashes) => {
                let kept = upload.kept().into();
                let parts = upload.finish().await?;
                // S3 may take minutes for this. A resumed run checks how it ended.
                let completing = parts.complete_on(hashes.contents, condition);
                let object = self.stop.or(completing).await.map_err(unusable)?;
                Ok(Sent {
                    hashes,
                    object,
                    kept,
                })
            }
            Err(error) if is_resumable(&error) => {
                upload.leave().await;
                Err(error)
            }
            Err(error) => {
                upload.abort().await;
                Err(unusable(error))
            }
        }
    }

    async fn parts(
        &self,
        mut reader: Reader,
        upload: &mut MultipartUpload,
    ) -> anyhow::Result<FileHashes> {
        let part_size = self.budget.part_size_for(reader.left());
        while reader.left() > 0 {
            let part;
            (reader, part) = reader.part(part_size, self.budget).await?;
            upload.send(part, 0).await?;
        }
        let hashes = reader.finish().await?;
        upload.acknowledged().await?;
        Ok(hashes)
    }
}

/// An upload that an earlier process opened and that cannot become the object. MinIO leaves such an
/// upload behind if a client dies while completing it: it is still listed, but without its parts,
/// and it has lost its checksum type, so no Complete will ever match.
#[derive(Debug, thiserror::Error)]
#[error("the upload that was resumed cannot be used")]
struct UnusableUpload;

/// Whether the file has to be restarted: its upload is gone or unusable, or another process was
/// faster.
fn restarts(error: &anyhow::Error) -> bool {
    error.is::<UnusableUpload>()
        || matches!(
            store_error(error),
            Some(StoreErrorKind::NoSuchUpload | StoreErrorKind::Conflict)
        )
}

/// Whether the file may still succeed as it is, so what was sent of it is worth keeping.
fn is_resumable(error: &anyhow::Error) -> bool {
    ExitStatus::of(error).is_interrupt()
        || store_error(error).is_some_and(StoreErrorKind::may_pass)
        || is_of_the_disk(error)
}

fn store_error(error: &anyhow::Error) -> Option<StoreErrorKind> {
    let mut causes = error.chain();
    causes.find_map(|cause| Some(cause.downcast_ref::<StoreError>()?.kind))
}
