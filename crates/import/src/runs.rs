//! Which runs there are, and the manifest of the one to import.

use std::io::{self, Read};

use anyhow::Context as _;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::hash::{Sha256, Sha256Hasher};
use lob_core::manifest::{LegacyManifest, ManifestError, ManifestHead, PublishedExport};
use lob_core::run::{Prefix, RunId, RunLocation, committed_runs, read_manifest};
use lob_core::store::{Store, StoreError, StoreErrorKind};

use crate::legacy;
use crate::splits::Split;

/// The tool that writes the runs that are imported.
const EXPORTER: &str = "lob-export";

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

/// What a committed run is.
#[derive(Debug)]
pub(crate) enum Listed {
    /// It can be imported.
    Export(RunSummary),
    /// Another tool wrote it, such as an upload below the same prefix: it is no export.
    OtherTool(String),
    /// It cannot be read, so that nobody knows how late it is.
    Unreadable(anyhow::Error),
}

/// All committed runs, the latest last.
pub(crate) async fn list(
    store: &Store,
    folder: &Prefix,
) -> Result<Vec<(RunId, Listed)>, StoreError> {
    let read = |manifest: &mut dyn Read| ManifestHead::read(manifest);
    let runs = committed_runs(store, folder, read).await?.into_iter();
    let mut listed: Vec<_> = runs
        .map(|(id, head)| {
            let listed = listed(&id, head).unwrap_or_else(Listed::Unreadable);
            (id, listed)
        })
        .collect();
    listed.sort_by_key(|(_, listed)| match listed {
        Listed::Export(summary) => Some(summary.export_timestamp),
        Listed::OtherTool(_) | Listed::Unreadable(_) => None,
    });
    Ok(listed)
}

/// What the head of the manifest of run `id` says of it.
fn listed(
    id: &RunId,
    head: Result<Result<ManifestHead, ManifestError>, StoreError>,
) -> anyhow::Result<Listed> {
    let refused = |error: ManifestError| Failure::new(status_of(&error), error.to_string());
    let head = head?.map_err(refused)?;
    if let Some(tool) = other_tool(&head) {
        return Ok(Listed::OtherTool(tool.to_owned()));
    }
    match &head.run_id {
        Some(run_id) if run_id == id => {}
        Some(run_id) => return Err(refused(ManifestError::OtherRun(run_id.clone())).into()),
        None => return Err(refused(ManifestError::Contradiction("run_id")).into()),
    }
    let time = head.export_timestamp;
    Ok(Listed::Export(RunSummary {
        is_legacy: head.is_legacy(),
        export_timestamp: time.context("it has no time of an export")?,
        num_splits: head.num_splits,
        total_documents: head.total_documents,
    }))
}

/// The tool that a manifest names, if it is another. That of the original names none.
fn other_tool(head: &ManifestHead) -> Option<&str> {
    head.tool.as_deref().filter(|tool| *tool != EXPORTER)
}

/// A manifest by who wrote it.
enum Manifest {
    Ours(PublishedExport),
    Legacy(LegacyManifest),
}

/// The manifest of run `id`, and the hash of its bytes.
fn read(
    id: &RunId,
    is_legacy: bool,
    source: &mut dyn Read,
) -> Result<(Manifest, Sha256), ManifestError> {
    let mut source = Hashing::new(source);
    let (run_id, manifest) = if is_legacy {
        let manifest = LegacyManifest::read(&mut source)?;
        (manifest.run_id.clone(), Manifest::Legacy(manifest))
    } else {
        let manifest = PublishedExport::read(&mut source)?;
        (manifest.run_id.clone(), Manifest::Ours(manifest))
    };
    if run_id == *id {
        Ok((manifest, source.finish()))
    } else {
        Err(ManifestError::OtherRun(run_id))
    }
}

/// Bytes that are hashed as they are read.
struct Hashing<'a> {
    source: &'a mut dyn Read,
    hasher: Sha256Hasher,
}

impl<'a> Hashing<'a> {
    fn new(source: &'a mut dyn Read) -> Self {
        let hasher = Sha256Hasher::default();
        Self { source, hasher }
    }

    fn finish(self) -> Sha256 {
        self.hasher.finish()
    }
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
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
    let read_head = |manifest: &mut dyn Read| ManifestHead::read(manifest);
    let head = read_manifest(store, &location, read_head)
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
    let head = head.map_err(refused)?;
    if let Some(tool) = other_tool(&head) {
        let message = format!("run `{}` is no export: `{tool}` wrote it", location.id());
        return Err(Failure::new(ExitStatus::Failed, message)
            .with_hint("`lob-import --list` lists the runs")
            .into());
    }
    let (id, is_legacy) = (location.id().clone(), head.is_legacy());
    let read_whole = move |manifest: &mut dyn Read| read(&id, is_legacy, manifest);
    let manifest = read_manifest(store, &location, read_whole).await?;
    let (manifest, manifest_hash) = manifest.map_err(refused)?;
    let splits = match manifest {
        Manifest::Ours(manifest) => {
            let splits = manifest.splits.into_iter().map(Split::exported);
            splits.collect::<Result<_, _>>().map_err(refused)?
        }
        Manifest::Legacy(manifest) => legacy::splits(store, &location, manifest).await?,
    };
    Ok(ChosenRun {
        location,
        splits,
        manifest_hash,
    })
}

/// A run that cannot be read may be the latest: taking the one before it would put old documents in
/// the place of newer ones.
async fn latest_of(store: &Store, folder: &Prefix) -> anyhow::Result<RunId> {
    let url = store.url(&folder.folder());
    let mut latest = None;
    for (id, listed) in list(store, folder).await? {
        match listed {
            Listed::Export(_) => latest = Some(id),
            Listed::OtherTool(tool) => tracing::info!(run = %id, tool, "passed over: no export"),
            Listed::Unreadable(error) => {
                let message =
                    format!("run `{id}` below `{url}` cannot be read, and may be the latest");
                return Err(Failure::new(ExitStatus::of(&error), message)
                    .with_hint("name a run with --run-id")
                    .caused_by(error)
                    .into());
            }
        }
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
