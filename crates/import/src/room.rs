//! Checks that there is room for what an import will write before the first document is inserted.
//!
//! A disk that fills up after hours stops the server for everyone. What the documents will take is
//! only an estimate, based on the documents they replace or else on the data files, so this warns
//! and never refuses.

use std::future::ready;
use std::path::Path;

use bytesize::ByteSize;
use futures::{StreamExt as _, TryStreamExt as _};
use lob_core::failure::Failure;
use lob_mongo::Database;

use crate::open::OpenSplit;
use crate::settings::ImportSettings;

/// Bytes that MongoDB takes per byte of a data file holding numbers that all differ: 1.7 was
/// measured. Other data takes more, up to 13 times as much.
const STORED_FOR_A_BYTE: u64 = 2;
/// How many targets to look up at once.
const TARGETS_AT_ONCE: usize = 16;
/// The most bytes of data files that are in the spool folder at once: each decoder has one, and one
/// more is fetched meanwhile.
pub(crate) fn spooled(settings: &ImportSettings, opened: &[OpenSplit<'_>]) -> u64 {
    let left = opened.iter().flat_map(|split| &split.left);
    let mut sizes: Vec<u64> = left.map(|file| file.size_bytes()).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.iter().take(settings.decoders() + 1).sum()
}

/// Warns if MongoDB's disk or the folder for data files has less room than the splits will take.
///
/// # Errors
/// A server does not answer.
pub(crate) async fn look(
    database: &Database,
    settings: &ImportSettings,
    opened: &[OpenSplit<'_>],
) -> Result<(), Failure> {
    let spooled = spooled(settings, opened);
    if spooled == 0 {
        return Ok(());
    }
    look_at_spool(&settings.spool_dir, spooled);
    let Some(free) = database.free_disk().await? else {
        return Ok(());
    };
    let splits = futures::stream::iter(opened).map(|split| staged(database, split));
    let staged = splits
        .buffer_unordered(TARGETS_AT_ONCE)
        .try_fold(0_u64, |sum, staged| ready(Ok(sum.saturating_add(staged))));
    let staged = staged.await?;
    if free.as_u64() < staged {
        tracing::warn!(
            "MongoDB has {} of free disk, but the import needs about {} until its splits are \
             swapped in: free space, or import some splits at a time with --split",
            ByteSize(free.as_u64()),
            ByteSize(staged)
        );
    }
    Ok(())
}

/// Estimates what the documents still to be inserted will take: as much as those of the target, or
/// a multiple of their data files if that is unknown.
async fn staged(database: &Database, split: &OpenSplit<'_>) -> lob_mongo::Result<u64> {
    let left: u64 = split.left.iter().map(|file| file.size_bytes()).sum();
    let existing = match left {
        0 => return Ok(0),
        _ => database.collection(&split.target).await?,
    };
    if let Some(existing) = existing
        && let Ok(size) = existing.size().await
        && let Some(stored) = size.stored
        && size.documents > 0
    {
        let documents = split.split.num_documents.saturating_sub(split.staged.count);
        let stored = u128::from(stored.as_u64()) * u128::from(documents);
        let stored = stored / u128::from(size.documents);
        return Ok(u64::try_from(stored).unwrap_or(u64::MAX));
    }
    Ok(left.saturating_mul(STORED_FOR_A_BYTE))
}

/// Checks the folder that data files of `spooled` bytes are fetched to. A folder that cannot be
/// checked is reported when it is written to.
#[cfg(unix)]
fn look_at_spool(folder: &Path, spooled: u64) {
    let Ok(found) = rustix::fs::statvfs(folder) else {
        return;
    };
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    let (folder_name, free) = (folder.display(), bytes(found.f_bavail));
    let spooled_size = ByteSize(spooled);
    if free < spooled {
        let free = ByteSize(free);
        tracing::warn!(
            "`{folder_name}` has {free} of free space, but data files take up to {spooled_size} \
             there: set --spool-dir to another folder"
        );
    }
    // Someone who names such a folder wants it.
    if is_in_memory(folder) && folder == crate::settings::defaults().spool_dir {
        let size = ByteSize(bytes(found.f_blocks));
        tracing::warn!(
            "`{folder_name}` is in memory, a tmpfs of {size}, of which data files take up to \
             {spooled_size}: set --spool-dir to a folder on a disk"
        );
    }
}

/// Windows says how full a folder's disk is only when the folder is written to.
#[cfg(windows)]
fn look_at_spool(_: &Path, _: u64) {}

/// Whether files in this folder occupy memory.
#[cfg(target_os = "linux")]
fn is_in_memory(folder: &Path) -> bool {
    const TMPFS: i64 = 0x0102_1994;
    rustix::fs::statfs(folder).is_ok_and(|found| found.f_type == TMPFS)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn is_in_memory(_: &Path) -> bool {
    false
}
