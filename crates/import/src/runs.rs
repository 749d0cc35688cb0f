//! Which runs there are, and the manifest of the one to import.

use lob_core::failure::{ExitStatus, Failure};
use lob_core::hash::Sha256;
use lob_core::manifest::{ExportManifest, MAX_MANIFEST_BYTES, ManifestError};
use lob_core::run::{Prefix, RunId, RunLocation, committed_runs};
use lob_core::store::{Store, StoreErrorKind};

/// A run that is to be imported, and where its data files are.
#[derive(Debug)]
pub(crate) struct ChosenRun {
    pub(crate) location: RunLocation,
    pub(crate) manifest: ExportManifest,
    /// The hash of the manifest's bytes: what an import is an import of.
    pub(crate) manifest_hash: Sha256,
}

/// A committed run, and its manifest or why it cannot be read.
pub(crate) type ListedRun = (RunId, Result<ExportManifest, ManifestError>);

/// All committed runs, the latest last.
pub(crate) async fn list(store: &Store, folder: &Prefix) -> anyhow::Result<Vec<ListedRun>> {
    let runs = committed_runs(store, folder, MAX_MANIFEST_BYTES).await?;
    let mut listed: Vec<ListedRun> = runs
        .into_iter()
        .map(|(id, bytes)| (id, ExportManifest::read(&bytes)))
        .collect();
    let time = |run: &ListedRun| {
        run.1
            .as_ref()
            .ok()
            .map(|manifest| manifest.export_timestamp)
    };
    listed.sort_by_key(time);
    Ok(listed)
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
    let manifest = ExportManifest::read(&bytes).map_err(refused)?;
    if manifest.run_id != *location.id() {
        let message = format!(
            "`{url}` is the manifest of another run, `{}`",
            manifest.run_id
        );
        return Err(Failure::integrity(message).into());
    }
    Ok(ChosenRun {
        location,
        manifest,
        manifest_hash: Sha256::of(&bytes),
    })
}

async fn latest_of(store: &Store, folder: &Prefix) -> anyhow::Result<RunId> {
    let readable = list(store, folder)
        .await?
        .into_iter()
        .rev()
        .find(|run| run.1.is_ok());
    readable.map(|(id, _)| id).ok_or_else(|| {
        let url = store.url(&folder.folder());
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
