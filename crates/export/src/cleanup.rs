//! `lob-export cleanup RUN`: lists and aborts the multipart uploads that no record of the run names.

use futures::{StreamExt as _, TryStreamExt as _};
use lob_core::cli::{Cleanup, Context, Leftover, Outcome};
use lob_core::run::{OpenRun, PLAN_NAME};
use lob_core::settings::RunId;
use lob_core::store::UploadId;
use lob_core::text::counted;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::chain::Chain;
use crate::plan::TOOL;
use crate::settings::ExportSettings;

/// How many ranges to look up at once.
const RANGES_AT_ONCE: usize = 16;

/// The part of a plan about ranges that every version has.
#[derive(Deserialize)]
struct PlannedRanges {
    splits: Vec<PlannedSplit>,
}

#[derive(Deserialize)]
struct PlannedSplit {
    split_id: u32,
    ranges: Vec<IgnoredAny>,
}

/// Lists the run's open multipart uploads that no record names, and aborts them if `yes` is set.
///
/// # Errors
/// The run has no plan, or the store fails.
pub(crate) async fn cleanup(
    id: RunId,
    yes: bool,
    settings: &ExportSettings,
    context: &Context,
) -> anyhow::Result<Outcome> {
    let cleaning = Cleanup::of(id.clone(), yes, &settings.s3, TOOL, context, leftovers);
    let cleanup = cleaning.await?;
    let mut lines = cleanup.lines(|()| String::new());
    let uploads = counted(cleanup.leftovers.len(), "upload");
    lines.push(match (cleanup.leftovers.len(), yes) {
        (0, _) => format!("run `{id}` has no open uploads except those in its records"),
        (_, true) => format!("aborted {uploads} of run `{id}`"),
        (_, false) => format!(
            "run `{id}` has {uploads} open that no record names, perhaps from a process that is \
             still running; abort with --yes"
        ),
    });
    if !cleanup.is_committed {
        lines.push(format!(
            "the run is not complete: `--run-id {id}` resumes it"
        ));
    }
    Ok(cleanup.outcome(lines))
}

async fn leftovers(run: &OpenRun, plan: &PlannedRanges) -> anyhow::Result<Vec<Leftover>> {
    let ranges = plan.splits.iter().flat_map(|split| {
        let numbers = (0_u32..).zip(&split.ranges).map(|(number, _)| number);
        numbers.map(|number| (split.split_id, number))
    });
    let of_ranges: Vec<Vec<Leftover>> = futures::stream::iter(ranges)
        .map(|(split_id, number)| of_range(run, split_id, number))
        .buffered(RANGES_AT_ONCE)
        .try_collect()
        .await?;
    let mut found: Vec<Leftover> = of_ranges.into_iter().flatten().collect();
    found.append(&mut of_object(run, PLAN_NAME, &[]).await?);
    Ok(found)
}

/// A range's uploads have the keys of its records, or one that comes next.
async fn of_range(run: &OpenRun, split_id: u32, number: u32) -> anyhow::Result<Vec<Leftover>> {
    let mut chain = Chain::of(split_id, number);
    let mut found = Vec::new();
    while let Some(standing) = chain.read_on(run).await? {
        let record = standing.record;
        let named: Vec<UploadId> = record
            .descriptions
            .into_iter()
            .map(|d| d.upload_id)
            .collect();
        found.append(&mut of_object(run, &record.place.file_name(), &named).await?);
    }
    for place in chain.ahead() {
        found.append(&mut of_object(run, &place.file_name(), &[]).await?);
    }
    Ok(found)
}

async fn of_object(run: &OpenRun, name: &str, named: &[UploadId]) -> anyhow::Result<Vec<Leftover>> {
    let key = run.key(name);
    let open = run.store.open_uploads(&key).await?;
    let unnamed = open
        .into_iter()
        .filter(|upload| !named.contains(&upload.id));
    let found = unnamed.map(|upload| Leftover {
        key: key.clone(),
        upload,
        details: (),
    });
    Ok(found.collect())
}
