//! Which files are uploaded: every regular `*.parquet` file below the source directory, sorted.
//!
//! Whatever would make two readers see different files, or a file leave the directory that was
//! named, is an error that names the path; nothing is left out in silence.

use std::collections::HashMap;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use caseless::Caseless as _;
use lob_core::run::{MANIFEST_NAME, PROGRESS_FOLDER};
use unicode_normalization::UnicodeNormalization as _;
use walkdir::WalkDir;

use crate::footer::Footer;
use crate::freeze::Fingerprint;

const SUFFIX: &[u8] = b".parquet";
/// Longest name that a manifest may hold, in bytes.
const MAX_NAME: usize = 900;

/// A file to be uploaded, as it was when the plan was made.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    /// The path below the source directory, with `/`.
    pub(crate) relative_path: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What the file system said of it.
    pub(crate) fingerprint: Fingerprint,
    /// What its footer says.
    pub(crate) footer: Footer,
}

/// Why a directory cannot be uploaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("source directory `{}` cannot be read", .0.display())]
    Root(PathBuf, #[source] io::Error),
    #[error("source directory `{}` cannot be read", .0.display())]
    Walk(PathBuf, #[source] walkdir::Error),
    #[error("source directory `{}` is not a directory", .0.display())]
    NotADirectory(PathBuf),
    #[error("source directory `{}` holds no `*.parquet` file", .0.display())]
    Empty(PathBuf),
    #[error("link `{}` cannot be followed", .0.display())]
    Link(PathBuf, #[source] io::Error),
    #[error("link `{}` leads out of the source directory", .0.display())]
    Outside(PathBuf),
    #[error("`{}` is neither a regular file nor a directory", .0.display())]
    Special(PathBuf),
    #[error("the name of `{}` is not UTF-8", .0.display())]
    NotUtf8(PathBuf),
    #[error("the name `{}` holds a control character", .0.escape_debug())]
    Control(String),
    #[error("the name `{0}` has more than {MAX_NAME} bytes")]
    TooLong(String),
    #[error("`{0}` would stand among the run's own objects")]
    Reserved(String),
    #[error("`{0}` and `{1}` are one name where neither case nor Unicode form counts")]
    SameName(String, String),
}

/// Finds the files below `root`: relative names and paths, in the order of the names.
pub(crate) fn find(root: &Path) -> Result<Vec<(String, PathBuf)>, SourceError> {
    let real_root = root.canonicalize();
    let real_root = real_root.map_err(|error| SourceError::Root(root.to_owned(), error))?;
    if !real_root.is_dir() {
        return Err(SourceError::NotADirectory(root.to_owned()));
    }
    let mut files = Vec::new();
    for entry in WalkDir::new(root).follow_links(true) {
        let entry = entry.map_err(|error| SourceError::Walk(root.to_owned(), error))?;
        let is_directory = entry.file_type().is_dir();
        if !is_directory && !entry.file_name().as_bytes().ends_with(SUFFIX) {
            continue;
        }
        let path = entry.path();
        if entry.path_is_symlink() {
            let target = path.canonicalize();
            let target = target.map_err(|error| SourceError::Link(path.to_owned(), error))?;
            if !target.starts_with(&real_root) {
                return Err(SourceError::Outside(path.to_owned()));
            }
        }
        if is_directory {
            continue;
        }
        if !entry.file_type().is_file() {
            return Err(SourceError::Special(path.to_owned()));
        }
        let relative = path.strip_prefix(root).unwrap_or(path);
        let Some(name) = relative.to_str() else {
            return Err(SourceError::NotUtf8(path.to_owned()));
        };
        files.push((name.to_owned(), path.to_owned()));
    }
    if files.is_empty() {
        return Err(SourceError::Empty(root.to_owned()));
    }
    files.sort();
    check_names(files.iter().map(|(name, _)| name.as_str()))?;
    Ok(files)
}

fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), SourceError> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for name in names {
        if name.chars().any(char::is_control) {
            return Err(SourceError::Control(name.to_owned()));
        }
        if name.len() > MAX_NAME {
            return Err(SourceError::TooLong(name.to_owned()));
        }
        let first = name.split('/').next().unwrap_or(name);
        if first == PROGRESS_FOLDER || first == MANIFEST_NAME {
            return Err(SourceError::Reserved(name.to_owned()));
        }
        // Unicode's canonical caseless match (standard, section 3.13), in the composed form.
        let folded = name.nfd().default_case_fold().nfc().collect();
        if let Some(other) = seen.insert(folded, name) {
            return Err(SourceError::SameName(other.to_owned(), name.to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use tempfile::TempDir;

    use super::*;

    fn with(names: &[&str]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    fn names(root: &Path) -> Result<Vec<String>, SourceError> {
        Ok(find(root)?.into_iter().map(|(name, _)| name).collect())
    }

    fn refused(folder: &TempDir) -> String {
        let text = find(folder.path()).unwrap_err().to_string();
        text.replace(folder.path().to_str().unwrap(), "ROOT")
    }

    #[test]
    fn regular_files_are_found_in_the_order_of_their_keys() {
        let folder = with(&[
            "b.parquet",
            "a/z.parquet",
            "a.parquet",
            "a/readme.txt",
            "b.PARQUET2",
        ]);
        assert_eq!(
            names(folder.path()).unwrap(),
            ["a.parquet", "a/z.parquet", "b.parquet"]
        );
        let missing = folder.path().join("missing");
        assert!(matches!(find(&missing), Err(SourceError::Root(..))));
        let file = folder.path().join("b.parquet");
        assert!(matches!(find(&file), Err(SourceError::NotADirectory(_))));
        assert!(matches!(
            find(with(&["a.txt"]).path()),
            Err(SourceError::Empty(_))
        ));
    }

    #[test]
    fn links_are_followed_inside_the_directory_only() {
        let (folder, other) = (with(&["a/x.parquet"]), with(&["y.parquet"]));
        symlink("a/x.parquet", folder.path().join("inside.parquet")).unwrap();
        symlink(
            other.path().join("y.parquet"),
            folder.path().join("no-data"),
        )
        .unwrap();
        assert_eq!(
            names(folder.path()).unwrap(),
            ["a/x.parquet", "inside.parquet"]
        );
        for target in ["y.parquet", ""] {
            let link = folder.path().join("out.parquet");
            symlink(other.path().join(target), &link).unwrap();
            assert_eq!(
                refused(&folder),
                "link `ROOT/out.parquet` leads out of the source directory"
            );
            fs::remove_file(link).unwrap();
        }
        symlink("..", folder.path().join("a/loop")).unwrap();
        assert!(matches!(find(folder.path()), Err(SourceError::Walk(..))));
    }

    #[test]
    fn what_is_no_regular_file_is_refused() {
        let folder = with(&["a.parquet"]);
        let _socket = UnixListener::bind(folder.path().join("s.parquet")).unwrap();
        assert_eq!(
            refused(&folder),
            "`ROOT/s.parquet` is neither a regular file nor a directory"
        );
    }

    #[test]
    fn names_that_are_not_safe_everywhere_are_refused() {
        for (name, why) in [
            (
                "a\nb.parquet",
                "the name `a\\nb.parquet` holds a control character",
            ),
            (
                "_progress/a.parquet",
                "`_progress/a.parquet` would stand among the run's own objects",
            ),
            (
                "manifest.json/a.parquet",
                "`manifest.json/a.parquet` would stand among the run's own objects",
            ),
        ] {
            assert_eq!(refused(&with(&[name])), why);
        }
        let long = ["x".repeat(200).as_str(); 5].join("/") + ".parquet";
        assert!(matches!(
            find(with(&[&long]).path()),
            Err(SourceError::TooLong(_))
        ));
        let folder = with(&[]);
        fs::write(folder.path().join(OsStr::from_bytes(b"\xff.parquet")), "").unwrap();
        assert!(matches!(find(folder.path()), Err(SourceError::NotUtf8(_))));
    }

    #[test]
    fn names_that_differ_in_case_or_unicode_form_only_are_refused() {
        for (a, b) in [
            ("a.parquet", "A.parquet"),
            ("stra\u{df}e.parquet", "STRASSE.parquet"),
            ("\u{e9}.parquet", "e\u{301}.parquet"),
            ("\u{e9}.parquet", "E\u{301}.parquet"),
            ("d/x.parquet", "D/x.parquet"),
        ] {
            let found = find(with(&[a, b]).path());
            assert!(matches!(found, Err(SourceError::SameName(..))), "{a} {b}");
        }
        assert!(find(with(&["D/x.parquet", "d/y.parquet"]).path()).is_ok());
    }
}
