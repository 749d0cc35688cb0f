//! The local copy of a manifest, for people and for scripts that know the original's.
//!
//! It is written after the commit, so it may fail without failing the run: the bucket has the
//! manifest.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::run::RunId;

/// Writes `manifest` to `manifest_{run}.json` in `folder`, whole or not at all, and says where.
///
/// # Errors
/// The file system's.
pub fn write_local_copy(folder: &Path, run: &RunId, manifest: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("manifest_{run}.json"));
    let unfinished = folder.join(format!(".manifest_{run}.json.unfinished"));
    let mut file = File::create(&unfinished)?;
    file.write_all(manifest)?;
    file.sync_all()?;
    fs::rename(&unfinished, &path)?;
    Ok(path)
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
            let path = write_local_copy(&folder, &run, manifest).unwrap();
            assert_eq!(path, folder.join("manifest_20251115_093000.json"));
            assert_eq!(fs::read(&path).unwrap(), manifest);
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }
}
