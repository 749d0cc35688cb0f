//! The way of the data: choose the run -> fetch -> decode -> insert -> check -> swap.

use anyhow::Context as _;
use lob_core::cli::Context;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::hash::Sha256;
use lob_core::manifest::ExportedSplit;
use lob_core::progress::Work;
use lob_core::run::RunId;
use lob_core::split_selection::SplitSelection;
use lob_core::store::{Sending, Store};
use lob_mongo::{BatchLimits, Database, ExistingTarget, Server, Staging};

use crate::load::Loader;
use crate::runs::{ChosenRun, choose};
use crate::settings::ImportSettings;

/// Hexadecimal digits of the manifest's hash in the name of a staging collection.
const STAGING_DIGITS: usize = 8;

/// A finished import.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) run_id: RunId,
    pub(crate) database: String,
    pub(crate) splits: Vec<ImportedSplit>,
}

/// A split that is in its place.
#[derive(Debug)]
pub(crate) struct ImportedSplit {
    pub(crate) split_id: u32,
    pub(crate) target: String,
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
    pub(crate) digest: String,
}

/// Imports the run that `settings` name, or the latest.
pub(crate) async fn import(
    settings: &ImportSettings,
    latest: bool,
    context: &Context,
) -> anyhow::Result<Imported> {
    let limits = BatchLimits::new(&settings.write).map_err(Failure::from)?;
    let folder = settings.s3.runs_folder()?;

    // Choose the run.
    let chosen = async {
        let store = Store::connect(&settings.s3, Sending::default(), &context.metrics).await?;
        let run = choose(&store, folder, settings.run_id.as_ref(), latest).await?;
        let server = Server::connect(&settings.mongo)
            .await
            .map_err(Failure::from)?;
        anyhow::Ok((store, run, server.database(&settings.database)))
    };
    let (store, run, database) = context.interrupt.or(chosen).await?;
    let splits = select(&run, &settings.split)?;
    let looked = look_at_targets(&database, settings, &splits);
    context.interrupt.or(looked).await?;
    tracing::info!(run = %run.location.id(), splits = splits.len(), "importing");
    let files = || splits.iter().flat_map(|split| &split.files);
    context.progress.begin(Work {
        bytes: Some(files().map(|file| file.file.size_bytes).sum()),
        items: Some(splits.iter().map(|split| split.num_documents).sum()),
        unit: "documents",
    });

    // Fetch, decode, insert, check.
    let loader = Loader {
        store: &store,
        run: &run.location,
        settings,
        limits,
        context,
    };
    let mut staged: Vec<Staged<'_>> = Vec::new();
    let loaded = stage_all(&loader, &database, &run, &splits, &mut staged).await;
    // The last moment at which an interrupt leaves every target as it was.
    let loaded = loaded.and_then(|()| Ok(context.interrupt.check()?));
    if let Err(error) = loaded {
        drop_staging(&staged, &error).await;
        return Err(error);
    }

    // Swap.
    let existing = if settings.no_replace {
        ExistingTarget::Refuse
    } else {
        ExistingTarget::Replace
    };
    let mut imported = Vec::new();
    for (position, split) in staged.iter().enumerate() {
        let swapped = split.staging.swap_into(&split.target, existing).await;
        if let Err(error) = swapped.map_err(|error| anyhow::Error::from(Failure::from(error))) {
            drop_staging(&staged[position..], &error).await;
            let done = position > 0;
            return Err(error.context(format!(
                "failed to put `{}` in place{}",
                split.target,
                if done {
                    format!(", {position} splits before it are in theirs")
                } else {
                    String::new()
                },
            )));
        }
        imported.push(ImportedSplit {
            split_id: split.split.split_id,
            target: split.target.clone(),
            documents: split.split.num_documents,
            bytes: split
                .split
                .files
                .iter()
                .map(|file| file.file.size_bytes)
                .sum(),
            digest: split.split.digest.clone(),
        });
    }
    let run_id = run.location.id().clone();
    Ok(Imported {
        run_id,
        database: settings.database.clone(),
        splits: imported,
    })
}

/// A split in its staging collection.
struct Staged<'a> {
    split: &'a ExportedSplit,
    target: String,
    staging: Staging,
}

/// The splits of the manifest that are asked for.
fn select<'a>(
    run: &'a ChosenRun,
    selection: &SplitSelection,
) -> anyhow::Result<Vec<&'a ExportedSplit>> {
    let all = &run.manifest.splits;
    let Some(wanted) = selection.numbers() else {
        return Ok(all.iter().collect());
    };
    if let Some(missing) = wanted
        .iter()
        .find(|id| all.iter().all(|s| s.split_id != **id))
    {
        let existing: Vec<_> = all.iter().map(|split| split.split_id.to_string()).collect();
        let message = format!("run `{}` has no split {missing}", run.location.id());
        return Err(Failure::new(ExitStatus::Failed, message)
            .with_hint(format!("it has the splits {}", existing.join(", ")))
            .into());
    }
    Ok(all
        .iter()
        .filter(|split| wanted.contains(&split.split_id))
        .collect())
}

/// Before anything is fetched: a target that exists is refused, or will be replaced; a view cannot
/// be. The swap refuses once more.
async fn look_at_targets(
    database: &Database,
    settings: &ImportSettings,
    splits: &[&ExportedSplit],
) -> anyhow::Result<()> {
    for split in splits {
        let target = settings.collection_pattern.name(split.split_id);
        let existing = database.collection(&target).await;
        let Some(existing) = existing.map_err(Failure::from)? else {
            continue;
        };
        let namespace = existing.namespace();
        if settings.no_replace {
            return Err(Failure::from(lob_mongo::Error::TargetExists { namespace }).into());
        }
        tracing::warn!(%namespace, "the collection exists: it and its indexes will be replaced");
    }
    Ok(())
}

async fn stage_all<'a>(
    loader: &Loader<'_>,
    database: &Database,
    run: &ChosenRun,
    splits: &[&'a ExportedSplit],
    staged: &mut Vec<Staged<'a>>,
) -> anyhow::Result<()> {
    let settings = loader.settings;
    for &split in splits {
        let target = settings.collection_pattern.name(split.split_id);
        let name = staging_name(&target, &run.manifest_hash);
        let staging = Staging::create(database, &name, &settings.write).await;
        let staging = staging.map_err(Failure::from)?;
        staged.push(Staged {
            split,
            target: target.clone(),
            staging: staging.clone(),
        });
        let load = async {
            let loaded = loader.load(split, &staging).await;
            loaded.with_context(|| {
                format!("failed to import split {} for `{target}`", split.split_id)
            })
        };
        loader.context.interrupt.or(load).await?;
    }
    Ok(())
}

/// The name of the collection that takes the place of `target` after an import of this manifest.
fn staging_name(target: &str, manifest_hash: &Sha256) -> String {
    let digits: String = manifest_hash
        .to_string()
        .chars()
        .take(STAGING_DIGITS)
        .collect();
    format!("{target}__lob_{digits}")
}

/// Nothing of a failed import stays, unless nobody knows what the server did.
async fn drop_staging(staged: &[Staged<'_>], error: &anyhow::Error) {
    if ExitStatus::of(error) == ExitStatus::Unknown {
        return;
    }
    for split in staged {
        let name = split.staging.name();
        if let Err(error) = split.staging.drop().await {
            tracing::warn!(collection = name, %error, "a staging collection is left over");
        }
    }
}
