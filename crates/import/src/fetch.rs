//! Downloads a data file from S3 to a temporary file and proves that it is the one in the manifest.
//!
//! A flipped bit in a Parquet file usually decodes to wrong values without any error, so nothing is
//! decoded until size and SHA-256 match the manifest: a [`VerifiedFile`] exists only then. Bytes
//! damaged in transit are fetched again, so that they do not end hours of work. A legacy run has no
//! hashes; its files have a variant of their own.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use lob_core::checksum::{Documents, MAX_DOWNLOADS, Sha256, Sha256Hasher};
use lob_core::failure::{ExitStatus, Failure};
use lob_core::progress::{Hidden, Progress};
use lob_core::run::RunLocation;
use lob_core::store::{Store, StoreErrorKind};

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

/// Downloads one data file and, if there is a hash, verifies it, retrying often enough that a wrong
/// hash cannot be caused by the network.
///
/// # Errors
/// A data file that is not what the manifest says (exit status 3), or a store or folder error.
pub(crate) async fn fetch(
    store: &Store,
    run: &RunLocation,
    file: &DataFile,
    spool_dir: &Path,
    progress: &dyn Progress,
) -> anyhow::Result<FetchedFile> {
    let key = run.key(file.key());
    let url = store.url(&key);
    let (mut downloads, mut shown) = (1, progress);
    loop {
        let (spool, found) = download(store, &key, file, spool_dir, shown).await?;
        let Some(exported) = file.exported() else {
            return Ok(FetchedFile::Legacy(spool));
        };
        let sha256 = exported.file.contents.sha256;
        if found == sha256 {
            return Ok(FetchedFile::Verified(VerifiedFile(
                spool,
                exported.documents,
            )));
        }
        let message = format!("`{url}` has the SHA-256 {found}, the manifest says {sha256}");
        if downloads == MAX_DOWNLOADS {
            let message = format!("{message}, after {downloads} downloads");
            return Err(Failure::integrity(message).into());
        }
        tracing::warn!("{message}: fetching it again");
        (downloads, shown) = (downloads + 1, &Hidden);
    }
}

/// Downloads a data file as it is; returns it, rewound, with the SHA-256 of its bytes.
async fn download(
    store: &Store,
    key: &str,
    file: &DataFile,
    spool_dir: &Path,
    progress: &dyn Progress,
) -> anyhow::Result<(File, Sha256)> {
    let url = store.url(key);
    let mut body = store.get(key).await.map_err(|error| match error.kind {
        StoreErrorKind::NotFound => Failure::integrity(file.is_gone(&url)).into(),
        _ => anyhow::Error::from(error),
    })?;
    if body.size() != file.size_bytes() {
        return Err(Failure::integrity(file.has_size(&url, body.size())).into());
    }
    let unusable = |error| unusable(spool_dir, error);
    let mut spool = tempfile::tempfile_in(spool_dir).map_err(unusable)?;
    let mut hasher = Sha256Hasher::default();
    while let Some(bytes) = body.next().await? {
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

fn unusable(spool_dir: &Path, error: io::Error) -> Failure {
    let message = format!("data files cannot be stored in `{}`", spool_dir.display());
    let hint = "set --spool-dir to a folder with room for two data files, and check `ulimit -n`, \
                the limit of open files";
    Failure::new(ExitStatus::Failed, message)
        .with_hint(hint)
        .caused_by(error)
}
