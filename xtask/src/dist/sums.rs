//! The SHA-256 sums of all that was made, for `sha256sum --check`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use xshell::Shell;

/// Writes the sums of these files of `folder` into it; returns the path.
pub(super) fn write(sh: &Shell, made: &[PathBuf], folder: &Path) -> anyhow::Result<PathBuf> {
    let mut text = String::new();
    for path in made {
        let sum = hex::encode(Sha256::digest(sh.read_binary_file(path)?));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        writeln!(text, "{sum}  {name}")?;
    }
    let path = folder.join("SHA256SUMS");
    sh.write_file(&path, text)?;
    Ok(path)
}
