//! `lob-export cleanup RUN`: lists and aborts the multipart uploads that a run left open in the
//! bucket, where they take up space and cost money unseen.

use futures::{StreamExt as _, TryStreamExt as _};
use lob_core::cli::{Context, Outcome};
use lob_core::run::{FoundRun, OpenRun, PLAN_NAME, RunLocation, abort_uploads};
use lob_core::settings::RunId;
use lob_core::store::{OpenUpload, Sending, Store, UploadId};
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

/// An open upload that no record names.
struct Leftover {
    key: String,
    upload: OpenUpload,
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
    context.step(format!("looking for open uploads of run `{id}`"));
    let connecting = Store::connect(&settings.s3, Sending::default(), &context.metrics);
    let store = context.interrupt.or(connecting).await?;
    let location = RunLocation::new(settings.s3.runs_folder()?, id.clone());
    let finding = FoundRun::<PlannedRanges>::find_planned(&store, location, TOOL);
    let found = context.interrupt.or(finding).await?;
    let looking = leftovers(&found.run, &found.plan.work);
    let leftovers = context.interrupt.or(looking).await?;
    if yes {
        let uploads = leftovers.iter().map(|l| (l.key.as_str(), &l.upload.id));
        abort_uploads(&store, uploads, &context.interrupt).await?;
    }
    Ok(outcome(
        &id,
        &store,
        &leftovers,
        yes,
        found.manifest.is_some(),
    ))
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
    });
    Ok(found.collect())
}

fn outcome(
    id: &RunId,
    store: &Store,
    leftovers: &[Leftover],
    aborted: bool,
    committed: bool,
) -> Outcome {
    let mut lines = Vec::new();
    for Leftover { key, upload } in leftovers {
        let since = match upload.initiated {
            Some(time) => time.to_string(),
            None => "an unknown time".to_owned(),
        };
        lines.push(format!("{}  open since {since}", store.url(key)));
    }
    let count = leftovers.len();
    lines.push(match (count, aborted) {
        (0, _) => format!("run `{id}` has no open uploads except those in its records"),
        (_, true) => format!("aborted {} of run `{id}`", counted(count, "upload")),
        (_, false) => format!(
            "run `{id}` has {} open that no record names, perhaps from a process that is still \
             running; abort with --yes",
            counted(count, "upload")
        ),
    });
    if !committed {
        lines.push(format!(
            "the run is not complete: `--run-id {id}` resumes it"
        ));
    }
    let uploads: Vec<_> = leftovers
        .iter()
        .map(|Leftover { key, upload }| {
            serde_json::json!({
                "key": key,
                "upload_id": upload.id,
                "initiated": upload.initiated,
            })
        })
        .collect();
    let json = serde_json::json!({
        "run_id": id,
        "committed": committed,
        "aborted": aborted,
        "uploads": uploads,
    });
    match aborted {
        true => Outcome::step(lines, json),
        false => Outcome::answer(lines, json),
    }
}
