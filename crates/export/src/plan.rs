//! What an export will do: its splits, each with the columns of all its data files and the ranges
//! that it is cut into.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _};
use lob_columns::{Columns, ColumnsProposal};
use lob_core::byte_size::ByteSize;
use lob_core::failure::Failure;
use lob_core::run::Prefix;
use lob_core::store::Store;
use lob_mongo::{
    Choice, ClusterTime, Collection, Database, IdRange, RangeSize, SampleSize, ScanOptions,
    ScanRange,
};
use serde::{Deserialize, Serialize};

use crate::columns_from::{EarlierColumns, EarlierRuns};
use crate::history::{DocumentsBefore, Gone, History};
use crate::manifest;
use crate::number_or::NumberOr;
use crate::settings::PlannedSettings;

/// The tool's name in plans and manifests.
pub(crate) const TOOL: &str = "lob-export";
/// Bytes of documents of each kind, the first and the even, by which columns are chosen.
const SAMPLE_LIMIT: ByteSize = ByteSize::mib(16);
/// Documents of each kind by which only the size of documents is learned.
const SIZE_SAMPLE: u32 = 100;
/// Splits that are planned at once: a server that is far away answers them together, and each takes
/// up to two samples of memory.
const SPLITS_AT_ONCE: usize = 4;
/// Documents that wait while all are read to choose the columns.
const READ_AHEAD: ByteSize = ByteSize::mib(16);
/// Characters of a type in a message.
const MAX_TYPE_CHARS: usize = 100;

/// The export's own part of the plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ExportPlan {
    pub(crate) settings: PlannedSettings,
    /// The moment that all documents are of; each its own where it is absent.
    pub(crate) snapshot: Option<ClusterTime>,
    /// The primary's time when the run was planned: what any worker reads is not before it. Absent
    /// where the server is no replica set.
    pub(crate) newest: Option<ClusterTime>,
    pub(crate) splits: Vec<SplitPlan>,
    /// Collections of the last run that are not there any more, where all splits are meant.
    #[serde(default)]
    pub(crate) gone: Vec<Gone>,
}

/// One split of the plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SplitPlan {
    pub(crate) split_id: u32,
    pub(crate) collection: String,
    /// The collection's UUID, where the server gives it one.
    pub(crate) uuid: Option<String>,
    /// Documents, as the server estimates: for the progress alone.
    pub(crate) estimated_documents: u64,
    /// Documents in the last run that has the collection, where there is one.
    #[serde(default)]
    pub(crate) documents_before: Option<DocumentsBefore>,
    /// The mean size of the sampled documents.
    pub(crate) mean_document_size: ByteSize,
    /// The columns of every data file.
    pub(crate) columns: Columns,
    /// Indexes and options of the collection, as the manifest has them.
    pub(crate) indexes: Vec<String>,
    pub(crate) options: Option<String>,
    /// Whether a part of it can be scanned alone.
    pub(crate) is_divisible: bool,
    /// How documents all over the collection were chosen for the sample.
    pub(crate) sample_choice: Choice,
    /// How the bounds of the ranges were chosen.
    pub(crate) ranges_choice: Choice,
    /// Gapless, from unbounded to unbounded.
    pub(crate) ranges: Vec<IdRange>,
}

impl ExportPlan {
    /// A plan is read from a bucket, and a commit proves no more than that all of it was exported.
    ///
    /// # Errors
    /// A split twice; ranges that are not gapless from unbounded to unbounded.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let mut numbers = BTreeSet::new();
        let broken = self
            .splits
            .iter()
            .find(|split| !numbers.insert(split.split_id) || !split.is_gapless());
        match broken {
            None => Ok(()),
            Some(split) => Err(Failure::integrity(format!(
                "the ranges of split {} in the plan do not hold every document once",
                split.split_id
            ))),
        }
    }
}

impl SplitPlan {
    fn is_gapless(&self) -> bool {
        let (first, last) = (self.ranges.first(), self.ranges.last());
        let follows = |two: &[IdRange]| matches!(two, [a, b] if a.to.is_some() && a.to == b.from);
        first.is_some_and(|first| first.from.is_none())
            && last.is_some_and(|last| last.to.is_none())
            && self.ranges.windows(2).all(follows)
    }

    /// The numbers of the ranges are those below this one.
    pub(crate) fn range_count(&self) -> u32 {
        u32::try_from(self.ranges.len()).unwrap_or(u32::MAX)
    }
}

