//! The settings file: which one is read, and its text.
//!
//! Whoever wrote a file, or a link to one, expects its settings to apply: a file that exists but
//! cannot be read is an error, and is never treated as missing.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use crate::failure::Failure;

/// No settings file is larger than this, but a device may be endless.
const MAX_BYTES: u64 = 1 << 20;

/// The settings file that is `named`, or else the one at `default` if it exists: its name for
/// messages, and its text.
///
/// # Errors
/// A file that cannot be read as text or is too large, or a named file that is missing.
pub(super) fn read(
    named: Option<&Path>,
    default: &Path,
) -> Result<Option<(String, String)>, Failure> {
    let path = named.unwrap_or(default);
    let entry = fs::symlink_metadata(path);
    let is_missing = |error: &io::Error| error.kind() == ErrorKind::NotFound;
    if named.is_none() && entry.as_ref().is_err_and(is_missing) {
        return Ok(None);
    }
    let name = format!("file `{}`", path.display());
    let text = text(path).map_err(|error| {
        let reason = match error.kind() {
            ErrorKind::NotFound if entry.is_ok() => {
                "is a link to a file that does not exist".to_owned()
            }
            ErrorKind::NotFound => "does not exist".to_owned(),
            ErrorKind::IsADirectory => "is a folder".to_owned(),
            ErrorKind::InvalidData => "is not UTF-8 text".to_owned(),
            ErrorKind::FileTooLarge => format!("has more than {MAX_BYTES} bytes"),
            _ => format!("cannot be read: {error}"),
        };
        Failure::usage(format!("settings {name} {reason}"))
    })?;
    Ok(Some((name, text)))
}

fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut file = File::open(path)?.take(MAX_BYTES + 1);
    file.read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ErrorKind::FileTooLarge.into());
    }
    String::from_utf8(bytes).map_err(|_| ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn an_existing_settings_file_that_cannot_be_read_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        symlink("gone", place("link")).unwrap();
        symlink("circle", place("circle")).unwrap();
        fs::create_dir(place("folder")).unwrap();
        fs::write(place("latin"), b"prefix = '\xe9'").unwrap();
        fs::write(place("file"), "").unwrap();
        for (name, reason) in [
            ("link", "is a link to a file that does not exist"),
            ("circle", "cannot be read: "),
            ("folder", "is a folder"),
            ("latin", "is not UTF-8 text"),
            ("file/lob.toml", "cannot be read: "),
        ] {
            let path = place(name);
            let by_default = read(None, &path).unwrap_err().to_string();
            let named = read(Some(&path), &place("file")).unwrap_err().to_string();
            assert!(named.contains(&format!("{name}` {reason}")), "{named}");
            assert_eq!(by_default, named);
        }
        let endless = read(Some(Path::new("/dev/zero")), &place("file")).unwrap_err();
        let told = endless.to_string();
        assert!(told.ends_with("has more than 1048576 bytes"), "{told}");
        let missing = place("missing");
        assert_eq!(read(None, &missing).unwrap(), None);
        let named = read(Some(&missing), &place("file")).unwrap_err();
        assert!(named.to_string().ends_with("does not exist"), "{named}");
    }

    #[test]
    fn settings_are_read_from_pipes_and_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        fs::write(place("file"), "jobs = 3").unwrap();
        symlink("file", place("link")).unwrap();
        let text = |path: &Path| read(Some(path), path).unwrap().unwrap().1;
        assert_eq!(text(&place("link")), "jobs = 3");
        assert_eq!(text(Path::new("/dev/null")), "");
        let (reader, mut writer) = io::pipe().unwrap();
        io::Write::write_all(&mut writer, b"jobs = 4").unwrap();
        drop(writer);
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&reader);
        let pipe = format!("/dev/fd/{descriptor}");
        assert_eq!(text(Path::new(&pipe)), "jobs = 4");
    }
}
