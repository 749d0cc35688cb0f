//! Which runs there are, and the manifest of the one to import.

use bytes::Bytes;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::hash::Sha256;
use lob_core::manifest::{ExportManifest, LegacyManifest, ManifestError};
use lob_core::run::{Prefix, RunId, RunLocation, committed_runs, published_manifest};
use lob_core::store::{Store, StoreError, StoreErrorKind};

use crate::legacy;
use crate::splits::Split;

/// A run that is to be imported, and where its data files are.
#[derive(Debug)]
pub(crate) struct ChosenRun {
    pub(crate) location: RunLocation,
    pub(crate) splits: Vec<Split>,
    /// The hash of the manifest's bytes: what an import is an import of.
    pub(crate) manifest_hash: Sha256,
}

/// What a list says of a committed run.
#[derive(Debug)]
pub(crate) struct RunSummary {
    pub(crate) export_timestamp: jiff::Timestamp,
    pub(crate) num_splits: u64,
    pub(crate) total_documents: u64,
    /// Whether the original wrote it.
    pub(crate) is_legacy: bool,
}

/// A committed run, or why it cannot be imported.
pub(crate) type ListedRun = (RunId, anyhow::Result<RunSummary>);

/// All committed runs, the latest last.
pub(crate) async fn list(store: &Store, folder: &Prefix) -> anyhow::Result<Vec<ListedRun>> {
    let summary = |id: &RunId, bytes: Result<Bytes, StoreError>| {
        let manifest = read(id, &bytes?)
            .map_err(|error| Failure::new(status_of(&error), error.to_string()))?;
        Ok(match manifest {
            Manifest::Ours(manifest) => RunSummary {
                export_timestamp: manifest.export_timestamp,
                num_splits: manifest.num_splits,
                total_documents: manifest.total_documents,
                is_legacy: false,
            },
            Manifest::Legacy(manifest) => RunSummary {
                export_timestamp: manifest.export_timestamp,
                num_splits: manifest.num_splits,
                total_documents: manifest.total_documents,
                is_legacy: true,
            },
        })
    };
    let mut listed = committed_runs(store, folder, summary).await?;
    listed.sort_by_key(|run| run.1.as_ref().ok().map(|summary| summary.export_timestamp));
    Ok(listed)
}

/// A manifest by who wrote it.
enum Manifest {
    Ours(Box<ExportManifest>),
    Legacy(LegacyManifest),
}

/// The manifest of run `id`.
fn read(id: &RunId, bytes: &[u8]) -> Result<Manifest, ManifestError> {
    let (run_id, manifest) = match LegacyManifest::read(bytes)? {
        Some(manifest) => (manifest.run_id.clone(), Manifest::Legacy(manifest)),
        None => {
            let manifest = ExportManifest::read(bytes)?;
            (manifest.run_id.clone(), Manifest::Ours(Box::new(manifest)))
        }
    };
    if run_id == *id {
        Ok(manifest)
    } else {
        Err(ManifestError::OtherRun(run_id))
    }
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
    let bytes = published_manifest(store, &location)
        .await
        .map_err(|error| match error.kind {
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
    let splits = match read(location.id(), &bytes).map_err(refused)? {
        Manifest::Ours(manifest) => {
            let splits = manifest.splits.into_iter().map(Split::exported);
            splits.collect::<Result<_, _>>().map_err(refused)?
        }
        Manifest::Legacy(manifest) => legacy::splits(store, &location, manifest).await?,
    };
    Ok(ChosenRun {
        location,
        splits,
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
