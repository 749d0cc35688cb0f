//! The local copy of a manifest, for people and for scripts that know the legacy one.
//!
//! It is written after the commit, so failing to write it does not fail the run: the manifest is in
//! the bucket.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::settings::RunId;
use crate::shared_file::shared_file;

/// Writes `manifest` to `manifest_{run}.json` in `folder`, whole or not at all, and returns its
/// path. A failure is only logged.
pub fn keep_local_copy(folder: &Path, run: &RunId, manifest: &[u8]) -> Option<PathBuf> {
    let path = folder.join(format!("manifest_{run}.json"));
    match write(folder, &path, manifest) {
        Ok(()) => Some(path),
        Err(error) => {
            let path = path.display();
            tracing::warn!(%path, %error, "the local copy of the manifest cannot be written");
            None
        }
    }
}

fn write(folder: &Path, path: &Path, manifest: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut unfinished = shared_file(folder)?;
    unfinished.write_all(manifest)?;
    unfinished.as_file().sync_all()?;
    unfinished.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_copy_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("artifacts/lob_data_uploads");
        let run = "20251115_093000".parse().unwrap();
        for manifest in [b"{\"old\":1}".as_slice(), b"{}"] {
            let path = keep_local_copy(&folder, &run, manifest).unwrap();
            assert_eq!(path, folder.join("manifest_20251115_093000.json"));
            assert_eq!(fs::read(&path).unwrap(), manifest);
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        let not_a_folder = folder.join("manifest_20251115_093000.json");
        assert_eq!(keep_local_copy(&not_a_folder, &run, b"{}"), None);
    }
}
