//! Loads a committed upload for the commands that work on one.

use lob_core::cli::Context;
use lob_core::manifest::PublishedUpload;
use lob_core::run;
use lob_core::settings::RunId;
use lob_core::text::counted;

use crate::settings::Settings;

/// A committed upload and its manifest.
pub(crate) type CommittedRun = run::CommittedRun<PublishedUpload>;

/// Connects and reads the manifest of run `id`.
///
/// # Errors
/// Same as [`run::CommittedRun::find`].
pub(crate) async fn find(
    id: RunId,
    settings: &Settings,
    context: &Context,
) -> anyhow::Result<CommittedRun> {
    context.step(format!("reading the manifest of run `{id}`"));
    let (s3, max_bandwidth) = (&settings.s3, settings.parts.max_bandwidth);
    CommittedRun::find(id, s3, max_bandwidth, &context.metrics, &context.interrupt).await
}

/// The summary line for files the run was published without; `None` if it has them all.
pub(crate) fn failed_line(manifest: &PublishedUpload) -> Option<String> {
    match manifest.num_failed {
        0 => None,
        failed => Some(format!(
            "failed    {}, left out of the published run",
            counted(failed, "file")
        )),
    }
}
