//! The upload pipeline: plan, read once and send, commit.

use anyhow::Context as _;
use lob_core::cli::{Context, NOTICE, Outcome};
use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::{DataFile, PublishedUpload, keep_local_copy};
use lob_core::progress::Work;
use lob_core::run::{Committed, OpenRun};

use crate::confirm::confirm;
use crate::dry_run;
use crate::fault::is_of_the_file;
use crate::manifest;
use crate::open::{self, Opened};
use crate::plan::{Examined, UploadWork};
use crate::send_all::{SentFiles, send_all};
use crate::settings::Settings;
use crate::source;
use crate::summary::{self, Uploaded};

/// Uploads the source directory as one run.
pub(crate) async fn upload(settings: &Settings, context: &Context) -> anyhow::Result<Outcome> {
    let budget = settings.budget()?;
    let uploaded = match open::open(settings, &budget, context).await? {
        Opened::Committed(found) => {
            let bytes = found.manifest.unwrap_or_default();
            confirm(found.run, &bytes, settings, context).await?
        }
        Opened::Unfinished {
            run,
            examined,
            work,
            resumed,
        } => {
            let id = run.location.id().clone();
            let settings = &work.settings.complete(settings);
            send_and_commit(run, examined, &work, resumed, settings, context)
                .await
                .map_err(|error| with_way_on(error, &id.to_string(), context))?
        }
    };
    Ok(summary::outcome(&uploaded))
}

/// Reports what [`upload`] would do.
pub(crate) async fn dry_run(settings: &Settings, context: &Context) -> anyhow::Result<Outcome> {
    let budget = settings.budget()?;
    settings.objects.check()?;
    let examined = open::find_and_examine(settings, &budget, context).await?;
    Ok(dry_run::outcome(settings, &budget, &examined.files)?)
}

async fn send_and_commit(
    run: OpenRun,
    examined: Examined,
    work: &UploadWork,
    resumed: bool,
    settings: &Settings,
    context: &Context,
) -> anyhow::Result<Uploaded> {
    let budget = settings.budget()?;
    let id = run.location.id();
    let bytes = examined
        .files
        .iter()
        .map(|file| file.fingerprint.size)
        .sum();
    let count = examined.files.len() as u64;
    let begins = if resumed { "is resumed" } else { "begins" };
    tracing::info!(
        target: NOTICE, run = %id, files = count, bytes,
        "the run {begins}; if it stops, the same command with `--run-id {id}` resumes it"
    );
    context.progress.begin(Work {
        bytes: Some(bytes),
        items: Some(count),
        unit: "files",
        ..Work::default()
    });
    let sent = send_all(&run, examined, resumed, &budget, settings, context).await?;
    context.progress.end();
    context.step("verifying and publishing the run");
    let appeared = appeared(settings, work).await;
    abort_leftovers(&run, work, resumed, &sent, context).await?;

    let SentFiles {
        files,
        failed,
        kept,
    } = sent;
    let data_files: Vec<DataFile> = files.iter().map(|file| file.file.clone()).collect();
    let proved = context.interrupt.or(run.prove(&data_files)).await?;
    let metrics = context.metrics.snapshot();
    let manifest = manifest::manifest(&run, settings, files, failed, metrics);
    let read = |bytes: &[u8]| PublishedUpload::read(bytes);
    match run.commit(proved, manifest, read).await? {
        // From here on, nothing may fail the run.
        Committed::Now(bytes, manifest) => Ok(Uploaded {
            local_copy: keep_local_copy(&settings.manifest_dir, id, &bytes),
            run,
            manifest,
            kept,
            appeared,
            was_committed: false,
            metrics: context.metrics.snapshot(),
        }),
        Committed::Before(bytes) => confirm(run, &bytes, settings, context).await,
    }
}

/// Aborts uploads of the run's keys that nobody needs: those of a process that was killed, or whose
/// creation got no reply.
async fn abort_leftovers(
    run: &OpenRun,
    work: &UploadWork,
    resumed: bool,
    sent: &SentFiles,
    context: &Context,
) -> anyhow::Result<()> {
    let lost = context.metrics.was_repeated("CreateMultipartUpload");
    if !(resumed || lost || !sent.failed.is_empty()) {
        return Ok(());
    }
    match context
        .interrupt
        .or(run.abort_leftovers(&work.uploads()))
        .await
    {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "leftover uploads were aborted"),
        Err(error) if ExitStatus::of(&error).is_interrupt() => return Err(error),
        Err(error) => tracing::warn!("uploads may still be open: {error:#}"),
    }
    Ok(())
}

/// Files that appeared while others were being sent: reported, but not part of the run.
async fn appeared(settings: &Settings, work: &UploadWork) -> Vec<String> {
    let files = work.files.iter().map(|file| file.relative_path.clone());
    let failed = work.failed.iter().map(|file| file.relative_path.clone());
    let planned: Vec<String> = files.chain(failed).collect();
    let settings = settings.clone();
    let looking = tokio::task::spawn_blocking(move || {
        let planned = planned.iter().map(String::as_str);
        source::appeared(&settings.source_dir, &settings.selection()?, planned)
            .context("the source directory cannot be read again")
    });
    let appeared = match looking.await {
        Ok(Ok(appeared)) => appeared,
        Ok(Err(error)) => {
            tracing::warn!("{error:#}");
            Vec::new()
        }
        Err(stopped) => {
            tracing::warn!(%stopped, "the source directory cannot be read again");
            Vec::new()
        }
    };
    for name in &appeared {
        tracing::warn!(file = name, "not uploaded: it is not in the run's plan");
    }
    appeared
}

/// Says how to continue: what was sent so far is worth keeping, unless its file has changed.
fn with_way_on(error: anyhow::Error, run: &str, context: &Context) -> anyhow::Error {
    let way_on = if is_of_the_file(&error) {
        "use a new --run-id for files that have changed".to_owned()
    } else if ExitStatus::of(&error) == ExitStatus::Integrity {
        "use a new --run-id: this run may contain damaged data".to_owned()
    } else {
        format!("the same command with `--run-id {run}` resumes it")
    };
    let failure = Failure::incomplete(error, format!("run `{run}`"), way_on);
    let cleanup = format!("lob-upload cleanup {run} --yes");
    let cleanup = context.typed.command(&cleanup);
    let cleanup = format!("`{cleanup}` aborts the uploads that it left open");
    failure.and_hint(&cleanup).into()
}
