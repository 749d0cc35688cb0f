//! `lob-export latest`: names the run that jobs should read now, and where its splits are.
//!
//! A job that picks the newest folder may read a run that is not committed or not the latest.

use std::io::Read;

use lob_core::cli::{Context, Outcome};
use lob_core::failure::Failure;
use lob_core::manifest::{LegacyManifest, ManifestError, PublishedExport, split_folder};
use lob_core::run::{FOR_JOBS, RunLocation, Writer, latest_run, read_manifest};
use lob_core::store::{Sending, Store};
use lob_core::text::counted;
use serde_json::json;

use crate::settings::ExportSettings;

/// Finds the export with the latest time in its manifest. With `print_uri`, the text is just the
/// addresses of its splits, one per line.
///
/// # Errors
/// There is no run, a run that may be the latest cannot be read, or the store fails.
pub(crate) async fn latest(
    print_uri: bool,
    settings: &ExportSettings,
    context: &Context,
) -> anyhow::Result<Outcome> {
    context.step("reading the manifests of the runs");
    let finding = async {
        let folder = settings.s3.runs_folder()?;
        let store = Store::connect(&settings.s3, Sending::default(), &context.metrics).await?;
        let (id, summary) = latest_run(&store, &folder, Writer::Export, FOR_JOBS).await?;
        let run = RunLocation::new(folder, id);
        let is_legacy = summary.is_legacy();
        let read = move |manifest: &mut dyn Read| splits(is_legacy, manifest);
        let splits = read_manifest(&store, &run, read).await?;
        let splits = splits.map_err(|error| {
            let url = store.url(&run.manifest_key());
            Failure::new(error.exit_status(), format!("`{url}` cannot be used")).caused_by(error)
        })?;
        anyhow::Ok((store, run, summary.time, splits))
    };
    let (store, run, time, splits) = context.interrupt.or(finding).await?;
    let uri = |split_id| store.url(&run.key(&split_folder(split_id)));
    let id = run.id();
    let documents: u64 = splits.iter().map(|(_, documents)| documents).sum();
    let mut lines = Vec::with_capacity(splits.len() + 1);
    if !print_uri {
        lines.push(format!(
            "run {id} of {time:.0}: {} of {}",
            counted(documents, "document"),
            counted(splits.len(), "split")
        ));
    }
    lines.extend(splits.iter().map(|(split_id, documents)| match print_uri {
        true => uri(*split_id),
        false => format!("  {}: {}", uri(*split_id), counted(*documents, "document")),
    }));
    let json = json!({
        "run_id": id,
        "export_timestamp": time,
        "splits": splits.iter().map(|(split_id, documents)| json!({
            "split_id": split_id,
            "documents": documents,
            "uri": uri(*split_id),
        })).collect::<Vec<_>>(),
    });
    Ok(Outcome::answer(lines, json))
}

/// The numbers of the splits, each with its document count.
fn splits(is_legacy: bool, manifest: &mut dyn Read) -> Result<Vec<(u32, u64)>, ManifestError> {
    Ok(if is_legacy {
        let splits = LegacyManifest::read(manifest)?.splits.into_iter();
        splits
            .map(|split| (split.split_id, split.num_documents))
            .collect()
    } else {
        let splits = <PublishedExport>::read(manifest)?.splits.into_iter();
        splits
            .map(|split| (split.split_id, split.num_documents))
            .collect()
    })
}
