//! Confirms a run that is already committed: checks it object by object and reports success.

use std::path::PathBuf;

use bytes::Bytes;
use lob_core::cli::Context;
use lob_core::failure::Failure;
use lob_core::manifest::{DataFile, keep_local_copy};
use lob_core::metrics::MetricsSnapshot;
use lob_core::run::OpenRun;

use crate::manifest::Published;
use crate::settings::ExportSettings;

/// A committed export.
#[derive(Debug)]
pub(crate) struct Exported {
    pub(crate) manifest: Published,
    pub(crate) manifest_url: String,
    pub(crate) local_copy: Option<PathBuf>,
    /// Whether the run was committed by an earlier or another process.
    pub(crate) was_committed: bool,
    /// The metrics of this process.
    pub(crate) metrics: MetricsSnapshot,
}

/// Checks every object in the manifest with the server and writes the local copy again.
///
/// # Errors
/// An object that is not what the manifest says (exit status 3), or a store error.
pub(crate) async fn confirm(
    run: &OpenRun,
    bytes: &Bytes,
    settings: &ExportSettings,
    context: &Context,
) -> anyhow::Result<Exported> {
    let manifest_url = run.store.url(&run.location.manifest_key());
    let manifest = Published::read(&**bytes).map_err(|error| {
        Failure::integrity(format!("manifest `{manifest_url}` cannot be read")).caused_by(error)
    })?;
    let files = manifest.splits.iter().flat_map(|split| &split.files);
    let files: Vec<DataFile> = files.map(|file| file.file.clone()).collect();
    context.step(format!(
        "checking the {} data files of the run",
        files.len()
    ));
    context.interrupt.or(run.prove(&files)).await?;
    Ok(Exported {
        manifest_url,
        local_copy: keep_local_copy(&settings.manifest_dir, run.location.id(), bytes),
        was_committed: true,
        metrics: context.metrics.snapshot(),
        manifest,
    })
}
