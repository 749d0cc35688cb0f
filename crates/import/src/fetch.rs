//! Downloads a data file from S3 to a temporary file and proves that it is the one in the manifest.
//!
//! A flipped bit in a Parquet file usually decodes to wrong values without any error, so nothing is
//! decoded until size and SHA-256 match the manifest: a [`VerifiedFile`] exists only then. Bytes
//! damaged in transit are fetched again, so that they do not end hours of work. A legacy run has no
//! hashes; its files have a variant of their own.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use futures::{Stream, StreamExt as _};
use lob_core::checksum::{Documents, MAX_DOWNLOADS, Sha256, Sha256Hasher};
use lob_core::failure::{ExitStatus, Failure};
use lob_core::progress::{Hidden, Progress};
use lob_core::run::RunLocation;
use lob_core::store::{Store, StoreError, StoreErrorKind};
use lob_core::transfer::Download;
use tokio::task::JoinSet;

use crate::budget::{Budget, Taken};
use crate::splits::DataFile;

/// A data file on disk, without a name.
#[derive(Debug)]
pub(crate) enum FetchedFile {
    /// Its bytes are those in the manifest.
    Verified(VerifiedFile),
    /// It belongs to a legacy run; only its size was checked.
    Legacy(File),
}

/// A file whose bytes match the manifest, and what the manifest says about its documents.
#[derive(Debug)]
pub(crate) struct VerifiedFile(File, Documents);

impl VerifiedFile {
    /// The bytes, from their start, and the documents they must contain.
    pub(crate) fn into_parts(self) -> (File, Documents) {
        (self.0, self.1)
    }
}

/// Refuses a folder that cannot hold data files.
///
/// # Errors
/// The folder, by name.
pub(crate) fn check_folder(spool_dir: &Path) -> Result<(), Failure> {
    let made = tempfile::tempfile_in(spool_dir);
    made.map(drop).map_err(|error| unusable(spool_dir, error))
}

/// Fetches data files to disk, each once there is room for it, ahead of whoever loads them.
#[derive(Clone)]
pub(crate) struct Fetcher {
    pub(crate) store: Store,
    pub(crate) run: RunLocation,
    pub(crate) spool: Spool,
    pub(crate) progress: Arc<dyn Progress>,
}

/// A folder with room for some data files at a time.
#[derive(Clone)]
pub(crate) struct Spool {
    pub(crate) folder: PathBuf,
    pub(crate) room: Budget,
}

/// A data file that was fetched, and the room that it takes until it is dropped.
pub(crate) struct Spooled<'a> {
    pub(crate) file: &'a DataFile,
    pub(crate) fetched: FetchedFile,
    pub(crate) room: Taken,
}

/// Most files that are fetched at once, however small they are.
const FILES_AT_ONCE: usize = 64;

impl Fetcher {
    /// Fetches these files, several at once, each once there is room for it; they come in their
    /// order, so documents are inserted in that of their `_id`.
    pub(crate) fn fetch<'a>(
        &'a self,
        files: &'a [&'a DataFile],
    ) -> impl Stream<Item = anyhow::Result<Spooled<'a>>> + 'a {
        futures::stream::iter(files)
            .then(async |file| (*file, self.spool.room.take(file.size_bytes()).await))
            .map(|(file, room)| self.spawn(file, room))
            .buffered(FILES_AT_ONCE)
    }

    /// Fetches one file in a task of its own, which ends with the returned future.
    async fn spawn<'a>(&self, file: &'a DataFile, room: Taken) -> anyhow::Result<Spooled<'a>> {
        let (this, owned) = (self.clone(), file.clone());
        // Unlike a task of its own, the only one of a set ends when it is dropped.
        let mut fetching = JoinSet::new();
        fetching.spawn(async move { this.one(&owned).await });
        let fetched = fetching.join_next().await.context("fetching stopped")?;
        let fetched = fetched.context("fetching stopped")??;
        Ok(Spooled {
            file,
            fetched,
            room,
        })
    }

    /// Downloads one data file and, if there is a hash, verifies it, retrying often enough that a
    /// wrong hash cannot be caused by the network.
    ///
    /// # Errors
    /// A data file that is not what the manifest says (exit status 3), or a store or folder error.
    async fn one(&self, file: &DataFile) -> anyhow::Result<FetchedFile> {
        let key = self.run.key(file.key());
        let url = self.store.url(&key);
        let (mut downloads, mut shown) = (1, &*self.progress);
        loop {
            let downloaded = self.download(&key, file, shown).await;
            let Some(exported) = file.exported() else {
                return downloaded.map(|(spool, _)| FetchedFile::Legacy(spool));
            };
            let wrong = match downloaded {
                Ok((spool, found)) => {
                    let sha256 = exported.file.contents.sha256;
                    if found == sha256 {
                        let verified = VerifiedFile(spool, exported.documents);
                        return Ok(FetchedFile::Verified(verified));
                    }
                    let after = match downloads {
                        MAX_DOWNLOADS => format!(", after {downloads} downloads"),
                        _ => String::new(),
                    };
                    Failure::integrity(format!(
                        "`{url}` has the SHA-256 {found}, the manifest says {sha256}{after}"
                    ))
                    .into()
                }
                Err(error) if is_another_object(&error) => error,
                Err(error) => return Err(error),
            };
            if downloads == MAX_DOWNLOADS {
                return Err(wrong);
            }
            tracing::warn!("{wrong:#}: fetching it again");
            (downloads, shown) = (downloads + 1, &Hidden);
        }
    }

    /// Downloads a data file as it is; returns it, rewound, with the SHA-256 of its bytes.
    async fn download(
        &self,
        key: &str,
        file: &DataFile,
        progress: &dyn Progress,
    ) -> anyhow::Result<(File, Sha256)> {
        let unusable = |error| unusable(&self.spool.folder, error);
        let mut spool = tempfile::tempfile_in(&self.spool.folder).map_err(unusable)?;
        let mut hasher = Sha256Hasher::default();
        let mut download = Download::start(&self.store, key, file.size_bytes());
        loop {
            let arrived = download.next().await.map_err(|error| match error.kind {
                StoreErrorKind::NotFound => {
                    Failure::integrity(file.is_gone(&self.store.url(key))).into()
                }
                _ => anyhow::Error::from(error),
            })?;
            let Some(bytes) = arrived else {
                break;
            };
            tokio::task::block_in_place(|| {
                hasher.update(&bytes);
                spool.write_all(&bytes)
            })
            .map_err(unusable)?;
            progress.advance(bytes.len() as u64, 0);
        }
        spool.seek(SeekFrom::Start(0)).map_err(unusable)?;
        Ok((spool, hasher.finish()))
    }
}

/// Whether the object has another size than expected or was replaced while it was read, perhaps by
/// the same bytes with another encryption or storage class.
fn is_another_object(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<StoreError>();
    error.is_some_and(|error| error.kind == StoreErrorKind::Integrity)
}

fn unusable(spool_dir: &Path, error: io::Error) -> Failure {
    let message = format!("data files cannot be stored in `{}`", spool_dir.display());
    let hint = "set --spool-dir to a folder with room for some data files, and check `ulimit -n`, \
                the limit of open files";
    Failure::new(ExitStatus::Failed, message)
        .with_hint(hint)
        .caused_by(error)
}
