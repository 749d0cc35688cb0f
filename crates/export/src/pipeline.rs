//! The export pipeline: plan -> scan -> encode -> write -> commit.
//!
//! One process does all of it, or several share it: one plans, any number work, one commits.

use lob_columns::{MalformedBson, WriteError};
use lob_core::cli::{Context, NOTICE, Outcome};
use lob_core::failure::{FAILS_AGAIN, Failure};
use lob_core::settings::Resolved;
use lob_core::transfer::PartBudget;

use crate::commit::commit;
use crate::confirm::{Exported, confirm};
use crate::misfits::TooManyMisfits;
use crate::open::{self, Opened, Unfinished};
use crate::range::{Export, NotResumable, scan_failure};
use crate::settings::ExportSettings;
use crate::shrink::TooFewDocuments;
use crate::summary;
use crate::tally::Tally;
use crate::work::{self, collections};
use crate::worker::Worker;

/// Plans, works and commits.
pub(crate) async fn export(
    settings: &Resolved<ExportSettings>,
    context: &Context,
) -> anyhow::Result<Outcome> {
    let at_once = settings.settings.most_at_once();
    let opened = open::open(settings, at_once, context).await?;
    let (exported, own) = match &opened {
        Opened::Committed { run, manifest, .. } => {
            let confirmed = confirm(run, manifest, &settings.settings, context).await?;
            (confirmed, Tally::default())
        }
        Opened::Unfinished(unfinished) => work_and_commit(unfinished, &settings.settings, context)
            .await
            .map_err(|error| with_way_on(error, unfinished))?,
    };
    Ok(summary::of_export(&exported, own))
}

/// Only plans, and says what to tell the workers.
pub(crate) async fn plan(
    settings: &Resolved<ExportSettings>,
    context: &Context,
) -> anyhow::Result<Outcome> {
    // The workers' machines may be unlike this one.
    let opened = open::open(settings, 1, context).await?;
    Ok(summary::of_plan(&opened, context))
}

/// Exports this worker's ranges of a planned run.
pub(crate) async fn work(
    settings: &Resolved<ExportSettings>,
    context: &Context,
) -> anyhow::Result<Outcome> {
    let ExportSettings {
        worker, workers, ..
    } = settings.settings;
    let worker = match worker {
        Some(worker) => worker,
        None => Worker::of_array(&context.environment, workers)?.unwrap_or(Worker::ALONE),
    };
    let opened = open::open_planned(settings, context).await?;
    let (run, tally) = match &opened {
        Opened::Committed { run, .. } => (run, Tally::default()),
        Opened::Unfinished(unfinished) => {
            let working = export_ranges(unfinished, worker, &settings.settings, context);
            let tally = working
                .await
                .map_err(|error| with_way_on(error, unfinished))?;
            (&unfinished.run, tally)
        }
    };
    Ok(summary::of_work(run, worker, tally, context))
}

/// Commits a run whose ranges are all exported.
pub(crate) async fn commit_alone(
    settings: &Resolved<ExportSettings>,
    context: &Context,
) -> anyhow::Result<Outcome> {
    let exported = match &open::open_planned(settings, context).await? {
        Opened::Committed { run, manifest, .. } => {
            confirm(run, manifest, &settings.settings, context).await?
        }
        Opened::Unfinished(unfinished) => commit(unfinished, &settings.settings, context).await?,
    };
    Ok(summary::of_export(&exported, Tally::default()))
}

async fn work_and_commit(
    unfinished: &Unfinished,
    settings: &ExportSettings,
    context: &Context,
) -> anyhow::Result<(Exported, Tally)> {
    let id = unfinished.run.location.id();
    let begins = if unfinished.is_resumed {
        "is resumed"
    } else {
        "begins"
    };
    let splits = &unfinished.plan.splits;
    let promise = match splits.iter().all(|split| split.is_divisible) {
        true => format!("; if it stops, the same command with `--run-id {id}` resumes it"),
        false => String::new(),
    };
    tracing::info!(target: NOTICE, run = %id, splits = splits.len(), "the run {begins}{promise}");
    let own = export_ranges(unfinished, Worker::ALONE, settings, context).await?;
    Ok((commit(unfinished, settings, context).await?, own))
}

async fn export_ranges(
    unfinished: &Unfinished,
    worker: Worker,
    settings: &ExportSettings,
    context: &Context,
) -> anyhow::Result<Tally> {
    let Unfinished {
        run,
        plan,
        database,
        ..
    } = unfinished;
    settings.check_memory();
    let ranges = plan.splits.iter().map(|split| split.range_count() as usize);
    let own = (0..ranges.sum()).filter(|position| worker.takes(*position));
    let shares = settings.shares(own.count(), plan.settings.bytes.part_size);
    let budget = PartBudget::new(&shares.parts)?;
    let found = async { collections(database, plan).await.map_err(scan_failure) };
    let found = context.interrupt.or(found).await?;
    let export = Export {
        run: run.clone(),
        splits: plan.splits.iter().cloned().zip(found).collect(),
        settings: plan.settings.bytes.clone(),
        snapshot: plan.snapshot,
        budget,
        read_ahead: shares.read_ahead,
        context: context.clone(),
    };
    work::work(export, worker, shares.jobs).await
}

/// Says how to continue: what is recorded need not be exported again.
fn with_way_on(error: anyhow::Error, unfinished: &Unfinished) -> anyhow::Error {
    if error.is::<TooManyMisfits>() || error.is::<TooFewDocuments>() {
        return error;
    }
    let run = unfinished.run.location.id();
    let of_columns = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<MalformedBson>()
            || matches!(
                cause.downcast_ref(),
                Some(
                    WriteError::RowGroupTooLarge { .. }
                        | WriteError::FooterTooLarge { .. }
                        | WriteError::Encode(_)
                )
            )
    };
    let way_on = if error.is::<NotResumable>() {
        "use another --run-id".to_owned()
    } else if error.chain().any(of_columns) {
        FAILS_AGAIN.to_owned()
    } else {
        format!("the same command with `--run-id {run}` resumes it")
    };
    Failure::incomplete(error, format!("run `{run}`"), way_on).into()
}
