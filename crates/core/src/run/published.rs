//! Finds the runs that exist: those that have a manifest.
//!
//! A manifest is a single object, read as a stream. The legacy scripts wrote theirs through Spark,
//! so theirs is a folder `manifest.json/` of part files, one of which contains the manifest.

use std::io::Read;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;

use super::{MANIFEST_NAME, RunLocation};
use crate::manifest::MAX_MANIFEST_BYTES;
use crate::settings::{Prefix, RunId};
use crate::store::{Store, StoreError, StoreErrorKind};

/// Spark writes one part file per partition; the legacy manifest has one row.
const MAX_PART_FILES: usize = 1000;
/// Size limit of a manifest in part files.
const MAX_PARTS_BYTES: u64 = 64 << 20;
/// Keys that a server lists in one answer.
const ONE_PAGE: i32 = 1000;
/// How many manifests to read at once.
const MANIFESTS_AT_ONCE: usize = 2;

/// Passes the manifest of a run to `read`, on a thread of its own; its contents are untrusted.
///
/// # Errors
/// Any error of the store; [`StoreErrorKind::NotFound`] if there is no such run.
pub async fn read_manifest<T: Send + 'static>(
    store: &Store,
    run: &RunLocation,
    read: impl FnOnce(&mut dyn Read) -> T + Clone + Send + 'static,
) -> Result<T, StoreError> {
    let key = run.manifest_key();
    match store.stream(&key, MAX_MANIFEST_BYTES, read.clone()).await {
        Err(error) if error.kind == StoreErrorKind::NotFound => {
            match part_files(store, &parts_prefix(run)).await? {
                Some(parts) => Ok(read(&mut &*parts)),
                None => Err(error),
            }
        }
        manifest => manifest,
    }
}

/// Whether the run has a manifest, in either form, as far as the server tells: an upload does not
/// need the permission to list.
pub(super) async fn is_committed(store: &Store, run: &RunLocation) -> Result<bool, StoreError> {
    let (manifest, parts) = (run.manifest_key(), parts_prefix(run));
    let is_of_one = |key: &String| *key == manifest || key.starts_with(&parts);
    match store.list(&run.key("manifest"), Some(ONE_PAGE)).await {
        Ok(there) => Ok(there.iter().any(|(key, _)| is_of_one(key))),
        Err(error) if error.kind.passes_by_itself() => Err(error),
        Err(_) => Ok(false),
    }
}

/// What the keys of all part files of a manifest begin with.
fn parts_prefix(run: &RunLocation) -> String {
    run.key(&format!("{MANIFEST_NAME}/part-"))
}

/// All part files concatenated, if there are any.
async fn part_files(store: &Store, prefix: &str) -> Result<Option<Bytes>, StoreError> {
    let files = store.list(prefix, None).await?;
    if files.len() > MAX_PART_FILES {
        let detail = format!("a manifest cannot have {} part files", files.len());
        let url = store.url(prefix);
        let kind = StoreErrorKind::Refused;
        return Err(StoreError::new(kind, "ListObjectsV2", url, detail));
    }
    let mut parts = BytesMut::new();
    for (key, _) in &files {
        let left = MAX_PARTS_BYTES.saturating_sub(parts.len() as u64);
        parts.extend_from_slice(&store.get_small(key, left).await?);
    }
    Ok((!files.is_empty()).then(|| parts.freeze()))
}

/// All committed runs below `prefix`, in order of their ids, each with what `read` makes of its
/// manifest, or the error that kept it from being read.
///
/// # Errors
/// The list cannot be read.
pub async fn committed_runs<T: Send + 'static>(
    store: &Store,
    prefix: &Prefix,
    read: impl FnOnce(&mut dyn Read) -> T + Clone + Send + 'static,
) -> Result<Vec<(RunId, Result<T, StoreError>)>, StoreError> {
    let mut runs = run_folders(store, prefix, read).await?;
    runs.retain(|(_, manifest)| !manifest.as_ref().is_err_and(is_missing));
    Ok(runs)
}

/// Whether there is no manifest: the run does not exist, or not yet.
pub(super) fn is_missing(error: &StoreError) -> bool {
    error.kind == StoreErrorKind::NotFound
}

/// The same for all folders below `prefix` that could be runs, whether or not they are committed.
///
/// # Errors
/// The list cannot be read.
pub(super) async fn run_folders<T: Send + 'static>(
    store: &Store,
    prefix: &Prefix,
    read: impl FnOnce(&mut dyn Read) -> T + Clone + Send + 'static,
) -> Result<Vec<(RunId, Result<T, StoreError>)>, StoreError> {
    let folders = store.folders(&prefix.folder()).await?;
    let ids = folders
        .into_iter()
        .filter_map(|folder| folder.parse::<RunId>().ok());
    let mut runs: Vec<_> = futures::stream::iter(ids)
        .map(|id| async {
            let run = RunLocation::new(prefix.clone(), id.clone());
            (id, read_manifest(store, &run, read.clone()).await)
        })
        .buffer_unordered(MANIFESTS_AT_ONCE)
        .collect()
        .await;
    runs.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(runs)
}
