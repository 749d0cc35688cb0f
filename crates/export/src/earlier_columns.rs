//! The columns of an earlier run, reused by the next one so that readers find all runs alike.
//!
//! Earlier runs are untrusted, and no reason to fail tonight's: whatever cannot be read is skipped
//! with a warning.

use std::io::Read;

use anyhow::Context as _;
use lob_columns::{ColumnCounts, Columns};
use lob_core::manifest::PublishedExport;
use lob_core::run::{FoundRun, OpenRun, RunLocation, read_manifest};
use lob_core::settings::{Prefix, RunId};
use lob_core::store::{Store, StoreErrorKind};

use crate::chain::Chain;
use crate::columns_from::ColumnsFrom;
use crate::history::History;
use crate::plan::{ExportPlan, SplitPlan, TOOL};

/// How many manifests to search for collections that the latest ones lack.
const MAX_LOOKED_INTO: usize = 10;

/// The columns of one collection in an earlier run, and counts of what they could not hold.
#[derive(Debug, Clone)]
pub(crate) struct EarlierColumns {
    pub(crate) run: RunId,
    collection: String,
    pub(crate) columns: Columns,
    pub(crate) counts: ColumnCounts,
}

/// What earlier runs say about the collections of a database.
#[derive(Debug, Default)]
pub(crate) struct EarlierRuns(Vec<EarlierColumns>);

impl EarlierRuns {
    /// The columns of a collection in the latest run that has it.
    pub(crate) fn columns(&self, collection: &str) -> Option<&EarlierColumns> {
        self.0
            .iter()
            .find(|columns| columns.collection == collection)
    }

    /// Finds the columns of these collections.
    ///
    /// # Errors
    /// A run named in the setting cannot be read.
    pub(crate) async fn find(
        store: &Store,
        prefix: &Prefix,
        from: &ColumnsFrom,
        history: &History,
        database: &str,
        collections: &[&str],
    ) -> anyhow::Result<Self> {
        match from {
            ColumnsFrom::None => Ok(Self::default()),
            ColumnsFrom::Run(id) => of_run(store, prefix, id, database)
                .await
                .with_context(|| format!("the columns of run `{id}` cannot be reused")),
            ColumnsFrom::Latest => {
                Ok(of_latest(store, prefix, history, database, collections).await)
            }
        }
    }
}

async fn of_latest(
    store: &Store,
    prefix: &Prefix,
    history: &History,
    database: &str,
    collections: &[&str],
) -> EarlierRuns {
    let (mut found, count) = (EarlierRuns::default(), history.ids().len());
    for id in history.ids().take(MAX_LOOKED_INTO) {
        match of_run(store, prefix, id, database).await {
            Ok(of_run) => found.0.extend(of_run.0),
            Err(error) => tracing::warn!(run = %id, "its columns are not reused: {error:#}"),
        }
        if collections.iter().all(|name| found.columns(name).is_some()) {
            return found;
        }
    }
    if count > MAX_LOOKED_INTO {
        let missing = collections
            .iter()
            .filter(|name| found.columns(name).is_none());
        let missing: Vec<_> = missing.copied().collect();
        tracing::warn!(
            "choosing new columns for {}: the last {MAX_LOOKED_INTO} runs do not have any; use \
             --columns-from to name another run",
            missing.join(", ")
        );
    }
    found
}

async fn of_run(
    store: &Store,
    prefix: &Prefix,
    id: &RunId,
    database: &str,
) -> anyhow::Result<EarlierRuns> {
    let location = RunLocation::new(prefix.clone(), id.clone());
    let read = |manifest: &mut dyn Read| PublishedExport::<Columns, ColumnCounts>::read(manifest);
    let manifest = match read_manifest(store, &location, read).await {
        Err(error) if error.kind == StoreErrorKind::NotFound => {
            return of_unfinished(store, location, database).await;
        }
        manifest => manifest??,
    };
    anyhow::ensure!(
        manifest.database == database,
        "it is from database `{}`",
        manifest.database
    );
    let mut found = EarlierRuns::default();
    for split in manifest.splits {
        // Version 1 has no columns.
        if let (Some(columns), Some(counts)) = (split.column_tree, split.column_counts) {
            found.0.push(EarlierColumns {
                run: id.clone(),
                collection: split.collection,
                columns,
                counts,
            });
        }
    }
    Ok(found)
}

/// An uncommitted run's records say what was counted.
async fn of_unfinished(
    store: &Store,
    location: RunLocation,
    database: &str,
) -> anyhow::Result<EarlierRuns> {
    let id = location.id().clone();
    let found = FoundRun::<ExportPlan>::find(store, location, TOOL).await?;
    let found = found.context("there is no such run")?;
    let plan = found.plan.work;
    anyhow::ensure!(
        plan.settings.database == database,
        "it is from database `{}`",
        plan.settings.database
    );
    let mut earlier = EarlierRuns::default();
    for split in plan.splits {
        let counts = recorded_counts(&found.run, &split).await?;
        earlier.0.push(EarlierColumns {
            run: id.clone(),
            collection: split.collection,
            columns: split.columns,
            counts,
        });
    }
    Ok(earlier)
}

async fn recorded_counts(run: &OpenRun, split: &SplitPlan) -> anyhow::Result<ColumnCounts> {
    let mut counts = ColumnCounts::default();
    for number in 0..split.range_count() {
        let mut chain = Chain::of(split.split_id, number);
        while let Some(standing) = chain.read_on(run).await? {
            let newest = standing.record.descriptions.into_iter().next();
            if let Some(description) = newest {
                counts.add(description.column_counts);
            }
        }
    }
    Ok(counts)
}
