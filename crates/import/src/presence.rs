//! Are the data files there, before the first document is inserted?
//!
//! One that is gone would be missed when its turn comes, which may be after hours. HEAD tells the
//! size of an object and nothing of its bytes: those are proved when they are fetched.

use futures::{StreamExt as _, TryStreamExt as _};
use lob_core::run::RunLocation;
use lob_core::store::{Store, StoreError};

use crate::open::OpenSplit;
use crate::splits::DataFile;

/// Objects that are asked for at once.
const OBJECTS_AT_ONCE: usize = 16;

/// A data file that is not there as the manifest says.
#[derive(Debug)]
pub(crate) struct Missing {
    /// The position of its split.
    pub(crate) position: usize,
    /// What is wrong with it, for a person.
    pub(crate) message: String,
}

/// Asks for every data file that is still to be fetched. Those of a legacy run were listed a moment
/// ago.
///
/// # Errors
/// The store's.
pub(crate) async fn missing(
    store: &Store,
    run: &RunLocation,
    opened: &[OpenSplit<'_>],
) -> Result<Vec<Missing>, StoreError> {
    let left = opened.iter().enumerate().flat_map(|(position, split)| {
        let recorded = split.left.iter().filter(|file| file.recorded.is_some());
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
    let key = run.key(&file.key);
    Ok(match store.head(&key).await? {
        None => Some(file.is_gone(&store.url(&key))),
        Some(object) if object.size == file.size_bytes => None,
        Some(object) => Some(file.has_size(&store.url(&key), object.size)),
    })
}
