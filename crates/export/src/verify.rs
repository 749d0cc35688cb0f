//! `lob-export verify RUN`: checks that everything the manifest promises is still there and
//! unchanged.
//!
//! This covers the data files, their records, which prove that a run is complete, and the folders of
//! the splits, of which readers read everything.

use futures::{StreamExt as _, TryStreamExt as _};
use lob_core::cli::{Context, Outcome};
use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::{ExportedFile, PublishedExport};
use lob_core::run::{CommittedRun, OpenRun};
use lob_core::settings::RunId;
use lob_core::store::StoreError;
use serde_json::json;

use crate::commit::strays_of;
use crate::place::Place;
use crate::record::Record;
use crate::settings::ExportSettings;

/// How many folders to list at once.
const FOLDERS_AT_ONCE: usize = 16;

/// Checks every data file of the run with the server and reads its record; with `full`, also
/// downloads and hashes each data file.
///
/// # Errors
/// A run that does not exist or is not ours; data files and records that are not what the manifest
/// says (exit status 3).
pub(crate) async fn verify(
    id: RunId,
    full: bool,
    settings: &ExportSettings,
    context: &Context,
) -> anyhow::Result<Outcome> {
    context.step(format!("reading the manifest of run `{id}`"));
    let (s3, max_bandwidth) = (&settings.s3, settings.parts.max_bandwidth);
    let finding = CommittedRun::<PublishedExport>::find(
        id,
        s3,
        max_bandwidth,
        &context.metrics,
        &context.interrupt,
    );
    let committed = finding.await?;
    context.step("listing the folders of its splits");
    let strays = context.interrupt.or(strays(&committed)).await?;
    let further = async |file: &ExportedFile| difference(&committed.run, file).await;
    let verifying = committed.verify(full, &*context.progress, further, strays);
    let verified = context.interrupt.or(verifying).await?;
    let (mut lines, mut json) = (verified.lines(), verified.json());
    lines.push("records   every data file has one that matches".to_owned());
    json["metrics"] = json!(context.metrics.snapshot());
    Ok(Outcome::answer(lines, json))
}

/// Says which objects readers would take for part of a split that the manifest does not list.
async fn strays(committed: &CommittedRun<PublishedExport>) -> Result<Vec<String>, StoreError> {
    let run = &committed.run;
    let listed = futures::stream::iter(&committed.manifest.splits)
        .map(|split| strays_of(run, split.split_id, &split.files))
        .buffered(FOLDERS_AT_ONCE)
        .try_concat()
        .await?;
    let told = |key: &String| {
        let url = run.store.url(key);
        format!("`{url}` is not in the manifest, but readers of the folder would read it")
    };
    Ok(listed.iter().map(told).collect())
}

/// Returns how the record of a data file differs from the manifest, if it does.
async fn difference(run: &OpenRun, file: &ExportedFile) -> anyhow::Result<Option<String>> {
    let key = &file.file.key;
    let Some(place) = Place::of_file(key) else {
        let url = run.store.url(&run.key(key));
        return Ok(Some(format!("`{url}` has a name that no record describes")));
    };
    let found = match Record::read(run, place).await {
        Ok(Some(standing)) if standing.record.describes(file) => return Ok(None),
        Ok(Some(_)) => "contradicts the manifest",
        Ok(None) => "is missing",
        Err(error) if error.is::<Failure>() && ExitStatus::of(&error) == ExitStatus::Integrity => {
            "cannot be read"
        }
        Err(error) => return Err(error),
    };
    let url = run.store.url(&run.key(&place.record_name()));
    Ok(Some(format!("the record `{url}` {found}")))
}