/// Finds the splits, cuts them into ranges and chooses their columns, by those of the runs in
/// `store` below `prefix`.
pub(crate) async fn plan(
    store: &Store,
    prefix: &Prefix,
    database: &Database,
    settings: PlannedSettings,
) -> anyhow::Result<ExportPlan> {
    let splits = database
        .splits(&settings.collection_pattern, settings.split.numbers())
        .await;
    let splits = splits.map_err(Failure::from)?;
    let snapshot = match splits.first().filter(|_| settings.snapshot) {
        Some(split) => {
            let time = split.collection.snapshot_time().await;
            Some(time.map_err(Failure::from)?)
        }
        None => None,
    };
    let names: Vec<_> = splits.iter().map(|split| split.collection.name()).collect();
    let (from, name) = (&settings.columns_from, &settings.database);
    let history = History::of(store, prefix, name).await;
    let earlier = EarlierRuns::find(store, prefix, from, &history, name, &names).await?;
    let planning = splits.iter().map(|split| {
        let earlier = earlier.columns(split.collection.name());
        plan_split(split.split, &split.collection, &settings, snapshot, earlier)
    });
    let planning = futures::stream::iter(planning).buffered(SPLITS_AT_ONCE);
    let mut planned: Vec<_> = planning.try_collect().await?;
    for split in &mut planned {
        split.documents_before = history.documents(&split.collection);
    }
    manifest::check_limits(&planned, settings.bytes.file_size)?;
    warn_of_paths_without_documents(&settings, &planned);
    let gone = match settings.split.numbers() {
        None => history.gone(&settings.collection_pattern, &names),
        Some(_) => Vec::new(),
    };
    for Gone { collection, before } in &gone {
        let (run, documents) = (&before.run, before.documents);
        tracing::warn!("`{collection}` is gone: run `{run}` has {documents} documents of it");
    }
    Ok(ExportPlan {
        settings,
        snapshot,
        newest: database.newest(),
        splits: planned,
        gone,
    })
}

/// A path may be right and its documents rare, so this is no error.
fn warn_of_paths_without_documents(settings: &PlannedSettings, splits: &[SplitPlan]) {
    let maps = settings.map.iter().map(|path| ("--map", path));
    let structs = settings.r#struct.iter().map(|path| ("--struct", path));
    for (flag, path) in maps.chain(structs) {
        if !splits
            .iter()
            .any(|split| split.columns.has_documents_at(path))
        {
            tracing::warn!(
                "{flag} {path} does nothing: the sample has no documents with fields there"
            );
        }
    }
}

