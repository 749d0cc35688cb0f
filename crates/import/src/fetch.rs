//! A data file from S3 to a temporary file on disk, proved to be the one of the manifest.
//!
//! A flipped bit in a Parquet file mostly decodes into wrong values without any error, so nothing
//! is decoded before size and SHA-256 are the manifest's: a [`VerifiedFile`] cannot be had without.
//! A run of the original has no hashes, and its files are told apart by their type.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use lob_core::failure::{ExitStatus, Failure};
use lob_core::hash::Sha256Hasher;
use lob_core::progress::Progress;
use lob_core::run::RunLocation;
use lob_core::store::{Store, StoreErrorKind};

use crate::decode::Documents;
use crate::splits::{DataFile, Recorded};

/// A data file on disk, without a name.
#[derive(Debug)]
pub(crate) enum FetchedFile {
    /// Its bytes are those of the manifest.
    Verified(VerifiedFile),
    /// It is of a run of the original: its size is that of the object.
    Legacy(File),
}

/// A file whose bytes are those of the manifest, and what the manifest says of its documents.
#[derive(Debug)]
pub(crate) struct VerifiedFile(File, Documents);

impl VerifiedFile {
    /// The bytes, from their start, and what their documents must be.
    pub(crate) fn into_parts(self) -> (File, Documents) {
        (self.0, self.1)
    }
}

/// Downloads one data file, and proves it where there is a hash.
pub(crate) async fn fetch(
    store: &Store,
    run: &RunLocation,
    file: &DataFile,
    spool_dir: &Path,
    progress: &dyn Progress,
) -> anyhow::Result<FetchedFile> {
    let key = run.key(&file.key);
    let url = store.url(&key);
    let mut body = store.get(&key).await.map_err(|error| match error.kind {
        StoreErrorKind::NotFound => {
            let message = format!("`{url}` is not there, the manifest says that it is");
            anyhow::Error::from(Failure::integrity(message))
        }
        _ => error.into(),
    })?;
    if body.size() != file.size_bytes {
        let (found, size) = (body.size(), file.size_bytes);
        let message = format!("`{url}` has {found} bytes, the manifest says {size}");
        return Err(Failure::integrity(message).into());
    }
    let unusable = |error: io::Error| {
        let message = format!("no data file can be kept in `{}`", spool_dir.display());
        let hint = "--spool-dir names a folder with room for a data file or two";
        Failure::new(ExitStatus::Failed, message)
            .with_hint(hint)
            .caused_by(error)
    };
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
    let found = hasher.finish();
    if let Some(Recorded { sha256, .. }) = file.recorded
        && sha256 != found
    {
        let message = format!("`{url}` has the SHA-256 {found}, the manifest says {sha256}");
        return Err(Failure::integrity(message).into());
    }
    spool.seek(SeekFrom::Start(0)).map_err(unusable)?;
    Ok(match file.recorded {
        Some(recorded) => FetchedFile::Verified(VerifiedFile(spool, recorded.documents)),
        None => FetchedFile::Legacy(spool),
    })
}
