//! Finds the files to upload: every selected regular `*.parquet` file below the source directory,
//! sorted.
//!
//! Anything that would make two readers see different files, or let a file lie outside the named
//! directory, is an error that names the path; nothing is skipped silently.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use caseless::Caseless as _;
use lob_core::run::{MANIFEST_NAME, PROGRESS_FOLDER, is_hidden};
use lob_core::text::counted;
use unicode_normalization::UnicodeNormalization as _;
use walkdir::WalkDir;

use crate::footer::Footer;
use crate::freeze::{Fingerprint, FreezeError};
use crate::scratch::Scratch;
use crate::selection::Selection;

const SUFFIX: &[u8] = b".parquet";
/// File extensions, in any case, that others use for Parquet.
const OTHER_SPELLINGS: [&str; 3] = ["parquet", "parq", "pq"];
/// How many files with other spellings a warning names.
const MAX_TOLD: usize = 10;
/// Longest name allowed in a manifest, in bytes.
const MAX_NAME: usize = 900;
/// Longest S3 key, in bytes.
const MAX_KEY: usize = 1024;

/// A file to upload, as it was when the plan was made.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    /// The path below the source directory, separated by `/`.
    pub(crate) relative_path: String,
    /// The path to open.
    pub(crate) path: PathBuf,
    /// What the file system said about it.
    pub(crate) fingerprint: Fingerprint,
    /// What its footer says.
    pub(crate) footer: Footer,
}

/// Why a directory cannot be uploaded. Paths are shown without control characters, as nobody has
/// checked them yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("source directory `{}` cannot be read", .0.display())]
    Root(PathBuf, #[source] io::Error),
    #[error("source directory `{}` is not a directory", .0.display())]
    NotADirectory(PathBuf),
    #[error("source directory `{}` holds no `*.parquet` file", .0.display())]
    Empty(PathBuf),
    #[error(
        "source directory `{}` holds {seen} `*.parquet` files, and --include and --exclude select \
         none of them", .root.display()
    )]
    NoneSelected { root: PathBuf, seen: usize },
    #[error("`{}` cannot be read", escaped(.0))]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("link `{}` cannot be followed", escaped(.0))]
    Link(PathBuf, #[source] io::Error),
    #[error("link `{}` leads back to `{}`, which contains it", escaped(.0), escaped(.1))]
    Loop(PathBuf, PathBuf),
    #[error("link `{}` leads out of the source directory", escaped(.0))]
    Outside(PathBuf),
    #[error("`{}` is neither a regular file nor a directory", escaped(.0))]
    Special(PathBuf),
    #[error("the name of `{}` is not UTF-8", escaped(.0))]
    NotUtf8(PathBuf),
    #[error(
        "the name `{}` holds a control character: rename it, or leave it out with --exclude",
        .0.escape_debug()
    )]
    Control(String),
    #[error("the name `{0}` has more than {MAX_NAME} bytes")]
    TooLong(String),
    #[error("the key `{0}` would have more than S3's {MAX_KEY} bytes")]
    KeyTooLong(String),
    #[error("`{0}` would be in `{1}`, which is reserved for the tool")]
    Reserved(String, String),
    #[error(
        "`{}` and `{}` are the same name where case and Unicode form are ignored: rename one, or \
         leave it out with --exclude", told_apart(.0), told_apart(.1)
    )]
    SameName(String, String),
}

impl SourceError {
    /// Whether the only problem is that there is nothing to upload.
    pub(crate) fn is_nothing_there(&self) -> bool {
        match self {
            Self::Root(_, error) => error.kind() == io::ErrorKind::NotFound,
            Self::Empty(_) | Self::NoneSelected { .. } => true,
            _ => false,
        }
    }
}

/// Finds the selected files below `root`: relative names and paths, sorted by name. Their keys will
/// start with `run_folder`.
pub(crate) fn find(
    root: &Path,
    selection: &Selection,
    run_folder: &str,
) -> Result<Vec<(String, PathBuf)>, SourceError> {
    let Listing {
        mut files,
        seen,
        misspelled,
        hidden,
    } = list(root, selection)?;
    // They may have been meant, and nobody would miss them until the day they are needed.
    warn_of(misspelled, "not ending in `.parquet` left out");
    // Such as those that a failed Spark job leaves in `_temporary`.
    warn_of(
        hidden,
        "in folders that readers skip are uploaded too; leave them out with --exclude",
    );
    if seen == 0 {
        return Err(SourceError::Empty(root.to_owned()));
    }
    if files.is_empty() {
        let root = root.to_owned();
        return Err(SourceError::NoneSelected { root, seen });
    }
    files.sort();
    check_names(files.iter().map(|(name, _)| name.as_str()), run_folder)?;
    Ok(files)
}

