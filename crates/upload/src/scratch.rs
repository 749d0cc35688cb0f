//! The folder for unfinished files, next to the finished ones. One process owns it at a time and
//! removes it when it ends. Whatever a killed process left in it, the next one removes.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use lob_core::failure::{ExitStatus, Failure};
use lob_core::shared_file::shared_file;
use tempfile::NamedTempFile;

/// The name of the scratch folder.
const NAME: &str = ".lob-restore";
/// The file in it that its owner keeps locked.
const LOCK: &str = "lock";

/// The folder for unfinished files in `directory`.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Creates `directory` if needed and claims its scratch folder.
    ///
    /// # Errors
    /// Another process owns it, or the folder cannot be written.
    pub(crate) fn claim(directory: &Path) -> Result<Self, Failure> {
        let path = directory.join(NAME);
        let failed = |message: &str| {
            let message = format!("`{}` {message}", directory.display());
            Failure::new(ExitStatus::Failed, message)
        };
        let unusable = |error: io::Error| failed("cannot be written").caused_by(error);
        fs::create_dir_all(&path).map_err(unusable)?;
        let lock = File::create(path.join(LOCK)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let taken = failed("is being restored by another process");
                return Err(taken.with_hint("when that one has ended, run the same command"));
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let scratch = Self { path, _lock: lock };
        scratch.clear().map_err(unusable)?;
        Ok(scratch)
    }

    /// Whether a file of this name would end up in the scratch folder.
    pub(crate) fn is_in(name: &str) -> bool {
        name.split('/').next() == Some(NAME)
    }

    /// Creates a file without a lasting name. Everyone who may read the folder may read it.
    pub(crate) fn file(&self) -> io::Result<NamedTempFile> {
        shared_file(&self.path)
    }

    fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name() != LOCK {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(folder = %self.path.display(), %error, "a folder is left over");
        }
    }
}
