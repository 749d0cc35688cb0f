//! The import pipeline: choose the run -> look -> fetch -> decode -> insert -> check -> index ->
//! swap.

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::{StreamExt as _, stream};
use lob_core::checksum::Digest;
use lob_core::cli::{Context, NOTICE};
use lob_core::failure::{ExitStatus, Failure, worst};
use lob_core::progress::{Measure, Work};
use lob_core::run::begun;
use lob_core::settings::RunId;
use lob_core::settings::SplitSelection;
use lob_core::text::counted;
use lob_mongo::{BatchLimits, Entries, Expiring};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::budget::Budget;
use crate::check::check;
use crate::choose::{Chosen, choose};
use crate::fetch::{Fetcher, Spool, check_folder};
use crate::load::Loader;
use crate::open::{OpenSplit, open};
use crate::presence::{Missing, differs, missing};
use crate::room;
use crate::settings::ImportSettings;
use crate::targets;

/// Warn about documents that expire within this time.
const WATCHED: Duration = Duration::from_secs(60 * 60);

/// A finished import.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) run_id: RunId,
    pub(crate) manifest_url: String,
    pub(crate) database: String,
    pub(crate) splits: Vec<ImportedSplit>,
}

/// A split that is in its place.
#[derive(Debug)]
pub(crate) struct ImportedSplit {
    pub(crate) split_id: u32,
    pub(crate) target: String,
    pub(crate) documents: u64,
    pub(crate) files: usize,
    /// The size of all its data files.
    pub(crate) bytes: u64,
    /// The size of those that this process fetched.
    pub(crate) fetched_bytes: u64,
    /// `None` if an earlier process put a legacy split in its place.
    pub(crate) digest: Option<Digest>,
    /// The new name of the previous collection, if it was kept.
    pub(crate) previous: Option<String>,
    /// How many of all data files an earlier process had loaded.
    pub(crate) kept_files: usize,
    /// Whether an earlier process had already put it in its place.
    pub(crate) was_in_place: bool,
}

/// Imports the run that `settings` name, or the latest.
pub(crate) async fn import(
    settings: &ImportSettings,
    latest: bool,
    context: &Context,
) -> anyhow::Result<Imported> {
    let limits = BatchLimits::new(&settings.write).map_err(Failure::from)?;
    settings.check_database()?;
    check_folder(&settings.spool_dir)?;
    settings.check_memory();

    let Chosen {
        store,
        run,
        database,
    } = choose(settings, settings.run_id.as_ref(), latest, context).await?;
    let splits = run.select(&settings.split)?;
    let entries = Entries::new(&database, &settings.write);
    let planned = targets::look(&entries, settings, &run, &splits, context).await?;
    context.step(format!("opening staging for {} splits", splits.len()));
    let opening = async {
        let opened = open(&entries, settings, planned).await?;
        room::look(&database, settings, &opened).await?;
        anyhow::Ok(opened)
    };
    let opened = context.interrupt.or(opening).await;
    let opened = opened.map_err(|error| begun(error, run.location.id()))?;

    let loader = Loader {
        entries: &entries,
        settings,
        limits,
        fetcher: Fetcher {
            store: store.clone(),
            run: run.location.clone(),
            spool: Spool {
                folder: settings.spool_dir.clone(),
                room: Budget::of(room::spooled(settings, &opened)),
            },
            progress: Arc::clone(&context.progress),
        },
        decoders: Semaphore::new(settings.decoders()),
        inserts: settings.inserts(),
        memory: settings.memory_of_inserts(),
        context,
        stop: context.interrupt.child(),
    };
    let imported = match stage_and_swap(&loader, opened).await {
        Ok(splits) => splits,
        Err(error) => return Err(with_way_on(error, run.location.id())),
    };
    Ok(Imported {
        run_id: run.location.id().clone(),
        manifest_url: store.url(&run.location.manifest_key()),
        database: database.name().to_owned(),
        splits: imported,
    })
}

