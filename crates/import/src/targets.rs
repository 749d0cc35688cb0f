//! Finds what exists under the targets' names and whether it may be replaced, before anything is
//! written.

use lob_core::checksum::Sha256;
use lob_core::cli::Context;
use lob_core::failure::Failure;
use lob_core::run::Shrunk;
use lob_mongo::{
    Blueprint, Collection, Definition, Entries, Error, ExistingTarget, MAX_NAMESPACE_BYTES,
    SplitImport, Target, previous_name,
};

use crate::runs::ChosenRun;
use crate::settings::{ImportSettings, LegacyIds};
use crate::splits::Split;

/// How many hex digits of the manifest's hash go into the name of a staging collection.
const STAGING_DIGITS: usize = 8;

/// A split and where it goes.
#[derive(Debug)]
pub(crate) struct PlannedSplit<'a> {
    pub(crate) split: &'a Split,
    pub(crate) import: SplitImport,
    pub(crate) blueprint: Blueprint,
    pub(crate) existing: Existing,
}

/// What exists under the target's name.
#[derive(Debug)]
pub(crate) enum Existing {
    /// No collection.
    Nothing,
    /// The split itself, put there by another import of this run that did not finish or is still
    /// running.
    ThisSplit,
    /// A collection with this many documents, which will be replaced or renamed.
    Other {
        collection: Collection,
        documents: u64,
    },
}

/// Looks at the target of each of these splits of `run`. An existing target is refused if it must
/// stay, is sharded, or would lose too many documents.
///
/// # Errors
/// A target that is refused, a server error, or an interrupt.
pub(crate) async fn look<'a>(
    entries: &Entries,
    settings: &ImportSettings,
    run: &ChosenRun,
    splits: &[&'a Split],
    context: &Context,
) -> anyhow::Result<Vec<PlannedSplit<'a>>> {
    context.step(format!("checking {} targets", splits.len()));
    let looking = look_at_all(entries, settings, run, splits);
    context.interrupt.or(looking).await
}

async fn look_at_all<'a>(
    entries: &Entries,
    settings: &ImportSettings,
    run: &ChosenRun,
    splits: &[&'a Split],
) -> anyhow::Result<Vec<PlannedSplit<'a>>> {
    let (mut planned, mut shrunk) = (Vec::new(), Shrunk::beyond(settings.max_shrink));
    for &split in splits {
        let target = settings.collection_pattern.name(split.split_id);
        let import = split_import(target, &run.manifest_hash, split, settings);
        check_names(settings, &import)?;
        let blueprint = blueprint(split, settings).map_err(Failure::from)?;
        let existing = match look_at_target(entries, settings, &import).await? {
            Target::Missing => Existing::Nothing,
            Target::InPlace => Existing::ThisSplit,
            Target::Other(collection) => Existing::Other {
                documents: compare(&mut shrunk, &collection, split.num_documents).await?,
                collection,
            },
        };
        planned.push(PlannedSplit {
            split,
            import,
            blueprint,
            existing,
        });
    }
    shrunk.refuse("nothing is imported", run.location.id())?;
    Ok(planned)
}

/// What to build the collection from.
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
        tracing::warn!("split {id} had options that are not restored: {options}");
    }
    Ok(blueprint)
}

/// Names the staging collection by the manifest's hash, so it belongs to this import only. Staging
/// filled with another kind of ids is not resumed, or it would hold both kinds.
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

/// Refuses a target whose name leaves no room for the name of staging or of the kept collection.
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
                "the import of `{}` needs the name `{longest}`, but MongoDB allows only \
                 {MAX_NAMESPACE_BYTES} bytes",
                import.target
            );
            Err(Failure::usage(message)
                .about(&["database", "collection_pattern"])
                .with_hint("choose a shorter --database or --collection-pattern"))
        }
        _ => Ok(()),
    }
}

/// What exists under the target's name, unless it must stay or is sharded. The swap checks again.
async fn look_at_target(
    entries: &Entries,
    settings: &ImportSettings,
    import: &SplitImport,
) -> Result<Target, Failure> {
    let target = match entries.target(import).await {
        Err(error @ (Error::View { .. } | Error::TimeSeries { .. })) => {
            let hint = "drop it, or choose another --database or --collection-pattern";
            return Err(Failure::from(error).with_hint(hint));
        }
        target => target?,
    };
    let Target::Other(existing) = &target else {
        return Ok(target);
    };
    let namespace = existing.namespace();
    if settings.existing_target() == ExistingTarget::Refuse {
        Err(Error::TargetExists { namespace }.into())
    } else if existing.is_sharded().await? {
        Err(Error::Sharded { namespace }.into())
    } else {
        Ok(target)
    }
}

/// Compares a target with the documents that are to replace it, and returns how many it has. The
/// server's estimate may be wrong, so a refusal is confirmed by an exact count.
async fn compare(shrunk: &mut Shrunk, existing: &Collection, now: u64) -> Result<u64, Failure> {
    let mut before = existing.estimated_count().await?;
    if shrunk.is_too_much(before, now) {
        before = existing.exact_count().await?;
    }
    shrunk.compare(&existing.namespace(), before, "and has", now);
    Ok(before)
}
