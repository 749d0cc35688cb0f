//! Confirms a run that is already committed: checks it object by object and reports success.

use bytes::Bytes;
use lob_core::cli::Context;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::{DataFile, PublishedUpload, keep_local_copy};
use lob_core::run::OpenRun;
use lob_core::text::counted;

use crate::send::Kept;
use crate::settings::Settings;
use crate::summary::Uploaded;

/// Checks every object in the manifest with the server and writes the local copy again.
///
/// # Errors
/// An object that is not what the manifest says (exit status 3), or a store error.
pub(crate) async fn confirm(
    run: OpenRun,
    bytes: &Bytes,
    settings: &Settings,
    context: &Context,
) -> anyhow::Result<Uploaded> {
    let url = run.store.url(&run.location.manifest_key());
    let manifest = PublishedUpload::read(&**bytes).map_err(|error| {
        Failure::integrity(format!("manifest `{url}` cannot be read")).caused_by(error)
    })?;
    if !manifest.failed.is_empty() && !settings.allow_partial {
        let message = format!(
            "the run was published without {} that failed",
            counted(manifest.failed.len(), "file")
        );
        return Err(Failure::new(ExitStatus::Failed, message)
            .with_hint("set --allow-partial again, or use another --run-id")
            .into());
    }
    let files: Vec<DataFile> = manifest
        .files
        .iter()
        .map(|file| file.file.clone())
        .collect();
    context.step(format!("checking the {} files of the run", files.len()));
    context.interrupt.or(run.prove(&files)).await?;
    Ok(Uploaded {
        local_copy: keep_local_copy(&settings.manifest_dir, run.location.id(), bytes),
        run,
        manifest,
        kept: Kept::default(),
        appeared: Vec::new(),
        was_committed: true,
        metrics: context.metrics.snapshot(),
    })
}