async fn stage_and_swap(
    loader: &Loader<'_>,
    mut opened: Vec<OpenSplit<'_>>,
) -> anyhow::Result<Vec<ImportedSplit>> {
    let interrupt = &loader.context.interrupt;
    let (run, splits) = (loader.fetcher.run.id(), opened.len());
    tracing::info!(
        target: NOTICE, %run, splits,
        "the import begins; should it stop, the same command with `--run-id {run}` resumes it"
    );
    let left = || opened.iter().flat_map(|split| &split.left);
    let documents: Option<u64> = left()
        .map(|file| Some(file.exported()?.documents.count))
        .sum();
    loader.context.progress.begin(Work {
        bytes: Some(left().map(|file| file.size_bytes()).sum()),
        items: documents,
        unit: "documents",
        is_estimate: false,
        // A legacy run does not say how many documents a data file has.
        measure: documents.map_or(Measure::Bytes, |_| Measure::Items),
    });

    loader.context.step("checking every data file in S3");
    let files = opened.iter().enumerate().flat_map(|(position, split)| {
        let left = split.left.iter();
        left.map(move |file| (position, *file))
    });
    let looking = missing(&loader.fetcher.store, &loader.fetcher.run, files);
    let missing = interrupt.or(looking).await?;
    if !missing.is_empty() {
        return Err(refuse(loader, &opened, &missing).await);
    }
    // Fetch, decode, insert, check, build indexes.
    stage_all(loader, &mut opened).await?;
    loader.context.progress.end();
    // The last point at which an interrupt leaves every target as it was.
    interrupt.check()?;
    loader.context.step("swapping the splits in");

    // Swap.
    let mut imported = Vec::new();
    for split in &opened {
        let done = imported.len();
        let swapped = swap(split, loader).await;
        imported.push(swapped.with_context(|| {
            let before = match done {
                0 => String::new(),
                _ => format!(", after {} before it", counted(done, "split")),
            };
            format!("failed to swap in `{}`{before}", split.target)
        })?);
    }
    for split in &opened {
        let building = build_expiring(split, loader.context);
        let built = interrupt.or(building).await;
        built.with_context(|| format!("`{}` was swapped in, but is not complete", split.target))?;
    }
    let forgotten = loader.entries.forget(&uuids(&opened)).await;
    forgotten.map_err(Failure::from).context(
        "every split was swapped in, but the database still lists the import as unfinished",
    )?;
    Ok(imported)
}

/// Stages all splits, as many at once as files are decoded. The first failure stops the others, and
/// a split that does not match its manifest is given up.
async fn stage_all(loader: &Loader<'_>, opened: &mut [OpenSplit<'_>]) -> anyhow::Result<()> {
    let all: BTreeSet<_> = opened.iter().map(|split| split.split.split_id).collect();
    let mut staging = stream::iter(opened)
        .take_while(|_| ready(!loader.stop.is_raised()))
        .map(async |split| (stage(loader, split).await, split))
        .buffer_unordered(loader.settings.decoders());
    let (mut failures, mut damaged, mut interrupted) = (Vec::new(), Vec::new(), Ok(()));
    while let Some((result, split)) = staging.next().await {
        let Err(error) = result else { continue };
        loader.stop.stop();
        match ExitStatus::of(&error) {
            status if status.is_interrupt() => {
                interrupted = Err(error);
                continue;
            }
            ExitStatus::Integrity => damaged.push(split),
            _ => {}
        }
        failures.push(error);
    }
    let failed = worst(failures);
    for split in &damaged {
        give_up(loader.entries, split).await;
    }
    let damaged: Vec<_> = damaged.iter().map(|split| split.split.split_id).collect();
    match failed {
        Err(error) if ExitStatus::of(&error) == ExitStatus::Integrity => {
            let others = all.into_iter().filter(|id| !damaged.contains(id));
            Err(with_others(
                error,
                loader.fetcher.run.id(),
                others.collect(),
            ))
        }
        Err(error) => Err(error),
        Ok(()) => interrupted,
    }
}

/// Fills the staging of a split, proves it and builds its indexes, unless the split is in its place
/// or another process puts it there meanwhile.
async fn stage(loader: &Loader<'_>, opened: &mut OpenSplit<'_>) -> anyhow::Result<()> {
    if opened.is_in_place {
        return Ok(());
    }
    let staging = async {
        let mut documents = opened.staged;
        let (target, context) = (&opened.target, loader.context);
        context.step(format!("loading `{target}`"));
        documents.merge(loader.load(&opened.staging, &opened.left).await?);
        context.step(format!("checking what was loaded for `{target}`"));
        check(opened.split, documents, &opened.staging, loader.settings).await?;
        build_indexes(opened, context).await?;
        tell_of_expiring(opened).await?;
        anyhow::Ok(documents)
    };
    let error = match loader.stop.or(staging).await {
        Ok(documents) => {
            opened.staged = documents;
            return Ok(());
        }
        Err(error) => error,
    };
    if !ExitStatus::of(&error).is_interrupt()
        && let Ok(true) = opened.staging.is_at(&opened.target).await
    {
        tracing::info!("`{}` was swapped in by another process", opened.target);
        opened.is_in_place = true;
        return Ok(());
    }
    let (id, target) = (opened.split.split_id, &opened.target);
    Err(error.context(format!("failed to import split {id} for `{target}`")))
}

async fn build_indexes(opened: &OpenSplit<'_>, context: &Context) -> anyhow::Result<()> {
    let count = opened.blueprint.indexes();
    if count > 0 {
        context.step(format!("building {count} indexes for `{}`", opened.target));
    }
    let built = opened.staging.build_indexes(&opened.blueprint).await;
    Ok(built.map_err(Failure::from)?)
}