async fn plan_split(
    split_id: u32,
    collection: &Collection,
    settings: &PlannedSettings,
    snapshot: Option<ClusterTime>,
    earlier: Option<&EarlierColumns>,
) -> anyhow::Result<SplitPlan> {
    let count = match settings.columns_sample {
        NumberOr::Number(count) => count.get(),
        NumberOr::Word(_) => SIZE_SAMPLE,
    };
    let size = SampleSize {
        first: count,
        even: count,
        limit: SAMPLE_LIMIT,
    };
    let wanted = match settings.ranges {
        NumberOr::Number(count) => RangeSize::Count(count.get()),
        NumberOr::Word(_) => RangeSize::Bytes(settings.range_size),
    };
    let outline = collection.outline(count, wanted).await;
    let outline = outline.map_err(Failure::from)?;
    let sample = collection.sample(size, &outline).await;
    let sample = sample.map_err(Failure::from)?;
    let mean_document_size = sample.mean_document_size();
    let (maps, structs) = (settings.map.clone(), settings.r#struct.clone());
    let mut proposal = ColumnsProposal::with_natures(maps, structs);
    for document in &sample.first {
        // They are much alike, and say nothing of how frequent a field is.
        let observed = if sample.even.is_empty() {
            proposal.observe(document.as_bytes())
        } else {
            proposal.observe_uneven(document.as_bytes())
        };
        observed.with_context(|| malformed(collection))?;
    }
    for document in &sample.even {
        let observed = proposal.observe(document.as_bytes());
        observed.with_context(|| malformed(collection))?;
    }
    if let NumberOr::Word(_) = settings.columns_sample {
        let options = ScanOptions {
            queue: READ_AHEAD,
            mean_document_size,
            at: snapshot,
        };
        observe_all(&mut proposal, collection, options).await?;
    }
    let definition = collection.definition().await.map_err(Failure::from)?;
    Ok(SplitPlan {
        split_id,
        collection: collection.name().to_owned(),
        uuid: collection.uuid().map(|uuid| uuid.to_string()),
        estimated_documents: collection.estimated_count().await.map_err(Failure::from)?,
        documents_before: None,
        mean_document_size,
        columns: choose_columns(proposal, earlier, collection),
        indexes: definition.indexes,
        options: definition.options,
        is_divisible: outline.is_divisible(),
        sample_choice: sample.choice,
        ranges_choice: outline.ranges_choice(),
        ranges: outline.ranges(),
    })
}

/// Reads the whole collection before it is exported, for columns that leave nothing out.
async fn observe_all(
    proposal: &mut ColumnsProposal,
    collection: &Collection,
    options: ScanOptions,
) -> anyhow::Result<()> {
    let namespace = collection.namespace();
    tracing::info!(%namespace, "all documents are read once to choose the columns, and then again");
    let mut scan = collection.scan(ScanRange::default(), options);
    while let Some(batch) = scan.next().await.map_err(Failure::from)? {
        for document in batch.documents()? {
            let document = document.map_err(Failure::from)?;
            let observed = proposal.observe(document.as_bytes());
            observed.with_context(|| malformed(collection))?;
        }
    }
    Ok(())
}

fn malformed(collection: &Collection) -> String {
    format!("a document of `{}` is malformed", collection.namespace())
}

/// The columns of an earlier run as far as they take today's documents, and in any case today's.
fn choose_columns(
    proposal: ColumnsProposal,
    earlier: Option<&EarlierColumns>,
    collection: &Collection,
) -> Columns {
    let namespace = collection.namespace();
    let Some(earlier) = earlier else {
        let columns = proposal.finish();
        for (name, _) in columns
            .list()
            .filter(|(_, kind)| kind.contains("decimal128"))
        {
            let name = name.escape_debug();
            tracing::info!(%namespace, "the column {name} has decimals as text: no scale fits them");
        }
        return columns;
    };
    let (columns, today) = proposal.finish_after(&earlier.columns, &earlier.counts);
    let from = &earlier.run;
    tracing::info!(%namespace, "the columns of run {from} are taken over");
    let maps = |kind: &str| kind.matches("map<").count();
    let before: BTreeMap<_, _> = earlier.columns.list().collect();
    let today: BTreeMap<_, _> = today.list().collect();
    for (name, kind) in columns.list() {
        let name_said = name.escape_debug();
        if today
            .get(name)
            .is_some_and(|today| maps(today) > maps(&kind))
        {
            tracing::warn!(
                %namespace,
                "names in the column {name_said} look like data, and it stays a STRUCT as in run \
                 {from}: --map makes it a MAP, and so does --columns-from none"
            );
        }
        let Some(before) = before.get(name) else {
            tracing::info!(%namespace, "the column {name_said}, {}, is new", short(&kind));
            continue;
        };
        if *before == kind {
            continue;
        }
        let has_other_nature = maps(before) != maps(&kind);
        let readers = if before.contains("null") || has_other_nature {
            "most readers cannot read both runs as one table"
        } else {
            "readers of both runs at once need union_by_name in DuckDB, unionByName in Spark"
        };
        tracing::warn!(
            %namespace,
            "the column {name_said} is {} and was {} in run {from}: {readers}",
            short(&kind),
            short(before)
        );
    }
    columns
}

/// The beginning of a type: that of an order book may have thousands of fields.
fn short(kind: &str) -> String {
    match kind.char_indices().nth(MAX_TYPE_CHARS) {
        Some((end, _)) => format!("{}…", &kind[..end]),
        None => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;
    use lob_mongo::DocumentId;

    use super::*;

    #[test]
    fn a_plan_whose_ranges_leave_a_gap_is_refused() {
        let id = |id: i32| Some(DocumentId::of(&rawdoc! { "_id": id }).unwrap());
        let split = |split_id, bounds: &[(Option<i32>, Option<i32>)]| SplitPlan {
            split_id,
            collection: format!("split_{split_id}_input"),
            uuid: None,
            estimated_documents: 0,
            documents_before: None,
            mean_document_size: ByteSize::b(0),
            columns: ColumnsProposal::new().finish(),
            indexes: Vec::new(),
            options: None,
            is_divisible: true,
            sample_choice: Choice::None,
            ranges_choice: Choice::None,
            ranges: bounds
                .iter()
                .map(|(from, to)| IdRange {
                    from: from.and_then(id),
                    to: to.and_then(id),
                })
                .collect(),
        };
        let check = |splits| {
            let settings = crate::settings::defaults().planned().unwrap();
            let plan = ExportPlan {
                settings,
                snapshot: None,
                newest: None,
                splits,
                gone: Vec::new(),
            };
            plan.check()
        };
        let whole = [(None, Some(1)), (Some(1), Some(2)), (Some(2), None)];
        check(vec![split(0, &whole), split(1, &[(None, None)])]).unwrap();
        check(vec![split(0, &whole), split(0, &whole)]).unwrap_err();
        for broken in [
            &[][..],
            &whole[1..],
            &whole[..2],
            &[whole[0], whole[2]],
            &[(None, None), (None, None)],
        ] {
            check(vec![split(0, broken)]).unwrap_err();
        }
    }
}
