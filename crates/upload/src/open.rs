//! Opens a run: with a new plan, or by resuming one that an earlier process wrote.

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::pin;

use anyhow::Context as _;
use futures::TryStreamExt as _;
use lob_core::cli::Context;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::run::{FoundRun, OpenRun, Plan, RunLocation};
use lob_core::store::{Sending, Store};
use lob_core::transfer::PartBudget;

use crate::fault::EveryFileFailed;
use crate::manifest;
use crate::plan::{self, Examined, TOOL, UploadWork};
use crate::settings::Settings;
use crate::source::{self, SourceError};

/// A run and the work left to do for it.
#[derive(Debug)]
pub(crate) enum Opened {
    /// There are files to send.
    Unfinished {
        run: OpenRun,
        examined: Examined,
        work: UploadWork,
        /// Whether an earlier process may have sent some of them.
        resumed: bool,
    },
    /// The run already exists.
    Committed(FoundRun<UploadWork>),
}

/// Connects and opens the run that the settings name, or a new one.
///
/// # Errors
/// Files that cannot be uploaded, a plan that is not ours, or a store error.
pub(crate) async fn open(
    settings: &Settings,
    budget: &PartBudget,
    context: &Context,
) -> anyhow::Result<Opened> {
    let prefix = settings.s3.runs_folder()?;
    settings.s3.bucket()?;
    // Report any problem with the files before asking S3. Only a run that already has a plan may
    // need none of them, or others than are there now.
    let examined = match settings.run_id {
        None => Some(find_and_examine(settings, budget, context).await?),
        Some(_) => None,
    };
    let sending = Sending::new(&settings.limits(), settings.objects.clone());
    context.step("connecting to S3");
    let connecting = Store::connect(&settings.s3, sending, &context.metrics);
    let store = context.interrupt.or(connecting).await?;
    if let Some(id) = &settings.run_id {
        context.step(format!("looking for the plan of run `{id}`"));
        let location = RunLocation::new(prefix.clone(), id.clone());
        let finding = FoundRun::<UploadWork>::find(&store, location.clone(), TOOL);
        if let Some(found) = context.interrupt.or(finding).await? {
            return resume(found, settings, context).await;
        }
    }
    let examined = match examined {
        Some(examined) => examined,
        None => find_and_examine(settings, budget, context).await?,
    };
    let work = UploadWork::new(settings, &examined);
    context.step("writing the plan and probing S3");
    let creating = Plan::create(
        store.clone(),
        prefix.clone(),
        settings.run_id.clone(),
        TOOL,
        work.clone(),
        work.has_multipart(),
        &context.interrupt,
    );
    match (creating.await?, &settings.run_id) {
        (Some((_, run)), _) => Ok(Opened::Unfinished {
            run,
            examined,
            work,
            resumed: false,
        }),
        (None, Some(id)) => {
            // Another process has just started the same run: the two continue together.
            let location = RunLocation::new(prefix, id.clone());
            let finding = FoundRun::find(&store, location, TOOL);
            let found = context.interrupt.or(finding).await?;
            let found = found.context("the run's plan has disappeared")?;
            resume(found, settings, context).await
        }
        (None, None) => anyhow::bail!("no run id could be generated"),
    }
}

async fn resume(
    found: FoundRun<UploadWork>,
    settings: &Settings,
    context: &Context,
) -> anyhow::Result<Opened> {
    let work = found.plan.work.clone();
    let settings = &work.settings.complete(settings);
    let id = found.run.location.id();
    work.check_settings(settings)
        .with_context(|| format!("run `{id}` cannot be resumed"))?;
    if found.manifest.is_some() {
        let files = find(settings, context).await;
        let checking = check_same_files(&work, files, settings);
        let checked = context.interrupt.or(checking).await;
        checked.with_context(|| format!("run `{id}` is committed"))?;
        return Ok(Opened::Committed(found));
    }
    let everything = Settings {
        include: Vec::new(),
        exclude: Vec::new(),
        ..settings.clone()
    };
    let there = match find(&everything, context).await {
        Ok(there) => there,
        // What cannot be listed may be what was left out when the run started.
        Err(_) => find(settings, context).await?,
    };
    context.step(format!("checking {} files", there.len()));
    let budget = settings.budget()?;
    let examining = plan::examine_again(&work, there, settings, &budget);
    let examined = context.interrupt.or(examining).await?;
    context.step("probing S3");
    let taking_up = found.resume(work.has_multipart(), &context.interrupt);
    let (_, run) = taking_up.await?;
    Ok(Opened::Unfinished {
        run,
        examined,
        work,
        resumed: true,
    })
}

/// Refuses files that a committed run does not hold: someone who wants them uploaded must not be
/// told that they were. Missing files do not matter: they are in S3.
async fn check_same_files(
    work: &UploadWork,
    files: anyhow::Result<Vec<(String, PathBuf)>>,
    settings: &Settings,
) -> anyhow::Result<()> {
    let files = match files {
        Ok(files) => files,
        Err(error) => {
            let nothing = error
                .downcast_ref::<SourceError>()
                .is_some_and(SourceError::is_nothing_there);
            return if nothing { Ok(()) } else { Err(error) };
        }
    };
    let planned = work.files.iter();
    let planned: HashMap<_, _> = planned.map(|file| (&file.relative_path, file)).collect();
    let mut looks = pin!(plan::looks(files, |(_, path)| plan::fingerprint(path)));
    while let Some(((name, _), now)) = looks.try_next().await? {
        let failed = work.failed.iter().any(|file| file.relative_path == name);
        let same = match planned.get(&name) {
            Some(planned) => now?.is_some_and(|now| planned.is(&now)),
            None => failed && settings.allow_partial,
        };
        if !same {
            let message = format!("it does not contain the current `{name}`");
            return Err(Failure::new(ExitStatus::Failed, message)
                .with_hint("use another --run-id")
                .into());
        }
    }
    Ok(())
}

/// Finds the files that the settings select, on a thread that may block.
async fn find(settings: &Settings, context: &Context) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let settings = settings.clone();
    let folder = settings.source_dir.display();
    context.step(format!("looking for files in `{folder}`"));
    blocking(context, move || {
        let (root, folder) = (&settings.source_dir, settings.run_folder()?);
        Ok(source::find(root, &settings.selection()?, &folder)?)
    })
    .await
}

/// Finds the files and reads the state and the footer of each.
///
/// # Errors
/// Files that cannot be uploaded, no file that can, or too many for one run.
pub(crate) async fn find_and_examine(
    settings: &Settings,
    budget: &PartBudget,
    context: &Context,
) -> anyhow::Result<Examined> {
    let files = find(settings, context).await?;
    context.step(format!("checking {} files", files.len()));
    let examining = plan::examine(files, settings, budget);
    let examined = context.interrupt.or(examining).await?;
    if examined.files.is_empty() {
        return Err(EveryFileFailed.into());
    }
    manifest::check_size(&settings.run_folder()?, &examined.files)?;
    Ok(examined)
}

/// Runs blocking work on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    context: &Context,
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let working = tokio::task::spawn_blocking(work);
    let done = async {
        working
            .await
            .context("the check of the files stopped unexpectedly")?
    };
    context.interrupt.or(done).await
}