/// Warns, while the target still exists, about documents that would soon expire from its
/// replacement.
async fn tell_of_expiring(opened: &OpenSplit<'_>) -> anyhow::Result<()> {
    let (staging, blueprint) = (&opened.staging, &opened.blueprint);
    let expiring = staging.expiring_within(blueprint, WATCHED).await;
    let Expiring { documents, is_most } = expiring.map_err(Failure::from)?;
    if documents > 0 {
        let up_to = if is_most { "up to " } else { "" };
        tracing::warn!(
            "MongoDB will delete {up_to}{} of `{}` within the hour because of a TTL index: \
             --no-ttl skips such indexes",
            counted(documents, "document"),
            opened.target
        );
    }
    Ok(())
}

async fn build_expiring(opened: &OpenSplit<'_>, context: &Context) -> anyhow::Result<()> {
    let (target, blueprint) = (&opened.target, &opened.blueprint);
    let count = blueprint.expiring();
    if count > 0 {
        context.step(format!("building {count} TTL indexes of `{target}`"));
    }
    let built = opened.staging.build_expiring_at(target, blueprint).await;
    Ok(built.map_err(Failure::from)?)
}

async fn swap(opened: &OpenSplit<'_>, loader: &Loader<'_>) -> anyhow::Result<ImportedSplit> {
    let (split, existing) = (opened.split, loader.settings.existing_target());
    let previous = if opened.is_in_place {
        None
    } else {
        let swapped = opened.staging.swap_into(&opened.target, existing).await;
        if let Err(lob_mongo::Error::SwapLost { .. }) = swapped {
            // Another import has replaced it since: nothing is left to be resumed.
            opened.forget(loader.entries).await;
        }
        swapped.map_err(Failure::from)?
    };
    Ok(ImportedSplit {
        split_id: split.split_id,
        target: opened.target.clone(),
        documents: if opened.is_in_place {
            split.num_documents
        } else {
            opened.staged.count
        },
        files: split.files.len(),
        bytes: split.size_bytes(),
        fetched_bytes: match opened.is_in_place {
            true => 0,
            false => opened.left.iter().map(|file| file.size_bytes()).sum(),
        },
        digest: if opened.is_in_place {
            split.digest
        } else {
            Some(opened.staged.digest)
        },
        previous,
        kept_files: split.files.len() - opened.left.len(),
        was_in_place: opened.is_in_place,
    })
}

/// Discards the splits whose data files are missing.
async fn refuse(
    loader: &Loader<'_>,
    opened: &[OpenSplit<'_>],
    missing: &[Missing],
) -> anyhow::Error {
    let positions: BTreeSet<_> = missing.iter().map(|file| file.position).collect();
    for position in &positions {
        give_up(loader.entries, &opened[*position]).await;
    }
    let run = loader.fetcher.run.id();
    let failure = differs(run, missing);
    let others = opened.iter().enumerate();
    let others = others.filter(|(position, _)| !positions.contains(position));
    let others = others.map(|(_, split)| split.split.split_id).collect();
    with_others(failure.into(), run, others)
}

/// Discards everything staged for a split that is not what it should be, since it would be resumed
/// otherwise. The other splits keep what they have.
async fn give_up(entries: &Entries, split: &OpenSplit<'_>) {
    // In this order: staging without entries is dropped by any process that finds it.
    split.forget(entries).await;
    if let Err(error) = split.staging.drop().await {
        let name = split.staging.name();
        tracing::warn!(collection = name, %error, "a staging collection is left over");
    }
}

/// The UUIDs that identify the entries.
fn uuids(opened: &[OpenSplit<'_>]) -> Vec<Uuid> {
    let uuids = opened.iter().filter_map(|split| split.staging.uuid());
    uuids.collect()
}

/// Says how to continue, unless nothing was kept.
fn with_way_on(error: anyhow::Error, run: &RunId) -> anyhow::Error {
    match ExitStatus::of(&error) {
        ExitStatus::Integrity => error,
        _ => {
            let way_on = format!("the same command with `--run-id {run}` resumes it");
            incomplete(error, run, way_on)
        }
    }
}

/// Says how to continue with the other splits, if there are any.
fn with_others(error: anyhow::Error, run: &RunId, others: BTreeSet<u32>) -> anyhow::Error {
    if others.is_empty() {
        return error;
    }
    let others = SplitSelection::Some(others);
    let way_on =
        format!("the same command with `--run-id {run} --split {others}` imports the other splits");
    incomplete(error, run, way_on)
}

fn incomplete(error: anyhow::Error, run: &RunId, way_on: impl Into<String>) -> anyhow::Error {
    Failure::incomplete(error, format!("the import of run `{run}`"), way_on).into()
}
