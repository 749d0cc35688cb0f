//! A data file from S3 to a temporary file on disk, proved to be the one of the manifest.
//!
//! A flipped bit in a Parquet file mostly decodes into wrong values without any error, so nothing
//! is decoded before size and SHA-256 are the manifest's: a [`VerifiedFile`] cannot be had without.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use anyhow::Context as _;
use lob_core::failure::Failure;
use lob_core::hash::Sha256Hasher;
use lob_core::manifest::DataFile;
use lob_core::progress::Progress;
use lob_core::run::RunLocation;
use lob_core::store::Store;

/// A file on disk, without a name, whose bytes are those of the manifest.
#[derive(Debug)]
pub(crate) struct VerifiedFile(File);

impl VerifiedFile {
    /// The bytes, from their start.
    pub(crate) fn into_file(self) -> File {
        self.0
    }
}

/// Downloads one data file and proves it.
pub(crate) async fn fetch(
    store: &Store,
    run: &RunLocation,
    file: &DataFile,
    spool_dir: &Path,
    progress: &dyn Progress,
) -> anyhow::Result<VerifiedFile> {
    let key = run.key(&file.key);
    let url = store.url(&key);
    let mut body = store.get(&key).await?;
    if body.size() != file.size_bytes {
        let (found, size) = (body.size(), file.size_bytes);
        let message = format!("`{url}` has {found} bytes, the manifest says {size}");
        return Err(Failure::integrity(message).into());
    }
    let mut spool = tempfile::tempfile_in(spool_dir)
        .with_context(|| format!("no temporary file in `{}`", spool_dir.display()))?;
    let mut hasher = Sha256Hasher::default();
    while let Some(bytes) = body.next().await? {
        tokio::task::block_in_place(|| {
            hasher.update(&bytes);
            spool.write_all(&bytes)
        })
        .with_context(|| format!("cannot write to `{}`", spool_dir.display()))?;
        progress.advance(bytes.len() as u64, 0);
    }
    let found = hasher.finish();
    if found != file.sha256 {
        let message = format!(
            "`{url}` has the SHA-256 {found}, the manifest says {}",
            file.sha256
        );
        return Err(Failure::integrity(message).into());
    }
    spool.seek(SeekFrom::Start(0))?;
    Ok(VerifiedFile(spool))
}
