//! Files that are written under another name first and replace the old one as a whole. Temporary
//! files are private by default; these can be read by everyone who may read their folder.

use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// Creates a file in `folder` that has no lasting name yet.
///
/// # Errors
/// The system's error.
pub fn shared_file(folder: &Path) -> io::Result<NamedTempFile> {
    #[cfg_attr(
        not(unix),
        expect(unused_mut, reason = "a file gets the permissions of its folder")
    )]
    let mut file = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The umask of the process takes away what it must.
        file.permissions(std::fs::Permissions::from_mode(0o666));
    }
    file.tempfile_in(folder)
}
