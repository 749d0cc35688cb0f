//! `lob-upload restore RUN DIR`: brings the files of a run back to disk.
//!
//! A file gets its name only once every byte of it has been written and hashed, and never replaces
//! another: anything in the folder with different content is refused before anything is written,
//! and files that are already there are verified by their hash instead of being fetched again.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use futures::{StreamExt as _, TryStreamExt as _};
use lob_core::checksum::{Sha256, Sha256Hasher};
use lob_core::cli::{Context, Outcome};
use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::DataFile;
use lob_core::progress::{Progress, Work};
use lob_core::settings::RunId;
use lob_core::text::MIB;

use crate::committed::{CommittedRun, failed_line, find};
use crate::open::blocking;
use crate::scratch::Scratch;
use crate::settings::Settings;
use crate::source;

/// How many files to fetch concurrently.
const FILES_AT_ONCE: usize = 4;
/// How many bytes of a file on disk to hash at a time.
const CHUNK: usize = 1 << 20;

/// Restores all files of the run to `directory`.
///
/// # Errors
/// A run that does not exist; a folder that holds other content under a file's name or cannot be
/// written; objects that are not what the manifest says (exit status 3).
pub(crate) async fn restore(
    id: RunId,
    directory: PathBuf,
    settings: &Settings,
    context: &Context,
) -> anyhow::Result<Outcome> {
    let committed = find(id, settings, context).await?;
    let scratch = Scratch::claim(&directory)?;
    let (files, bytes) = (committed.manifest.files.len(), committed.bytes());
    context.progress.begin(Work {
        bytes: Some(bytes),
        items: Some(files as u64),
        unit: "files",
        ..Work::default()
    });
    context.step(format!("checking what is in `{}`", directory.display()));
    let missing = {
        let (directory, progress) = (directory.clone(), context.progress.clone());
        let files: Vec<_> = committed.files().cloned().collect();
        blocking(context, move || missing(&directory, files, &*progress)).await?
    };
    context.step(format!("fetching {} files", missing.len()));
    let fetching = futures::stream::iter(&missing)
        .map(|file| fetch(&committed, file, &directory, &scratch, context))
        .buffer_unordered(FILES_AT_ONCE)
        .try_collect::<Vec<_>>();
    let fetched = context.interrupt.or(fetching).await?;
    context.progress.end();
    committed.refuse(fetched.into_iter().flatten().collect())?;
    Ok(outcome(&committed, &directory, missing.len(), context))
}

/// The files that are not in `directory` yet. Blocks.
///
/// # Errors
/// Names that are taken by something else.
fn missing(
    directory: &Path,
    files: Vec<DataFile>,
    progress: &dyn Progress,
) -> anyhow::Result<Vec<DataFile>> {
    let (mut missing, mut others) = (Vec::new(), Vec::new());
    let real = directory.canonicalize();
    let real = real.map_err(|error| unusable(directory, error))?;
    for file in files {
        let path = directory.join(&file.key);
        if Scratch::is_in(&file.key) {
            let message = format!("`{}` is where a restore keeps unfinished files", file.key);
            return Err(Failure::integrity(message).into());
        }
        if !is_path_here(&file.key) {
            let message = format!("`{}` cannot be the name of a file on this system", file.key);
            return Err(Failure::new(ExitStatus::Failed, message).into());
        }
        let found = look(&path, &file, &real).map_err(|error| unusable(&path, error))?;
        match found {
            Found::Nothing => missing.push(file),
            Found::File => progress.skip(file.contents.size_bytes, 1),
            Found::Other => others.push(path),
        }
    }
    if others.is_empty() {
        return Ok(missing);
    }
    let others: Vec<_> = others
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let message = "nothing is restored, because other content is in the way:";
    Err(Failure::new(ExitStatus::Failed, message)
        .with_details(others)
        .with_hint("restore the run into another folder")
        .into())
}

/// Whether this system reads a name from a manifest as the same folders and file. Windows also
/// separates folders by `\`, and has drives and streams after a `:`.
fn is_path_here(name: &str) -> bool {
    let is_plain = |part| matches!(part, Component::Normal(_));
    let mut parts = Path::new(name).components();
    let has_stream = cfg!(windows) && name.contains(':');
    !has_stream
        && name.split('/').all(|_| parts.next().is_some_and(is_plain))
        && parts.next().is_none()
}

/// What is at the path of a file to restore.
enum Found {
    /// Nothing, and the file can be written there.
    Nothing,
    /// The file itself.
    File,
    /// Something else, there or in place of a parent folder.
    Other,
}