/// The selected files that exist but were not `planned`, in order. An unreadable directory does not
/// keep a run from being committed: the caller only warns.
pub(crate) fn appeared<'a>(
    root: &Path,
    selection: &Selection,
    planned: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<String>, SourceError> {
    let files = list(root, selection)?.files;
    let mut names: BTreeSet<String> = files.into_iter().map(|(name, _)| name).collect();
    for name in planned {
        names.remove(name);
    }
    Ok(names.into_iter().collect())
}

/// Opens a regular file. Anything that replaced it since it was found, such as a pipe, is refused
/// rather than waited for. On Windows, the file is closed to writers while it is open.
pub(crate) fn open(path: &Path) -> Result<File, FreezeError> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt as _;
        /// FILE_SHARE_READ: others may read it too, and do nothing else.
        const SHARED_WITH_READERS: u32 = 1;
        options.share_mode(SHARED_WITH_READERS);
    }
    let file = options.open(path).map_err(FreezeError::opening)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(FreezeError::Special)
    }
}

/// What is below a directory.
#[derive(Debug, Default)]
struct Listing {
    /// The selected files: relative names and paths.
    files: Vec<(String, PathBuf)>,
    /// How many files could have been selected.
    seen: usize,
    /// Files that would be selected if their names were spelled differently.
    misspelled: Vec<PathBuf>,
    /// Selected files in folders that readers skip.
    hidden: Vec<PathBuf>,
}

fn list(root: &Path, selection: &Selection) -> Result<Listing, SourceError> {
    let real_root = root.canonicalize();
    let real_root = real_root.map_err(|error| SourceError::Root(root.to_owned(), error))?;
    if !real_root.is_dir() {
        return Err(SourceError::NotADirectory(root.to_owned()));
    }
    let mut listing = Listing::default();
    let mut entries = WalkDir::new(root).follow_links(true).into_iter();
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                check_unread(path, error, root, selection)?;
                continue;
            }
        };
        let path = entry.path();
        let relative = below(root, path);
        if entry.file_type().is_dir() {
            if entry.path_is_symlink() && selection.leaves_out(relative) {
                entries.skip_current_dir();
            } else if entry.path_is_symlink() {
                check_inside(path, &real_root)?;
            }
            continue;
        }
        if !is_parquet(relative) {
            if is_misspelled(relative) && selection.takes(relative) {
                listing.misspelled.push(relative.to_owned());
            }
            continue;
        }
        listing.seen += 1;
        if !selection.takes(relative) {
            continue;
        }
        if entry.path_is_symlink() {
            check_inside(path, &real_root)?;
        }
        if !entry.file_type().is_file() {
            return Err(SourceError::Special(path.to_owned()));
        }
        let Some(name) = slashed(relative) else {
            return Err(SourceError::NotUtf8(path.to_owned()));
        };
        if is_in_hidden(relative) {
            listing.hidden.push(relative.to_owned());
        }
        listing.files.push((name, path.to_owned()));
    }
    Ok(listing)
}

/// An unreadable path is an error only if it is, or may hold, a selected file.
fn check_unread(
    path: PathBuf,
    error: walkdir::Error,
    root: &Path,
    selection: &Selection,
) -> Result<(), SourceError> {
    let relative = below(root, &path);
    let leads_nowhere = path.is_symlink() && path.metadata().is_err();
    let is_meant = if leads_nowhere {
        is_parquet(relative) && selection.takes(relative)
    } else {
        !selection.leaves_out(relative)
    };
    if !is_meant {
        return Ok(());
    }
    let ancestor = error.loop_ancestor().map(Path::to_owned);
    Err(match error.into_io_error() {
        Some(error) if leads_nowhere => SourceError::Link(path, error),
        Some(error) => SourceError::Unreadable(path, error),
        None => SourceError::Loop(path, ancestor.unwrap_or_default()),
    })
}

fn check_inside(link: &Path, real_root: &Path) -> Result<(), SourceError> {
    let target = link.canonicalize();
    let target = target.map_err(|error| SourceError::Link(link.to_owned(), error))?;
    if target.starts_with(real_root) {
        Ok(())
    } else {
        Err(SourceError::Outside(link.to_owned()))
    }
}

