//! Checks that the data files exist before the first document is inserted.
//!
//! Otherwise a missing one would only be noticed when its turn comes, perhaps after hours. HEAD
//! tells the size of an object but nothing about its bytes: those are proved when they are fetched.

use futures::{StreamExt as _, TryStreamExt as _};
use lob_core::failure::Failure;
use lob_core::run::RunLocation;
use lob_core::settings::RunId;
use lob_core::store::{Store, StoreError};

use crate::splits::DataFile;

/// How many objects to look up at once.
const OBJECTS_AT_ONCE: usize = 16;

/// A data file that is missing or differs from the manifest.
#[derive(Debug)]
pub(crate) struct Missing {
    /// The position of its split.
    pub(crate) position: usize,
    /// What is wrong with it, as text.
    pub(crate) message: String,
}

/// Looks up data files, each given with the position of its split. Those of a legacy run have only
/// just been listed.
///
/// # Errors
/// A store error.
pub(crate) async fn missing<'a>(
    store: &Store,
    run: &RunLocation,
    files: impl Iterator<Item = (usize, &'a DataFile)>,
) -> Result<Vec<Missing>, StoreError> {
    let recorded = files.filter(|(_, file)| file.exported().is_some());
    let looked = futures::stream::iter(recorded)
        .map(|(position, file)| async move {
            let message = difference(store, run, file).await?;
            Ok(message.map(|message| Missing { position, message }))
        })
        .buffered(OBJECTS_AT_ONCE);
    looked
        .try_filter_map(|missing| std::future::ready(Ok(missing)))
        .try_collect()
        .await
}

/// The failure of a run whose data files are `missing`.
pub(crate) fn differs(run: &RunId, missing: &[Missing]) -> Failure {
    let messages = missing.iter().map(|file| file.message.clone()).collect();
    let message = format!("run `{run}` does not match its manifest:");
    Failure::integrity(message).with_details(messages)
}

async fn difference(
    store: &Store,
    run: &RunLocation,
    file: &DataFile,
) -> Result<Option<String>, StoreError> {
    let key = run.key(file.key());
    Ok(match store.head(&key).await? {
        None => Some(file.is_gone(&store.url(&key))),
        Some(object) if object.size == file.size_bytes() => None,
        Some(object) => Some(file.has_size(&store.url(&key), object.size)),
    })
}
