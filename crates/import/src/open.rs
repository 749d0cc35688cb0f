//! How far each split is before anything is fetched: in its place, in staging with some of its data
//! files, or not there at all.

use std::collections::BTreeMap;

use lob_core::failure::Failure;
use lob_core::hash::Sha256;
use lob_core::run::RunId;
use lob_core::shrink::Shrunk;
use lob_mongo::{
    Blueprint, Collection, Definition, Entries, Error, ExistingTarget, FinishedFile,
    MAX_NAMESPACE_BYTES, Opened, SplitImport, Staging, previous_name,
};

use crate::decode::Documents;
use crate::settings::{ImportSettings, LegacyIds};
use crate::splits::{DataFile, Split};

/// Hexadecimal digits of the manifest's hash in the name of a staging collection.
const STAGING_DIGITS: usize = 8;

/// A split, its target, and what is there of it.
#[derive(Debug)]
pub(crate) struct OpenSplit<'a> {
    pub(crate) split: &'a Split,
    pub(crate) target: String,
    pub(crate) blueprint: Blueprint,
    pub(crate) staging: Staging,
    /// Whether staging is at the target, put there by an earlier process or by another one.
    pub(crate) is_in_place: bool,
    /// The data files that are still to be fetched.
    pub(crate) left: Vec<&'a DataFile>,
    /// What staging holds of the others.
    pub(crate) staged: Documents,
}

