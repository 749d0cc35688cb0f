//! The way of the data: plan, read once and send, commit.

use std::cmp::Reverse;
use std::time::Instant;

use anyhow::Context as _;
use futures::StreamExt as _;
use lob_core::cli::{Context, Outcome};
use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::{DataFile, UploadManifest, UploadedFile, keep_local_copy};
use lob_core::object_settings::ObjectSettings;
use lob_core::part::PartBudget;
use lob_core::progress::Work;
use lob_core::run::{OpenRun, Plan};
use lob_core::store::{Sending, Store};

use crate::manifest;
use crate::plan::{self, TOOL, UploadWork};
use crate::send::Sender;
use crate::settings::Settings;
use crate::source::SourceFile;
use crate::summary::{self, MIB};

/// Uploads the source directory as one run.
pub(crate) async fn upload(settings: &Settings, context: &Context) -> anyhow::Result<Outcome> {
    let budget = settings.budget()?;
    let prefix = settings.s3.runs_folder()?;
    let files = examine(settings, &budget, context).await?;
    let store = context
        .interrupt
        .or(Store::connect(
            &settings.s3,
            Sending::new(&settings.parts, ObjectSettings::default()),
            &context.metrics,
        ))
        .await?;
    let work = UploadWork::new(settings, &files);
    let requested = settings.run_id.clone();
    let creating = Plan::create(store.clone(), prefix.clone(), requested, TOOL, work, true);
    let Some((_, run)) = context.interrupt.or(creating).await? else {
        let (run, url) = (settings.run_id.as_ref(), store.url(&prefix.folder()));
        let run = run.map(ToString::to_string).unwrap_or_default();
        let message = format!("run `{run}` has a plan already below `{url}`");
        return Err(Failure::new(ExitStatus::Failed, message)
            .with_hint("runs cannot be resumed yet; take another --run-id")
            .into());
    };

    let bytes = files.iter().map(|file| file.fingerprint.size).sum();
    let count = files.len() as u64;
    tracing::info!(run = %run.location.id(), files = count, bytes, "the run begins");
    context.progress.begin(Work {
        bytes: Some(bytes),
        items: Some(count),
        unit: "files",
    });
    let uploaded = send_all(&files, &run, &budget, settings, context).await?;

    let data_files: Vec<DataFile> = uploaded.iter().map(|file| file.file.clone()).collect();
    let proved = context.interrupt.or(run.prove(&data_files)).await?;
    let metrics = context.metrics.snapshot();
    let manifest = manifest::manifest(&run, settings, uploaded, metrics);
    let committed = run
        .commit(proved, &manifest, UploadManifest::read)
        .await?
        .manifest();

    // From here on nothing can fail the run.
    let local_copy = keep_local_copy(&settings.manifest_dir, run.location.id(), &committed);
    let metrics = context.metrics.snapshot();
    Ok(summary::outcome(
        &run,
        &manifest,
        local_copy.as_deref(),
        &metrics,
    ))
}

async fn examine(
    settings: &Settings,
    budget: &PartBudget,
    context: &Context,
) -> anyhow::Result<Vec<SourceFile>> {
    let (settings, budget) = (settings.clone(), budget.clone());
    let examined = tokio::task::spawn_blocking(move || plan::examine(&settings, &budget));
    context
        .interrupt
        .or(async { examined.await.context("the search for files stopped")? })
        .await
}

/// Sends all files, several at once. The first that fails stops the others, and this returns when
/// each of them has aborted what it had open.
async fn send_all(
    files: &[SourceFile],
    run: &OpenRun,
    budget: &PartBudget,
    settings: &Settings,
    context: &Context,
) -> anyhow::Result<Vec<UploadedFile>> {
    let stop = context.interrupt.child();
    let sender = Sender {
        run,
        budget,
        multipart_threshold: settings.multipart_threshold.0,
        stop: &stop,
        progress: &context.progress,
    };
    let mut sending = futures::stream::iter(files)
        .take_while(|_| std::future::ready(!stop.is_raised()))
        .map(|file| send_one(&sender, file))
        .buffer_unordered(settings.concurrency.get());
    let mut uploaded = Vec::with_capacity(files.len());
    let mut failures: Vec<anyhow::Error> = Vec::new();
    while let Some(result) = sending.next().await {
        match result {
            Ok(file) => uploaded.push(file),
            Err(failure) => {
                stop.stop();
                failures.push(failure);
            }
        }
    }
    // Files that were merely stopped have nothing to tell.
    failures.retain(|failure| !ExitStatus::of(failure).is_interrupt());
    failures.sort_by_key(|failure| Reverse(ExitStatus::of(failure).gravity()));
    let mut failures = failures.into_iter();
    if let Some(gravest) = failures.next() {
        failures.for_each(|further| tracing::warn!("{further:#}"));
        return Err(gravest);
    }
    context.interrupt.check()?;
    uploaded.sort_by(|a, b| a.relative_path.cmp(&b.relative_path));
    Ok(uploaded)
}

async fn send_one(sender: &Sender<'_>, file: &SourceFile) -> anyhow::Result<UploadedFile> {
    let start = Instant::now();
    let (hashes, object) = sender
        .send(file)
        .await
        .with_context(|| format!("`{}` is not uploaded", file.path.display()))?;
    let (megabytes, seconds) = (hashes.size as f64 / MIB, start.elapsed().as_secs_f64());
    tracing::info!(
        file = file.relative_path,
        bytes = hashes.size,
        seconds,
        "S3 Upload: {megabytes:.2}MB in {seconds:.2}s ({:.2}MB/s)",
        megabytes / seconds,
    );
    Ok(manifest::uploaded_file(sender.run, file, &hashes, &object))
}
