//! Finds out how far each split is before anything is fetched: in its place, in staging with some
//! of its data files, or not there at all.

use lob_core::checksum::Documents;
use lob_core::failure::Failure;
use lob_mongo::{Blueprint, Collection, Entries, ExistingTarget, FinishedFiles, Opened, Staging};

use crate::settings::ImportSettings;
use crate::splits::{DataFile, Split};
use crate::targets::{Existing, PlannedSplit};

/// A split, its target, and what has been imported of it.
#[derive(Debug)]
pub(crate) struct OpenSplit<'a> {
    pub(crate) split: &'a Split,
    pub(crate) target: String,
    pub(crate) blueprint: Blueprint,
    pub(crate) staging: Staging,
    /// Whether staging is already at the target, put there by an earlier process or another one.
    pub(crate) is_in_place: bool,
    /// The data files still to be fetched.
    pub(crate) left: Vec<&'a DataFile>,
    /// What staging holds of the other data files.
    pub(crate) staged: Documents,
}

impl OpenSplit<'_> {
    /// Removes the entries of its staging collection, which prove nothing any more.
    pub(crate) async fn forget(&self, entries: &Entries) {
        if let Err(error) = entries.forget(self.staging.uuid().as_slice()).await {
            tracing::warn!(%error, "entries in the database are left over");
        }
    }
}

/// Opens the staging collection of every split.
pub(crate) async fn open<'a>(
    entries: &Entries,
    settings: &ImportSettings,
    planned: Vec<PlannedSplit<'a>>,
) -> Result<Vec<OpenSplit<'a>>, Failure> {
    let mut opened = Vec::new();
    for planned in planned {
        let PlannedSplit {
            split,
            import,
            blueprint,
            existing,
        } = planned;
        if let Existing::Other {
            collection,
            documents,
        } = existing
        {
            tell_of_target(&collection, documents, settings);
        }
        let mut staged = Documents::default();
        let found = Staging::open(entries, &import, &blueprint, &settings.write).await?;
        let (staging, is_in_place, left) = match found {
            Opened::InPlace(staging) => {
                warn_if_changed(split, &import.target, &staging, settings).await?;
                (staging, true, Vec::new())
            }
            Opened::Staging(staging, finished) => {
                (staging, false, left(split, &finished, &mut staged))
            }
        };
        opened.push(OpenSplit {
            split,
            target: import.target,
            blueprint,
            staging,
            is_in_place,
            left,
            staged,
        });
    }
    tell(&opened);
    Ok(opened)
}

/// Logs what happens to an existing target.
fn tell_of_target(existing: &Collection, documents: u64, settings: &ImportSettings) {
    let namespace = existing.namespace();
    if settings.existing_target() == ExistingTarget::Keep {
        tracing::info!(%namespace, documents, "the collection exists: it will be renamed");
    } else {
        tracing::warn!(
            %namespace,
            documents,
            "the collection exists: it and its indexes will be replaced"
        );
    }
}

/// Warns if the target no longer has as many documents as were put there: it is not put there again.
async fn warn_if_changed(
    split: &Split,
    target: &str,
    staging: &Staging,
    settings: &ImportSettings,
) -> Result<(), Failure> {
    let (expected, tolerance) = (split.num_documents, split.tolerance(settings));
    let is_expected = |found: u64| found.abs_diff(expected) <= tolerance;
    if is_expected(staging.estimated_count().await?) {
        return Ok(());
    }
    let found = staging.count().await?;
    if !is_expected(found) {
        tracing::warn!(
            "an earlier import of this run put `{target}` in its place; it has {found} documents now, \
             the run has {expected}: to import it again, rename or drop it first"
        );
    }
    Ok(())
}

/// Returns the data files without an entry, and sums up those with one. An entry that is unreadable
/// or contradicts the manifest is ignored.
fn left<'a>(
    split: &'a Split,
    finished: &FinishedFiles,
    staged: &mut Documents,
) -> Vec<&'a DataFile> {
    let mut left = Vec::new();
    for file in &split.files {
        let is_true = |there: &&Documents| {
            let exported = file.exported();
            exported.is_none_or(|exported| exported.documents == **there)
        };
        match finished.get(file.key()).filter(is_true) {
            Some(there) => staged.merge(*there),
            None => left.push(file),
        }
    }
    left
}

/// Logs what is not done again.
fn tell(opened: &[OpenSplit<'_>]) {
    for split in opened {
        let (target, files) = (&split.target, split.split.files.len());
        let there = files - split.left.len();
        if split.is_in_place {
            tracing::info!("`{target}` was already swapped in by another import of this run");
        } else if there > 0 {
            tracing::info!(
                "`{target}` is resumed: {there} of {files} data files are already loaded"
            );
        }
    }
}