/// A link to the file is as good as the file; a dangling link, or one that would take the write
/// outside the folder `real`, counts as something else.
fn look(path: &Path, file: &DataFile, real: &Path) -> io::Result<Found> {
    match fs::symlink_metadata(path) {
        Err(error) if is_absence(&error) && has_place(path, real) => return Ok(Found::Nothing),
        Err(error) if is_absence(&error) => return Ok(Found::Other),
        there => there?,
    };
    match fs::metadata(path) {
        Err(error) if is_absence(&error) => return Ok(Found::Other),
        Err(error) => return Err(error),
        Ok(there) if !there.is_file() || there.len() != file.contents.size_bytes => {
            return Ok(Found::Other);
        }
        Ok(_) => {}
    }
    if hash(path)? == file.contents.sha256 {
        Ok(Found::File)
    } else {
        Ok(Found::Other)
    }
}

fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

/// Whether the nearest existing ancestor of `path` is a folder inside `real`.
fn has_place(path: &Path, real: &Path) -> bool {
    let mut above = path.ancestors().skip(1);
    let nearest = above.find(|above| above.symlink_metadata().is_ok());
    let nearest = nearest.and_then(|above| above.canonicalize().ok());
    nearest.is_some_and(|above| above.is_dir() && above.starts_with(real))
}

fn hash(path: &Path) -> io::Result<Sha256> {
    let mut file = source::open(path).map_err(io::Error::other)?;
    let (mut hasher, mut chunk) = (Sha256Hasher::default(), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&chunk[..count]),
        }
    }
}

/// Downloads a file and, once it is verified, gives it its name. If the object is not what the
/// manifest says, returns the difference.
async fn fetch(
    committed: &CommittedRun,
    file: &DataFile,
    directory: &Path,
    scratch: &Scratch,
    context: &Context,
) -> anyhow::Result<Option<String>> {
    let path = directory.join(&file.key);
    let unusable = |error| unusable(&path, error);
    let downloading = committed.download(file, &*context.progress, || scratch.file());
    let unfinished = match downloading.await {
        Ok(Ok(unfinished)) => unfinished,
        Ok(Err(difference)) => return Ok(Some(difference)),
        Err(error) => {
            return Err(match error.downcast() {
                Ok(error) => unusable(error).into(),
                Err(error) => {
                    let restore = format!("the restore into `{}`", directory.display());
                    Failure::incomplete(error, restore, "the same command resumes it").into()
                }
            });
        }
    };
    let named = || {
        unfinished.as_file().sync_all()?;
        fs::create_dir_all(path.parent().unwrap_or(directory))?;
        match unfinished.persist_noclobber(&path) {
            // Already restored under another of its names, if the folder has links.
            Err(error)
                if error.error.kind() == io::ErrorKind::AlreadyExists
                    && hash(&path)? == file.contents.sha256 =>
            {
                Ok(())
            }
            persisted => persisted.map(drop).map_err(io::Error::from),
        }
    };
    tokio::task::block_in_place(named).map_err(unusable)?;
    context.progress.advance(0, 1);
    Ok(None)
}

fn unusable(path: &Path, error: io::Error) -> Failure {
    let message = format!("`{}` cannot be restored", path.display());
    Failure::new(ExitStatus::Failed, message)
        .with_hint(
            "make the folder readable and writable, free space or raise `ulimit -n`, then run the \
             same command",
        )
        .caused_by(error)
}

fn outcome(
    committed: &CommittedRun,
    directory: &Path,
    fetched: usize,
    context: &Context,
) -> Outcome {
    let (id, files, bytes) = (
        committed.run.location.id(),
        committed.manifest.files.len(),
        committed.bytes(),
    );
    let there = files - fetched;
    let mebibytes = bytes as f64 / MIB;
    let mut lines = vec![
        format!("run       {id}"),
        format!("folder    {}", directory.display()),
        format!("files     {files}, of which {there} were already there"),
        format!("verified  {mebibytes:.2} MiB, every byte was hashed"),
    ];
    lines.extend(failed_line(&committed.manifest));
    let json = serde_json::json!({
        "run_id": id,
        "directory": directory,
        "failed": committed.manifest.num_failed,
        "files": files,
        "fetched_files": fetched,
        "kept_files": there,
        "bytes": bytes,
        "verified": true,
        "metrics": context.metrics.snapshot(),
    });
    Outcome::new(lines, json)
}
