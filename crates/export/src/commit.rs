//! The commit: proves from the records alone that the whole plan was exported, and writes the
//! manifest.

use futures::{StreamExt as _, TryStreamExt as _};
use lob_columns::ColumnCounts;
use lob_core::checksum::Digest;
use lob_core::cli::Context;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::Statistics;
use lob_core::manifest::{
    Consistency, ExportedFile, PIPELINE_STAGE, SplitColumn, keep_local_copy, split_folder,
};
use lob_core::run::{Attested, Committed, OpenRun, PLAN_NAME, Proved};
use lob_core::store::{StoreError, StoreErrorKind};
use lob_core::text::counted;

use crate::chain::Chain;
use crate::confirm::{Exported, confirm};
use crate::manifest::{Manifest, Published, Split};
use crate::misfits;
use crate::open::Unfinished;
use crate::place::Place;
use crate::plan::{ExportPlan, SplitPlan, TOOL};
use crate::range::scan_failure;
use crate::settings::{ChecksumKind, ExportSettings};
use crate::shrink;
use crate::work::collections;

/// How many ranges' records to read at once.
const RANGES_AT_ONCE: usize = 16;

/// What the records say about the documents of a range, or of all ranges of a split so far.
#[derive(Default)]
struct Recorded {
    statistics: Statistics,
    column_counts: ColumnCounts,
    digest: Digest,
    files: Vec<ExportedFile>,
    attested: Vec<Attested>,
    /// Data files that may have open uploads.
    places: Vec<Place>,
    /// Ranges that are incomplete: a record or an object is missing.
    missing: Vec<u32>,
}

impl Recorded {
    /// Appends the next range.
    fn append(&mut self, mut next: Self) {
        self.statistics.append(next.statistics);
        self.column_counts.add(next.column_counts);
        self.digest.merge(next.digest);
        self.files.append(&mut next.files);
        self.attested.append(&mut next.attested);
        self.places.append(&mut next.places);
        self.missing.append(&mut next.missing);
    }
}

/// Publishes the run.
///
/// # Errors
/// Incomplete ranges; collections that are no longer the planned ones; objects that nobody recorded
/// or that differ from their record; server errors.
pub(crate) async fn commit(
    unfinished: &Unfinished,
    settings: &ExportSettings,
    context: &Context,
) -> anyhow::Result<Exported> {
    let Unfinished { run, plan, .. } = unfinished;
    let splits = counted(plan.splits.len(), "split");
    context.step(format!("verifying the records of {splits}"));
    let (exported, proved) = context.interrupt.or(prove(unfinished, context)).await?;
    let manifest = Manifest {
        run_id: run.location.id().clone(),
        export_timestamp: run.started,
        pipeline_stage: PIPELINE_STAGE,
        database: plan.settings.database.clone(),
        all_splits: plan.settings.split.numbers().is_none(),
        num_splits: exported.len() as u64,
        format: "parquet".to_owned(),
        compression: plan.settings.bytes.compression.to_string(),
        s3_config: run.s3_config(),
        total_documents: exported.iter().map(|split| split.num_documents).sum(),
        splits: exported,
        run: run.facts(
            TOOL,
            serde_json::to_value(&plan.settings.bytes)?,
            context.metrics.snapshot(),
        ),
    };
    shrink::check(plan, &manifest, settings.max_shrink)?;
    if let Some(allowed) = settings.max_misfits {
        misfits::check(&manifest, allowed)?;
    }
    misfits::warn(&manifest, run.location.id());
    let read = |bytes: &[u8]| Published::read(bytes);
    match run.commit(proved, manifest, read).await? {
        // From here on, nothing may fail the run.
        Committed::Now(bytes, manifest) => Ok(Exported {
            manifest_url: run.store.url(&run.location.manifest_key()),
            local_copy: keep_local_copy(&settings.manifest_dir, run.location.id(), &bytes),
            was_committed: false,
            metrics: context.metrics.snapshot(),
            manifest,
        }),
        Committed::Before(bytes) => confirm(run, &bytes, settings, context).await,
    }
}

/// Proves that the chains of records are complete, that the collections are still the planned ones,
/// that the folders hold exactly what is recorded, and that the server has every data file.
async fn prove(unfinished: &Unfinished, context: &Context) -> anyhow::Result<(Vec<Split>, Proved)> {
    let Unfinished {
        run,
        plan,
        database,
        is_resumed,
    } = unfinished;
    let mut splits = Vec::with_capacity(plan.splits.len());
    for split in &plan.splits {
        splits.push(recorded(run, split).await?);
    }
    check_complete(run, plan, &splits, context)?;
    collections(database, plan).await.map_err(scan_failure)?;
    if *is_resumed || context.metrics.was_repeated("CreateMultipartUpload") {
        abort_leftovers(run, &splits).await;
    }
    let (mut exported, mut attested) = (Vec::with_capacity(splits.len()), Vec::new());
    for (split, mut recorded) in plan.splits.iter().zip(splits) {
        attested.append(&mut recorded.attested);
        let described = describe(run, plan, split, recorded);
        check_folder(run, &described).await?;
        exported.push(described);
    }
    Ok((exported, Proved::of(attested)))
}

/// Sums up the ranges as they come: the names and roles of one range may take megabytes.
async fn recorded(run: &OpenRun, split: &SplitPlan) -> anyhow::Result<Recorded> {
    futures::stream::iter(0..split.range_count())
        .map(|number| recorded_range(run, split.split_id, number))
        .buffered(RANGES_AT_ONCE)
        .try_fold(Recorded::default(), async |mut sum, range| {
            sum.append(range);
            Ok(sum)
        })
        .await
}

