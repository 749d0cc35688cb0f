//! How far each split is before anything is fetched: in its place, in staging with some of its data
//! files, or not there at all.

use std::collections::BTreeMap;

use lob_core::failure::Failure;
use lob_core::hash::Sha256;
use lob_core::manifest::{ExportedFile, ExportedSplit};
use lob_mongo::{Entries, Error, ExistingTarget, FinishedFile, Opened, SplitImport, Staging};
use uuid::Uuid;

use crate::settings::ImportSettings;

/// Hexadecimal digits of the manifest's hash in the name of a staging collection.
const STAGING_DIGITS: usize = 8;

/// A split, its target, and what is there of it.
#[derive(Debug)]
pub(crate) struct OpenSplit<'a> {
    pub(crate) split: &'a ExportedSplit,
    pub(crate) target: String,
    pub(crate) state: State<'a>,
}

/// How far a split is.
#[derive(Debug)]
pub(crate) enum State<'a> {
    /// In staging, without these data files.
    Staged(Staging, Vec<&'a ExportedFile>),
    /// An earlier process, or another one, has put it into its place.
    InPlace(Option<Uuid>),
}

impl<'a> OpenSplit<'a> {
    /// The data files that are still to be fetched.
    pub(crate) fn left(&self) -> &[&'a ExportedFile] {
        match &self.state {
            State::Staged(_, left) => left,
            State::InPlace(_) => &[],
        }
    }

    /// The UUID of staging, which it keeps in its place.
    pub(crate) fn uuid(&self) -> Option<Uuid> {
        match &self.state {
            State::Staged(staging, _) => staging.uuid(),
            State::InPlace(uuid) => *uuid,
        }
    }
}

/// Looks at every target and opens the staging of every split. Before any is created, a target
/// that exists is refused where it must stay.
pub(crate) async fn open<'a>(
    entries: &Entries,
    settings: &ImportSettings,
    manifest_hash: &Sha256,
    splits: &[&'a ExportedSplit],
) -> anyhow::Result<Vec<OpenSplit<'a>>> {
    let imports: Vec<_> = splits
        .iter()
        .map(|split| {
            let target = settings.collection_pattern.name(split.split_id);
            split_import(target, manifest_hash)
        })
        .collect();
    for import in &imports {
        look_at_target(entries, settings, import).await?;
    }
    let mut opened = Vec::new();
    for (split, import) in splits.iter().zip(imports) {
        let state = match Staging::open(entries, &import, &settings.write).await {
            Ok(Opened::InPlace(target)) => State::InPlace(target.uuid()),
            Ok(Opened::Staging(staging, finished)) => State::Staged(staging, left(split, finished)),
            Err(error) => return Err(Failure::from(error).into()),
        };
        opened.push(OpenSplit {
            split,
            target: import.target,
            state,
        });
    }
    tell(&opened);
    Ok(opened)
}

/// The staging collection has the name of the manifest's hash: it is of this import alone.
fn split_import(target: String, manifest_hash: &Sha256) -> SplitImport {
    let manifest = manifest_hash.to_string();
    let digits: String = manifest.chars().take(STAGING_DIGITS).collect();
    SplitImport {
        staging: format!("{target}__lob_{digits}"),
        manifest,
        target,
    }
}

/// A target that exists is refused, or will be replaced or kept; a view cannot be. The swap looks
/// once more.
async fn look_at_target(
    entries: &Entries,
    settings: &ImportSettings,
    import: &SplitImport,
) -> anyhow::Result<()> {
    let existing = entries.to_be_replaced(import).await;
    let Some(existing) = existing.map_err(Failure::from)? else {
        return Ok(());
    };
    let namespace = existing.namespace();
    match settings.existing_target() {
        ExistingTarget::Keep => {
            tracing::info!(%namespace, "the collection exists: it will be renamed");
        }
        ExistingTarget::Replace => {
            tracing::warn!(%namespace, "the collection exists: it and its indexes will be replaced");
        }
        ExistingTarget::Refuse => {
            return Err(Failure::from(Error::TargetExists { namespace }).into());
        }
    }
    Ok(())
}

/// The data files without an entry. One that says something else than the manifest says nothing.
fn left(split: &ExportedSplit, finished: Vec<FinishedFile>) -> Vec<&ExportedFile> {
    let finished: BTreeMap<String, FinishedFile> = finished
        .into_iter()
        .map(|file| (file.key.clone(), file))
        .collect();
    let is_left = |file: &&ExportedFile| {
        let entry = finished.get(&file.file.key);
        entry.is_none_or(|entry| entry.documents != file.rows || entry.digest != file.digest)
    };
    split.files.iter().filter(is_left).collect()
}

/// Says aloud what is not done again.
fn tell(opened: &[OpenSplit<'_>]) {
    for split in opened {
        let (target, files) = (&split.target, split.split.files.len());
        let there = files - split.left().len();
        match split.state {
            State::InPlace(_) => {
                tracing::info!("`{target}` is in its place, by an import that did not end");
            }
            State::Staged(..) if there > 0 => {
                tracing::info!("`{target}` is taken up: {there} of {files} data files are there");
            }
            State::Staged(..) => {}
        }
    }
}
