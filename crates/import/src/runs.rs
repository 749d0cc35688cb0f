//! Which runs there are, and the manifest of the one to import.

use bytes::Bytes;
use lob_columns::{Digest, InvalidDigest};
use lob_core::failure::{ExitStatus, Failure};
use lob_core::hash::Sha256;
use lob_core::manifest::{ExportManifest, ExportedSplit, MAX_MANIFEST_BYTES, ManifestError};
use lob_core::run::{Prefix, RunId, RunLocation, committed_runs};
use lob_core::store::{Store, StoreError, StoreErrorKind};

/// A run that is to be imported, and where its data files are.
#[derive(Debug)]
pub(crate) struct ChosenRun {
    pub(crate) location: RunLocation,
    pub(crate) manifest: ExportManifest,
    /// The hash of the manifest's bytes: what an import is an import of.
    pub(crate) manifest_hash: Sha256,
}

/// What a list says of a committed run.
#[derive(Debug)]
pub(crate) struct RunSummary {
    pub(crate) export_timestamp: jiff::Timestamp,
    pub(crate) num_splits: u64,
    pub(crate) total_documents: u64,
}

/// A committed run, or why it cannot be imported.
pub(crate) type ListedRun = (RunId, anyhow::Result<RunSummary>);

/// All committed runs, the latest last.
pub(crate) async fn list(store: &Store, folder: &Prefix) -> anyhow::Result<Vec<ListedRun>> {
    let summary = |id: &RunId, bytes: Result<Bytes, StoreError>| {
        let manifest = read(id, &bytes?)
            .map_err(|error| Failure::new(status_of(&error), error.to_string()))?;
        Ok(RunSummary {
            export_timestamp: manifest.export_timestamp,
            num_splits: manifest.num_splits,
            total_documents: manifest.total_documents,
        })
    };
    let mut listed = committed_runs(store, folder, MAX_MANIFEST_BYTES, summary).await?;
    listed.sort_by_key(|run| run.1.as_ref().ok().map(|summary| summary.export_timestamp));
    Ok(listed)
}

/// The manifest of run `id`.
fn read(id: &RunId, bytes: &[u8]) -> Result<ExportManifest, ManifestError> {
    let manifest = ExportManifest::read(bytes)?;
    if manifest.run_id != *id {
        return Err(ManifestError::OtherRun(manifest.run_id));
    }
    if !manifest.splits.iter().all(digests_add_up) {
        return Err(ManifestError::Contradiction("digest"));
    }
    Ok(manifest)
}

/// Whether the digests of the data files, which are compared with what is decoded, are together
/// that of the split.
fn digests_add_up(split: &ExportedSplit) -> bool {
    let mut sum = Digest::default();
    for file in &split.files {
        match file.digest.parse() {
            Ok(digest) => sum.merge(digest),
            Err(InvalidDigest) => return false,
        }
    }
    sum.to_string() == split.digest
}

/// The run `id`, or the one with the latest time in its manifest.
pub(crate) async fn choose(
    store: &Store,
    folder: Prefix,
    id: Option<&RunId>,
    latest: bool,
) -> anyhow::Result<ChosenRun> {
    let id = match id {
        _ if latest => latest_of(store, &folder).await?,
        Some(id) => id.clone(),
        None => {
            return Err(Failure::usage("no run is named")
                .with_hint("name it with --run-id, or take the last one with --latest")
                .into());
        }
    };
    let location = RunLocation::new(folder, id);
    let url = store.url(&location.manifest_key());
    let bytes = store
        .get_small(&location.manifest_key(), MAX_MANIFEST_BYTES)
        .await;
    let bytes = bytes.map_err(|error| match error.kind {
        StoreErrorKind::NotFound => {
            let message = format!(
                "there is no run `{}`: no manifest at `{url}`",
                location.id()
            );
            let missing = Failure::new(ExitStatus::Failed, message);
            anyhow::Error::from(missing.with_hint("`lob-import --list` lists the runs"))
        }
        _ => error.into(),
    })?;
    let refused = |error: ManifestError| {
        let failure = Failure::new(status_of(&error), format!("`{url}` is refused"));
        match error {
            ManifestError::Version(_) => failure.with_hint("use the version that wrote it"),
            _ => failure,
        }
        .caused_by(error)
    };
    let manifest = read(location.id(), &bytes).map_err(refused)?;
    Ok(ChosenRun {
        location,
        manifest,
        manifest_hash: Sha256::of(&bytes),
    })
}

/// A run that cannot be read may be the latest: taking the one before it would put old documents in
/// the place of newer ones.
async fn latest_of(store: &Store, folder: &Prefix) -> anyhow::Result<RunId> {
    let url = store.url(&folder.folder());
    let mut latest = None;
    for (id, summary) in list(store, folder).await? {
        if let Err(error) = summary {
            let message = format!("run `{id}` below `{url}` cannot be read, and may be the latest");
            return Err(Failure::new(ExitStatus::of(&error), message)
                .with_hint("name a run with --run-id")
                .caused_by(error)
                .into());
        }
        latest = Some(id);
    }
    latest.ok_or_else(|| {
        Failure::new(ExitStatus::Failed, format!("there is no run below `{url}`"))
            .with_hint("check --bucket and --prefix")
            .into()
    })
}

/// Another form is another tool's; a contradiction is damage.
fn status_of(error: &ManifestError) -> ExitStatus {
    match error {
        ManifestError::Form(_) | ManifestError::Version(_) => ExitStatus::Failed,
        _ => ExitStatus::Integrity,
    }
}