async fn recorded_range(run: &OpenRun, split_id: u32, number: u32) -> anyhow::Result<Recorded> {
    let mut range = Recorded::default();
    let (mut chain, mut has_all_objects) = (Chain::of(split_id, number), true);
    while let Some(mut standing) = chain.read_on(run).await? {
        if standing.record.descriptions.is_empty() {
            continue;
        }
        let name = standing.record.place.file_name();
        let attested = match standing.identify(run).await {
            Err(error) if is_another_object(&error) => {
                let url = run.store.url(&run.key(&name));
                let message = format!(
                    "`{url}` does not match its record: its size, CRC64NVME or write token is \
                     different"
                );
                return Err(Failure::integrity(message).into());
            }
            attested => attested?,
        };
        let described = attested.and_then(|attested| {
            let mut descriptions = standing.record.descriptions.into_iter();
            Some((descriptions.nth(attested.candidate)?, attested))
        });
        let Some((description, attested)) = described else {
            has_all_objects = false;
            continue;
        };
        let file = description.exported(name, &attested.object);
        range.files.push(file);
        range.digest.merge(description.digest);
        range.statistics.append(description.statistics);
        range.column_counts.add(description.column_counts);
        range.attested.push(attested);
    }
    range.places = chain.places().chain(chain.ahead()).collect();
    if !(chain.is_complete && has_all_objects) {
        range.missing.push(number);
    }
    Ok(range)
}

fn is_another_object(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<StoreError>();
    error.is_some_and(|error| error.kind == StoreErrorKind::AlreadyExists)
}

fn check_complete(
    run: &OpenRun,
    plan: &ExportPlan,
    splits: &[Recorded],
    context: &Context,
) -> Result<(), Failure> {
    let mut incomplete = Vec::new();
    for (split, recorded) in plan.splits.iter().zip(splits) {
        let missing: Vec<_> = recorded.missing.iter().map(u32::to_string).collect();
        if !missing.is_empty() {
            let (count, missing) = (split.range_count(), missing.join(", "));
            incomplete.push(format!("`{}`: {missing} of {count}", split.collection));
        }
    }
    if incomplete.is_empty() {
        return Ok(());
    }
    let work = format!("lob-export work --run-id {}", run.location.id());
    let work = context.typed.command(&work);
    let message = format!("ranges are not exported yet: {}", incomplete.join("; "));
    Err(Failure::new(ExitStatus::Failed, message).with_hint(format!("`{work}` exports them")))
}

/// Aborts uploads that nobody needs now that every data file exists: those of a process that was
/// killed or overtaken, or whose creation got no reply.
async fn abort_leftovers(run: &OpenRun, splits: &[Recorded]) {
    let places = splits.iter().flat_map(|split| &split.places);
    let names = places.copied().map(Place::file_name);
    let names: Vec<String> = names.chain([PLAN_NAME.to_owned()]).collect();
    match run.abort_leftovers(&names).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "leftover uploads were aborted"),
        Err(error) => tracing::warn!("uploads may still be open: {error:#}"),
    }
}

/// The split as the manifest describes it, summed up from the records.
fn describe(run: &OpenRun, plan: &ExportPlan, split: &SplitPlan, recorded: Recorded) -> Split {
    let Recorded {
        statistics,
        column_counts,
        digest,
        files,
        ..
    } = recorded;
    let etags: Vec<_> = files.iter().map(|file| file.file.etag.as_str()).collect();
    let checksum = match plan.settings.checksum {
        ChecksumKind::Etag if !etags.is_empty() => format!("etag:{}", etags.join(",")),
        _ => statistics.checksum(),
    };
    let columns = split.columns.list().map(|(name, kind)| SplitColumn {
        name: name.to_owned(),
        kind,
    });
    Split {
        split_id: split.split_id,
        collection: split.collection.clone(),
        s3_path: run.store.url(&run.key(&split_folder(split.split_id))),
        num_documents: statistics.num_documents,
        role_distribution: statistics.roles_by_json_key(),
        feature_length: statistics.feature_length,
        checksum,
        further_roles: statistics.further_roles,
        schema_fields: statistics.schema_fields.into_iter().collect(),
        has_further_fields: statistics.has_further_fields,
        digest,
        residual_rows: files.iter().map(|file| file.residual_rows).sum(),
        columns: columns.collect(),
        column_tree: split.columns.clone(),
        column_counts,
        indexes: split.indexes.clone(),
        options: split.options.clone(),
        ranges: split.range_count(),
        consistency: plan
            .snapshot
            .map_or(Consistency::Live, |time| Consistency::Snapshot {
                seconds: time.seconds,
                increment: time.increment,
            }),
        files,
    }
}

/// Refuses a folder that holds more than the split: readers would take it for part of the table.
async fn check_folder(run: &OpenRun, split: &Split) -> anyhow::Result<()> {
    let strays = strays_of(run, split.split_id, &split.files).await?;
    let Some(stray) = strays.first() else {
        return Ok(());
    };
    let message = format!("`{}` is in no record of this run", run.store.url(stray));
    let hint = "something else writes to this run: remove the object, or use another --run-id";
    Err(Failure::new(ExitStatus::Failed, message)
        .with_hint(hint)
        .into())
}

/// The keys in the folder of a split that readers would read beside its `files`.
pub(crate) async fn strays_of(
    run: &OpenRun,
    split_id: u32,
    files: &[ExportedFile],
) -> Result<Vec<String>, StoreError> {
    let keys = files.iter().map(|file| file.file.key.as_str());
    run.strays(&split_folder(split_id), &keys.collect()).await
}
