//! Reads a file once, part by part, and hashes each part in place.
//!
//! The buffer that is hashed is the one that is sent.

use std::fs::File;

use anyhow::Context as _;
use lob_core::transfer::{FileHashes, HashedPart, Hashing, PartBudget, PartHasher};

use crate::freeze::{Freeze, FreezeError};
use crate::source::{self, SourceFile};

/// A file being read in one consistent state from start to end.
#[derive(Debug)]
pub(crate) struct Reader {
    file: File,
    freeze: Freeze,
    hasher: PartHasher,
    left: u64,
}

impl Reader {
    /// Opens a planned file if it is still as planned.
    pub(crate) async fn open(source: &SourceFile, hashing: Hashing) -> anyhow::Result<Self> {
        let (path, fingerprint) = (source.path.clone(), source.fingerprint);
        blocking(move || {
            let file = source::open(&path)?;
            let freeze = Freeze::begin(&file, &fingerprint)?;
            Ok(Self {
                file,
                freeze,
                hasher: PartHasher::new(hashing),
                left: fingerprint.size,
            })
        })
        .await
    }

    /// Bytes not read yet.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Reads and hashes the next `size` bytes, or what is left, once there is memory for them.
    pub(crate) async fn part(
        mut self,
        size: u64,
        budget: &PartBudget,
    ) -> anyhow::Result<(Self, HashedPart)> {
        let size = size.min(self.left);
        let buffer = budget.buffer(size).await;
        blocking(move || {
            let part = self.hasher.read(buffer, &self.file)?;
            if part.size() < size {
                return Err(FreezeError::Changed("it ended early"));
            }
            self.left -= size;
            Ok((self, part))
        })
        .await
    }

    /// The hashes of what was read, if the file is still in the state it had when reading started.
    pub(crate) async fn finish(self) -> anyhow::Result<FileHashes> {
        blocking(move || {
            self.freeze.end(&self.file)?;
            Ok(self.hasher.finish())
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FreezeError> + Send + 'static,
) -> anyhow::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.context("the reader stopped")??)
}