/// Looks at every target and opens the staging of every split. Before any is created, a target
/// that exists is refused where it must stay, or would lose too many of its documents.
pub(crate) async fn open<'a>(
    entries: &Entries,
    settings: &ImportSettings,
    run: &RunId,
    manifest_hash: &Sha256,
    splits: &[&'a Split],
) -> anyhow::Result<Vec<OpenSplit<'a>>> {
    let (mut planned, mut shrunk) = (Vec::new(), Shrunk::beyond(settings.max_shrink));
    for &split in splits {
        let target = settings.collection_pattern.name(split.split_id);
        let import = split_import(target, manifest_hash, split, settings);
        check_names(settings, &import)?;
        let blueprint = blueprint(split, settings).map_err(Failure::from)?;
        let existing = look_at_target(entries, settings, &import).await?;
        if let Some(existing) = &existing {
            compare(&mut shrunk, existing, split.num_documents).await?;
        }
        planned.push((split, import, blueprint, existing));
    }
    shrunk.refuse("nothing is imported", run)?;
    let mut opened = Vec::new();
    for (split, import, blueprint, existing) in planned {
        if let Some(existing) = existing {
            tell_of_target(&existing, settings);
        }
        let found = Staging::open(entries, &import, &blueprint, &settings.write).await;
        let mut staged = Documents::default();
        let (staging, is_in_place, left) = match found.map_err(Failure::from)? {
            Opened::InPlace(staging) => (staging, true, Vec::new()),
            Opened::Staging(staging, finished) => {
                (staging, false, left(split, finished, &mut staged))
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

/// What the collection is built from.
fn blueprint(split: &Split, settings: &ImportSettings) -> Result<Blueprint, Error> {
    let indexes = if settings.no_indexes {
        Vec::new()
    } else {
        split.definition.indexes.clone()
    };
    let mut blueprint = Blueprint::read(&Definition {
        indexes,
        options: split.definition.options.clone(),
    })?;
    if settings.no_ttl {
        blueprint.leave_out_expiring();
    }
    if !blueprint.left_out().is_empty() {
        let options = blueprint.left_out().join(", ");
        let id = split.split_id;
        tracing::warn!("split {id} had options that are not set: {options}");
    }
    Ok(blueprint)
}

/// The staging collection has the name of the manifest's hash: it is of this import alone. What it
/// was filled with under another kind of ids is not taken up, or it would hold both.
fn split_import(
    target: String,
    manifest_hash: &Sha256,
    split: &Split,
    settings: &ImportSettings,
) -> SplitImport {
    let mut manifest = manifest_hash.to_string();
    let digits: String = manifest.chars().take(STAGING_DIGITS).collect();
    if split.digest.is_none() && settings.legacy_ids == LegacyIds::String {
        manifest.push_str(" with ids as text");
    }
    SplitImport {
        staging: format!("{target}__lob_{digits}"),
        manifest,
        target,
    }
}

/// Refuses a target beside which staging, or the collection that is kept, could not have its name.
fn check_names(settings: &ImportSettings, import: &SplitImport) -> Result<(), Failure> {
    let mut names = vec![import.staging.clone()];
    if settings.keep_previous {
        names.push(previous_name(&import.target, "00000000"));
    }
    let namespaces = names
        .iter()
        .map(|name| format!("{}.{name}", settings.database));
    match namespaces.max_by_key(String::len) {
        Some(longest) if longest.len() > MAX_NAMESPACE_BYTES => {
            let message = format!(
                "the import of `{}` needs the name `{longest}`, and MongoDB takes \
                 {MAX_NAMESPACE_BYTES} bytes",
                import.target
            );
            Err(Failure::usage(message)
                .with_hint("choose a shorter --database or --collection-pattern"))
        }
        _ => Ok(()),
    }
}

/// The target, if there is one, unless it must stay or is sharded. The swap looks once more.
async fn look_at_target(
    entries: &Entries,
    settings: &ImportSettings,
    import: &SplitImport,
) -> Result<Option<Collection>, Failure> {
    let existing = match entries.to_be_replaced(import).await {
        Err(error @ (Error::View { .. } | Error::TimeSeries { .. })) => {
            let hint = "drop it, or choose another --database or --collection-pattern";
            return Err(Failure::from(error).with_hint(hint));
        }
        existing => existing?,
    };
    match existing {
        Some(existing) if settings.existing_target() == ExistingTarget::Refuse => {
            let namespace = existing.namespace();
            Err(Error::TargetExists { namespace }.into())
        }
        Some(existing) if existing.is_sharded().await? => {
            let namespace = existing.namespace();
            Err(Error::Sharded { namespace }.into())
        }
        existing => Ok(existing),
    }
}

/// Says what becomes of a target that exists.
fn tell_of_target(existing: &Collection, settings: &ImportSettings) {
    let namespace = existing.namespace();
    if settings.existing_target() == ExistingTarget::Keep {
        tracing::info!(%namespace, "the collection exists: it will be renamed");
    } else {
        tracing::warn!(%namespace, "the collection exists: it and its indexes will be replaced");
    }
}

/// Compares a target with the documents that are to take its place. The server's own books may be
/// wrong: what they refuse is counted.
async fn compare(shrunk: &mut Shrunk, existing: &Collection, now: u64) -> Result<(), Failure> {
    let mut before = existing.estimated_count().await?;
    if shrunk.is_too_much(before, now) {
        before = existing.exact_count().await?;
    }
    shrunk.compare(&existing.namespace(), before, "and has", now);
    Ok(())
}

/// The data files without an entry; adds up those with one. An entry that says something else than
/// the manifest, or that cannot be read, says nothing.
fn left<'a>(
    split: &'a Split,
    finished: Vec<FinishedFile>,
    staged: &mut Documents,
) -> Vec<&'a DataFile> {
    let read = |file: FinishedFile| {
        let (count, digest) = (file.documents, file.digest.parse().ok()?);
        Some((file.key, Documents { count, digest }))
    };
    let finished: BTreeMap<_, _> = finished.into_iter().filter_map(read).collect();
    let mut left = Vec::new();
    for file in &split.files {
        match finished.get(&file.key) {
            Some(there)
                if file
                    .recorded
                    .is_none_or(|recorded| recorded.documents == *there) =>
            {
                staged.add(*there);
            }
            _ => left.push(file),
        }
    }
    left
}

/// Says aloud what is not done again.
fn tell(opened: &[OpenSplit<'_>]) {
    for split in opened {
        let (target, files) = (&split.target, split.split.files.len());
        let there = files - split.left.len();
        if split.is_in_place {
            tracing::info!("`{target}` is in its place, by an import that did not end");
        } else if there > 0 {
            tracing::info!("`{target}` is taken up: {there} of {files} data files are there");
        }
    }
}