fn below<'a>(root: &Path, path: &'a Path) -> &'a Path {
    path.strip_prefix(root).unwrap_or(path)
}

/// The path with `/` between its names, as in a key, whatever this system separates them by.
fn slashed(relative: &Path) -> Option<String> {
    let names = relative.iter().map(OsStr::to_str);
    Some(names.collect::<Option<Vec<_>>>()?.join("/"))
}

fn is_parquet(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(SUFFIX)
}

fn is_misspelled(path: &Path) -> bool {
    let spelling = path.extension().and_then(OsStr::to_str);
    spelling.is_some_and(|spelling| {
        let mut others = OTHER_SPELLINGS.iter();
        others.any(|other| spelling.eq_ignore_ascii_case(other))
    })
}

/// Whether the file is in a folder that readers skip.
fn is_in_hidden(relative: &Path) -> bool {
    let mut folders = relative.parent().into_iter().flatten();
    folders.any(|folder| is_hidden(&folder.to_string_lossy()))
}

/// Warns of files; `what` is what is remarkable about them.
fn warn_of(mut files: Vec<PathBuf>, what: &str) {
    if files.is_empty() {
        return;
    }
    files.sort();
    let told: Vec<_> = files
        .iter()
        .take(MAX_TOLD)
        .map(|path| format!("`{}`", escaped(path)))
        .collect();
    let (count, told) = (files.len(), told.join(", "));
    let more = match count.saturating_sub(MAX_TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    tracing::warn!("{} {what}: {told}{more}", counted(count, "file"));
}

fn escaped(path: &Path) -> impl std::fmt::Display {
    path.to_string_lossy().escape_debug().to_string()
}

/// A name with all characters escaped that may look like others.
fn told_apart(name: &str) -> String {
    let escape = |c: char| match c.is_ascii() {
        true => c.to_string(),
        false => c.escape_unicode().to_string(),
    };
    name.chars().map(escape).collect()
}

fn check_names<'a>(
    names: impl Iterator<Item = &'a str>,
    run_folder: &str,
) -> Result<(), SourceError> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for name in names {
        if name.chars().any(char::is_control) {
            return Err(SourceError::Control(name.to_owned()));
        }
        if name.len() > MAX_NAME {
            return Err(SourceError::TooLong(name.to_owned()));
        }
        if run_folder.len() + name.len() > MAX_KEY {
            return Err(SourceError::KeyTooLong(format!("{run_folder}{name}")));
        }
        let first = name.split('/').next().unwrap_or(name);
        if first == PROGRESS_FOLDER || first == MANIFEST_NAME || Scratch::is_in(name) {
            return Err(SourceError::Reserved(name.to_owned(), first.to_owned()));
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
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;

    const RUN_FOLDER: &str = "lob-data/run-1/";

    fn with(names: &[&str]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    fn excluding(pattern: &str) -> Selection {
        Selection::new(&[], &[pattern.to_owned()]).unwrap()
    }

    fn everything() -> Selection {
        Selection::new(&[], &[]).unwrap()
    }

    fn found(root: &Path, selection: &Selection) -> Result<Vec<String>, SourceError> {
        let found = find(root, selection, RUN_FOLDER)?;
        Ok(found.into_iter().map(|(name, _)| name).collect())
    }

    fn names(root: &Path) -> Result<Vec<String>, SourceError> {
        found(root, &everything())
    }

    fn refused(folder: &TempDir) -> String {
        let text = names(folder.path()).unwrap_err().to_string();
        text.replace(folder.path().to_str().unwrap(), "ROOT")
    }

    fn pipe(path: &Path) {
        // Apple's systems have no `mknodat`.
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    #[test]
    fn regular_files_are_found_in_key_order() {
        let folder = with(&[
            "b.parquet",
            "a/z.parquet",
            "a.parquet",
            "a/readme.txt",
            "b.PARQUET2",
        ]);
        let expected = ["a.parquet", "a/z.parquet", "b.parquet"];
        assert_eq!(names(folder.path()).unwrap(), expected);
        // However the directory is written, no name leads out of the run.
        assert_eq!(names(&folder.path().join("a/../.")).unwrap(), expected);
        let missing = names(&folder.path().join("missing"));
        assert!(matches!(missing, Err(SourceError::Root(..))));
        let file = names(&folder.path().join("b.parquet"));
        assert!(matches!(file, Err(SourceError::NotADirectory(_))));
        let empty = names(with(&["a.txt"]).path());
        assert!(matches!(empty, Err(SourceError::Empty(_))));
    }

    #[test]
    fn only_selected_files_are_found() {
        let folder = with(&["a.parquet", "d/b.parquet", "_progress/c.parquet", "d/d.txt"]);
        let selection = excluding("_progress/**");
        let expected = ["a.parquet", "d/b.parquet"];
        assert_eq!(found(folder.path(), &selection).unwrap(), expected);
        let nothing = found(folder.path(), &excluding("*.parquet")).unwrap_err();
        assert_eq!(
            nothing
                .to_string()
                .replace(folder.path().to_str().unwrap(), "ROOT"),
            "source directory `ROOT` holds 3 `*.parquet` files, and --include and --exclude \
             select none of them"
        );
    }

    #[test]
    fn links_are_followed_only_inside_the_directory() {
        let (folder, other) = (with(&["a/x.parquet"]), with(&["y.parquet"]));
        let link = |target: &Path, name: &str| symlink(target, folder.path().join(name)).unwrap();
        link(Path::new("a/x.parquet"), "inside.parquet");
        link(Path::new("a"), "b");
        link(&other.path().join("y.parquet"), "no-data");
        let expected = ["a/x.parquet", "b/x.parquet", "inside.parquet"];
        assert_eq!(names(folder.path()).unwrap(), expected);
        for (target, name) in [
            ("y.parquet", "out.parquet"),
            ("", "out.parquet"),
            ("", "out"),
        ] {
            link(&other.path().join(target), name);
            assert_eq!(
                refused(&folder),
                format!("link `ROOT/{name}` leads out of the source directory")
            );
            let excluded = [name, &format!("{name}/**")].map(str::to_owned);
            let selection = Selection::new(&[], &excluded).unwrap();
            assert_eq!(found(folder.path(), &selection).unwrap(), expected);
            fs::remove_file(folder.path().join(name)).unwrap();
        }
    }

    #[test]
    fn dangling_and_circular_links_are_refused_if_they_may_hide_a_selected_file() {
        let folder = with(&["a/x.parquet"]);
        let link = |target: &str, name: &str| symlink(target, folder.path().join(name)).unwrap();
        link("missing", "a/nothing");
        link("itself", "a/itself");
        assert_eq!(names(folder.path()).unwrap(), ["a/x.parquet"]);
        for name in ["a/y.parquet", "a/z.parquet"] {
            link(
                name.strip_prefix("a/y").map_or("z.parquet", |_| "missing"),
                name,
            );
            let expected = format!("link `ROOT/{name}` cannot be followed");
            assert_eq!(refused(&folder), expected);
            let without = found(folder.path(), &excluding(name)).unwrap();
            assert_eq!(without, ["a/x.parquet"]);
            fs::remove_file(folder.path().join(name)).unwrap();
        }
        link("..", "a/loop");
        assert_eq!(
            refused(&folder),
            "link `ROOT/a/loop` leads back to `ROOT`, which contains it"
        );
        let without = found(folder.path(), &excluding("a/loop/**")).unwrap();
        assert_eq!(without, ["a/x.parquet"]);
    }

    #[test]
    fn hard_links_are_files_of_their_own() {
        let folder = with(&["a.parquet"]);
        let second = folder.path().join("b.parquet");
        fs::hard_link(folder.path().join("a.parquet"), second).unwrap();
        assert_eq!(names(folder.path()).unwrap(), ["a.parquet", "b.parquet"]);
    }

    #[test]
    fn anything_but_a_regular_file_is_refused() {
        let socket = with(&["a.parquet"]);
        let _socket = UnixListener::bind(socket.path().join("s.parquet")).unwrap();
        let fifo = with(&["a.parquet"]);
        pipe(&fifo.path().join("s.parquet"));
        for folder in [socket, fifo] {
            assert_eq!(
                refused(&folder),
                "`ROOT/s.parquet` is neither a regular file nor a directory"
            );
            let without = found(folder.path(), &excluding("s*")).unwrap();
            assert_eq!(without, ["a.parquet"]);
        }
        // Creating a device needs privileges; opening one does not.
        let device = open(Path::new("/dev/null")).unwrap_err();
        assert_eq!(device.to_string(), "it is no longer a regular file");
    }

    #[test]
    fn a_pipe_that_replaced_a_file_does_not_block() {
        let folder = with(&["a.parquet"]);
        let path = folder.path().join("a.parquet");
        assert!(open(&path).is_ok());
        fs::remove_file(&path).unwrap();
        assert!(matches!(open(&path), Err(FreezeError::Gone(_))));
        pipe(&path);
        let refused = open(&path).unwrap_err();
        assert_eq!(refused.to_string(), "it is no longer a regular file");
    }

    #[test]
    fn an_unreadable_directory_is_named_unless_it_is_excluded() {
        let (folder, other) = (with(&["a.parquet"]), with(&[]));
        // Nobody can read a path longer than 4,096 bytes, whatever their permissions.
        let deep = vec!["x".repeat(200); 15].join("/");
        for root in [&folder, &other] {
            fs::create_dir_all(root.path().join(&deep)).unwrap();
        }
        let below = folder.path().join(&deep).join("below");
        fs::rename(other.path().join("x".repeat(200)), below).unwrap();
        let refused = names(folder.path());
        assert!(matches!(refused, Err(SourceError::Unreadable(..))));
        let without = found(folder.path(), &excluding("x*/**")).unwrap();
        assert_eq!(without, ["a.parquet"]);
    }

    #[test]
    fn names_that_are_unsafe_anywhere_are_refused() {
        assert_eq!(
            refused(&with(&["a\nb.parquet"])),
            "the name `a\\nb.parquet` holds a control character: rename it, or leave it out with \
             --exclude"
        );
        for first in ["_progress", "manifest.json", ".lob-restore"] {
            let name = format!("{first}/a.parquet");
            assert_eq!(
                refused(&with(&[&name])),
                format!("`{name}` would be in `{first}`, which is reserved for the tool")
            );
        }
        let folder = with(&[]);
        let name = OsStr::from_bytes(b"\x1b\xff.parquet");
        fs::write(folder.path().join(name), "").unwrap();
        assert_eq!(
            refused(&folder),
            "the name of `ROOT/\\u{1b}\u{fffd}.parquet` is not UTF-8"
        );
    }

    #[test]
    fn a_name_or_a_key_that_is_too_long_is_refused() {
        let name = |size: usize| {
            let folders = ["x".repeat(200).as_str(); 4].join("/");
            let rest = "y".repeat(size - folders.len() - 9);
            format!("{folders}/{rest}.parquet")
        };
        let folder = with(&[&name(900)]);
        assert_eq!(names(folder.path()).unwrap(), [name(900)]);
        let find_below = |run_folder: &str| find(folder.path(), &everything(), run_folder);
        assert!(find_below(&"p".repeat(124)).is_ok());
        let key = "p".repeat(125);
        assert_eq!(
            find_below(&key).unwrap_err().to_string(),
            format!(
                "the key `{key}{}` would have more than S3's 1024 bytes",
                name(900)
            )
        );
        let too_long = names(with(&[&name(901)]).path());
        assert!(matches!(too_long, Err(SourceError::TooLong(_))));
    }

    #[test]
    fn names_that_differ_only_in_case_or_unicode_form_are_refused() {
        for (a, b) in [
            ("a.parquet", "A.parquet"),
            ("stra\u{df}e.parquet", "STRASSE.parquet"),
            ("\u{e9}.parquet", "e\u{301}.parquet"),
            ("\u{e9}.parquet", "E\u{301}.parquet"),
            ("d/x.parquet", "D/x.parquet"),
        ] {
            let found = names(with(&[a, b]).path());
            assert!(matches!(found, Err(SourceError::SameName(..))), "{a} {b}");
        }
        assert!(names(with(&["D/x.parquet", "d/y.parquet"]).path()).is_ok());
    }

    #[test]
    fn selected_files_that_appear_after_the_plan_are_reported() {
        let folder = with(&[
            "b.parquet",
            "a.parquet",
            "d/new.parquet",
            "left-out.parquet",
        ]);
        let planned = ["a.parquet", "gone.parquet"];
        let appeared = appeared(folder.path(), &excluding("left-out*"), planned).unwrap();
        assert_eq!(appeared, ["b.parquet", "d/new.parquet"]);
        let missing = super::appeared(&folder.path().join("missing"), &everything(), planned);
        assert!(matches!(missing, Err(SourceError::Root(..))));
    }
}
