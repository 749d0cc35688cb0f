//! Exports the ranges of a run, several at once.

use std::num::NonZeroUsize;
use std::sync::Arc;

use futures::StreamExt as _;
use lob_core::failure::{ExitStatus, worst};
use lob_core::progress::{Measure, Work};
use lob_mongo::{Collection, Database, Error};

use crate::job::{Job, Jobs};
use crate::plan::{ExportPlan, SplitPlan};
use crate::range::{Export, Range};
use crate::tally::Tally;
use crate::worker::Worker;

/// How many more ranges than `jobs` are under way, since the documents of some are all encoded, but
/// their last data file is not an object yet.
const MOST_SETTLING: usize = 2;

/// The collections of the plan's splits.
///
/// # Errors
/// A collection that is gone or has been replaced, or a server that does not answer.
pub(crate) async fn collections(
    database: &Database,
    plan: &ExportPlan,
) -> lob_mongo::Result<Vec<Collection>> {
    let mut collections = Vec::new();
    for split in &plan.splits {
        let found = database.collection(&split.collection).await?;
        let same = found.filter(|found| found.uuid().map(|u| u.to_string()) == split.uuid);
        collections.push(same.ok_or_else(|| Error::Replaced {
            namespace: format!("{}.{}", database.name(), split.collection),
        })?);
    }
    Ok(collections)
}

/// Exports this worker's ranges. The first failure stops the others; returns once each of them has
/// released what it had open.
pub(crate) async fn work(
    mut export: Export,
    worker: Worker,
    jobs: NonZeroUsize,
) -> anyhow::Result<Tally> {
    let interrupt = export.context.interrupt.clone();
    let stop = interrupt.child();
    export.context.interrupt = stop.clone();
    let ranges: Vec<(usize, u32)> = positions(&export.splits)
        .enumerate()
        .filter(|(position, _)| worker.takes(*position))
        .map(|(_, range)| range)
        .collect();
    export.context.progress.begin(Work {
        bytes: None,
        items: Some(documents(&export.splits, &ranges)),
        unit: "documents",
        is_estimate: true,
        measure: Measure::Items,
    });
    let export = Arc::new(export);
    let places = Jobs::new(jobs);
    let exporting = |(split, number)| {
        let exporting = export_one(Arc::clone(&export), split, number, places.job());
        tokio::spawn(exporting)
    };
    let mut exporting = futures::stream::iter(ranges)
        .take_while(|_| std::future::ready(!stop.is_raised()))
        .map(exporting)
        .buffer_unordered(jobs.get().saturating_add(MOST_SETTLING));
    let mut tally = Tally::default();
    let mut failures: Vec<anyhow::Error> = Vec::new();
    while let Some(done) = exporting.next().await {
        match done.map_err(Into::into).flatten() {
            Ok(exported) => tally.add(exported),
            Err(failure) => {
                stop.stop();
                failures.push(failure);
            }
        }
    }
    worst(failures)?;
    interrupt.check()?;
    export.context.progress.end();
    Ok(tally)
}

/// All ranges of all splits, as split positions and range numbers.
fn positions(splits: &[(SplitPlan, Collection)]) -> impl Iterator<Item = (usize, u32)> {
    let numbered = splits.iter().enumerate();
    numbered.flat_map(|(position, (split, _))| {
        (0..split.range_count()).map(move |number| (position, number))
    })
}

/// A rough count of the documents in these ranges.
fn documents(splits: &[(SplitPlan, Collection)], ranges: &[(usize, u32)]) -> u64 {
    let of_range = |&(split, _): &(usize, u32)| {
        let (split, _) = splits.get(split)?;
        Some(split.estimated_documents / u64::from(split.range_count().max(1)))
    };
    ranges.iter().filter_map(of_range).sum()
}

async fn export_one(
    export: Arc<Export>,
    split: usize,
    number: u32,
    job: Job,
) -> anyhow::Result<Tally> {
    let Some((split, collection)) = export.splits.get(split) else {
        return Ok(Tally::default());
    };
    let range = Range {
        export: &export,
        split,
        collection,
        number,
    };
    let exported = range.export(job).await;
    exported.map_err(|error| {
        if ExitStatus::of(&error).is_interrupt() {
            return error;
        }
        let namespace = collection.namespace();
        error.context(match split.range_count() {
            1 => format!("failed to export `{namespace}`"),
            count => format!("failed to export range {number} of {count} of `{namespace}`"),
        })
    })
}
