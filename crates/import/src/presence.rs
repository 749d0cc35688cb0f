//! Checks that the data files exist before the first document is inserted.
//!
//! Otherwise a missing one would only be noticed when its turn comes, perhaps after hours. HEAD
//! tells the size of an object but nothing about its bytes: those are proved when they are fetched.

use futures::{StreamExt as _, TryStreamExt as _};
use lob_core::run::RunLocation;
use lob_core::store::{Store, StoreError};

use crate::open::OpenSplit;
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

/// Looks up every data file still to be fetched. Those of a legacy run have only just been listed.
///
/// # Errors
/// A store error.
pub(crate) async fn missing(
    store: &Store,
    run: &RunLocation,
    opened: &[OpenSplit<'_>],
) -> Result<Vec<Missing>, StoreError> {
    let left = opened.iter().enumerate().flat_map(|(position, split)| {
        let recorded = split.left.iter().filter(|file| file.exported().is_some());
        recorded.map(move |file| (position, *file))
    });
    let looked = futures::stream::iter(left)
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
