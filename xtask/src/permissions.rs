//! Sets a file's permissions, on systems that know such.

use std::io;
use std::path::Path;

/// Sets the mode of a file or folder.
#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Windows knows no modes: every file can be read and executed by those who may read its folder.
#[cfg(windows)]
pub(crate) fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}
