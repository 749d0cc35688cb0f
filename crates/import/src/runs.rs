//! The run to import, and its manifest.

use std::io::{self, Read};

use lob_core::checksum::{Sha256, Sha256Hasher};
use lob_core::cli::Context;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::{LegacyManifest, ManifestError, ManifestHead, PublishedExport};
use lob_core::run::{RunLocation, Writer, latest_run, missing_run, read_manifest};
use lob_core::settings::SplitSelection;
use lob_core::settings::{Prefix, RunId};
use lob_core::store::{Store, StoreErrorKind};
use lob_core::text::counted;

use crate::legacy;
use crate::splits::Split;

/// How many of a run's splits a hint names.
const SHOWN: usize = 20;

/// A run to import, and where its data files are.
#[derive(Debug)]
pub(crate) struct ChosenRun {
    pub(crate) location: RunLocation,
    pub(crate) splits: Vec<Split>,
    /// The hash of the manifest's bytes, which identifies what is imported.
    pub(crate) manifest_hash: Sha256,
}

impl ChosenRun {
    /// The requested splits of the manifest.
    pub(crate) fn select(&self, selection: &SplitSelection) -> anyhow::Result<Vec<&Split>> {
        let all = &self.splits;
        let Some(wanted) = selection.numbers() else {
            return Ok(all.iter().collect());
        };
        if let Some(missing) = wanted
            .iter()
            .find(|id| all.iter().all(|s| s.split_id != **id))
        {
            let existing = all.iter().map(|split| split.split_id.to_string());
            let mut shown: Vec<_> = existing.take(SHOWN).collect();
            if all.len() > SHOWN {
                shown.push("…".to_owned());
            }
            let (count, shown) = (counted(all.len(), "split"), shown.join(", "));
            let message = format!("run `{}` has no split {missing}", self.location.id());
            return Err(Failure::new(ExitStatus::Failed, message)
                .with_hint(format!("it has {count}: {shown}"))
                .into());
        }
        Ok(all
            .iter()
            .filter(|split| wanted.contains(&split.split_id))
            .collect())
    }
}

/// A manifest, by who wrote it.
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

/// Hashes bytes as they are read.
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

/// Run `id`, or the one with the latest time in its manifest.
pub(crate) async fn choose(
    store: &Store,
    folder: Prefix,
    id: Option<&RunId>,
    latest: bool,
    context: &Context,
) -> anyhow::Result<ChosenRun> {
    let list = context.typed.command("lob-import list");
    let list = format!("`{list}` lists the runs");
    let id = match id {
        _ if latest => {
            let way_out = "choose a run with --run-id";
            let (id, _) = latest_run(store, &folder, Writer::Export, way_out).await?;
            id
        }
        Some(id) => id.clone(),
        None => {
            return Err(Failure::usage("no run id is set")
                .with_hint("set --run-id, or import the latest run with --latest")
                .into());
        }
    };
    let location = RunLocation::new(folder, id);
    let url = store.url(&location.manifest_key());
    let read_head = |manifest: &mut dyn Read| ManifestHead::read(manifest);
    let head = match read_manifest(store, &location, read_head).await {
        Err(error) if error.kind == StoreErrorKind::NotFound => {
            return Err(missing_run(store, &location, &list).await?.into());
        }
        head => head?,
    };
    let refused = |error: ManifestError| {
        let failure = Failure::new(error.exit_status(), format!("`{url}` cannot be used"));
        match error {
            ManifestError::Version(_) => failure.with_hint("use the version that wrote it"),
            _ => failure,
        }
        .caused_by(error)
    };
    let head = head.map_err(refused)?;
    if let Some(tool) = head.other_tool() {
        let message = format!(
            "run `{}` is not an export: `{tool}` wrote it",
            location.id()
        );
        return Err(Failure::new(ExitStatus::Failed, message)
            .with_hint(list)
            .into());
    }
    let (id, is_legacy) = (location.id().clone(), head.is_legacy());
    let read_whole = move |manifest: &mut dyn Read| read(&id, is_legacy, manifest);
    let manifest = read_manifest(store, &location, read_whole).await?;
    let (manifest, manifest_hash) = manifest.map_err(refused)?;
    let splits = match manifest {
        Manifest::Ours(manifest) => {
            let splits = manifest.splits.into_iter().map(Split::exported);
            splits.collect()
        }
        Manifest::Legacy(manifest) => legacy::splits(store, &location, manifest).await?,
    };
    Ok(ChosenRun {
        location,
        splits,
        manifest_hash,
    })
}
