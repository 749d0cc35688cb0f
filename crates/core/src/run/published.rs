//! Which runs there are: those that have a manifest.
//!
//! A manifest is one object. The original wrote its own through Spark, so that there it is a folder
//! `manifest.json/` of part files, of which one holds it.

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;

use super::{HEADS_AT_ONCE, Prefix, RunId, RunLocation};
use crate::manifest::MAX_MANIFEST_BYTES;
use crate::store::{Store, StoreError, StoreErrorKind};

/// Spark writes one part file for each partition; the original's manifest has one row.
const MAX_PART_FILES: usize = 1000;

/// The manifest of a run; what is in it is untrusted.
///
/// # Errors
/// The store's; [`StoreErrorKind::NotFound`] where there is no run.
pub async fn published_manifest(store: &Store, run: &RunLocation) -> Result<Bytes, StoreError> {
    let key = run.manifest_key();
    match store.get_small(&key, MAX_MANIFEST_BYTES).await {
        Err(error) if error.kind == StoreErrorKind::NotFound => {
            match part_files(store, &format!("{key}/part-")).await? {
                Some(parts) => Ok(parts),
                None => Err(error),
            }
        }
        manifest => manifest,
    }
}

/// All part files in one, if there are any.
async fn part_files(store: &Store, prefix: &str) -> Result<Option<Bytes>, StoreError> {
    let files = store.list(prefix, None).await?;
    if files.len() > MAX_PART_FILES {
        let detail = format!("{} part files are not one manifest", files.len());
        let url = store.url(prefix);
        let kind = StoreErrorKind::Refused;
        return Err(StoreError::new(kind, "ListObjectsV2", url, detail));
    }
    let mut parts = BytesMut::new();
    for (key, _) in &files {
        let left = MAX_MANIFEST_BYTES.saturating_sub(parts.len() as u64);
        parts.extend_from_slice(&store.get_small(key, left).await?);
    }
    Ok((!files.is_empty()).then(|| parts.freeze()))
}

/// All committed runs below `prefix`, in the order of their ids: of each what `read` makes of its
/// manifest, or of the error that kept it from being read. One manifest a request is in memory.
///
/// # Errors
/// A list that cannot be read.
pub async fn committed_runs<T>(
    store: &Store,
    prefix: &Prefix,
    read: impl Fn(&RunId, Result<Bytes, StoreError>) -> T,
) -> Result<Vec<(RunId, T)>, StoreError> {
    let folders = store.folders(&prefix.folder()).await?;
    let ids = folders
        .into_iter()
        .filter_map(|folder| folder.parse::<RunId>().ok());
    let mut runs: Vec<_> = futures::stream::iter(ids)
        .map(|id| async {
            let run = RunLocation::new(prefix.clone(), id.clone());
            (id, published_manifest(store, &run).await)
        })
        .buffer_unordered(HEADS_AT_ONCE)
        .filter_map(async |(id, manifest)| match manifest {
            // A folder without a manifest is a run that does not exist (yet).
            Err(error) if error.kind == StoreErrorKind::NotFound => None,
            manifest => Some((id.clone(), read(&id, manifest))),
        })
        .collect()
        .await;
    runs.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(runs)
}
