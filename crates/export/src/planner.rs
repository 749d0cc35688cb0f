//! Planning: finds the splits, cuts them into ranges and samples their documents.

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _};
use lob_columns::ColumnsProposal;
use lob_core::cli::{Context as CommandContext, NOTICE};
use lob_core::failure::Failure;
use lob_core::settings::ByteSize;
use lob_core::settings::Prefix;
use lob_core::store::Store;
use lob_core::text::counted;
use lob_mongo::{ClusterTime, Collection, Database, RangeSize, SampleSize, ScanOptions, ScanRange};
use serde_json::Value;

use crate::choose_columns::choose_columns;
use crate::earlier_columns::{EarlierColumns, EarlierRuns};
use crate::history::{Gone, History};
use crate::manifest;
use crate::number_or::NumberOr;
use crate::plan::{ExportPlan, SplitPlan};
use crate::settings::PlannedSettings;
use crate::shares::READ_AHEAD;

/// Limit on the bytes of sampled documents of each kind, first and even, used to choose columns.
const SAMPLE_LIMIT: ByteSize = ByteSize::mib(16);
/// How many documents of each kind to sample if only the document size is needed.
const SIZE_SAMPLE: u32 = 100;
/// How many splits to plan concurrently: a distant server answers them together, and each takes up
/// to two samples of memory.
const SPLITS_AT_ONCE: usize = 4;

/// Finds the splits, cuts them into ranges, as `cuts` says for their number, and chooses their
/// columns, based on the runs in `store` below `prefix`.
pub(crate) async fn plan(
    store: &Store,
    prefix: &Prefix,
    database: &Database,
    settings: PlannedSettings,
    cuts: impl FnOnce(usize) -> RangeSize,
    context: &CommandContext,
) -> anyhow::Result<ExportPlan> {
    context.step(format!("looking for the splits of `{}`", settings.database));
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
    context.step("reading the manifests of earlier runs");
    let history = History::of(store, prefix, name).await;
    let earlier = EarlierRuns::find(store, prefix, from, &history, name, &names).await?;
    context.step(format!("planning {}", counted(splits.len(), "split")));
    let cuts = cuts(splits.len());
    let planning = splits.iter().map(|split| {
        let earlier = earlier.columns(split.collection.name());
        plan_split(
            split.split,
            &split.collection,
            &settings,
            cuts,
            snapshot,
            earlier,
        )
    });
    let planning = futures::stream::iter(planning).buffered(SPLITS_AT_ONCE);
    let mut planned: Vec<_> = planning.try_collect().await?;
    for split in &mut planned {
        split.documents_before = history.documents(&split.collection);
    }
    manifest::check_limits(&planned, settings.bytes.file_size)?;
    warn_of_paths_without_documents(&settings, &planned);
    if snapshot.is_none() {
        tell_of_unique_indexes(&planned);
    }
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

/// The path may be right and its documents rare, so this is not an error.
fn warn_of_paths_without_documents(settings: &PlannedSettings, splits: &[SplitPlan]) {
    let maps = settings.map.iter().map(|path| ("--map", path));
    let structs = settings.r#struct.iter().map(|path| ("--struct", path));
    for (flag, path) in maps.chain(structs) {
        if !splits
            .iter()
            .any(|split| split.columns.has_documents_at(path))
        {
            tracing::warn!(
                "{flag} {path} has no effect: the sample has no documents with fields there"
            );
        }
    }
}

async fn plan_split(
    split_id: u32,
    collection: &Collection,
    settings: &PlannedSettings,
    cuts: RangeSize,
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
    let cuts = collection.cuts(count, cuts).await;
    let cuts = cuts.map_err(Failure::from)?;
    let sample = collection.sample(size, &cuts).await;
    let sample = sample.map_err(Failure::from)?;
    let mean_document_size = sample.mean_document_size();
    let (maps, structs) = (settings.map.clone(), settings.r#struct.clone());
    let mut proposal = ColumnsProposal::with_natures(maps, structs);
    for document in &sample.first {
        // These are much alike, so they do not tell how frequent a field is.
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
            is_divisible: cuts.is_divisible(),
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
        is_divisible: cuts.is_divisible(),
        sample_choice: sample.choice,
        ranges_choice: cuts.ranges_choice(),
        ranges: cuts.ranges(),
    })
}

/// Reads the whole collection before it is exported, for columns that leave nothing out.
async fn observe_all(
    proposal: &mut ColumnsProposal,
    collection: &Collection,
    options: ScanOptions,
) -> anyhow::Result<()> {
    let namespace = collection.namespace();
    tracing::info!(%namespace, "all documents are read once to choose the columns, and once more \
                                to export them");
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

/// Live, a document can be exported and then another one that took over its key.
fn tell_of_unique_indexes(splits: &[SplitPlan]) {
    let is_one = |split: &&SplitPlan| split.indexes.iter().any(|index| is_unique(index));
    let splits = splits.iter().filter(is_one);
    let names: Vec<_> = splits.map(|split| split.collection.as_str()).collect();
    if !names.is_empty() {
        tracing::info!(
            target: NOTICE,
            "`{}` has a unique index: if documents are removed and inserted during the export, two \
             with one key may be in it, and the import then fails; --snapshot prevents that",
            names.join("`, `")
        );
    }
}

/// Whether an index, as the server lists it, allows each key only once.
fn is_unique(index: &str) -> bool {
    serde_json::from_str::<Value>(index).is_ok_and(|index| index["unique"] == true)
}

fn malformed(collection: &Collection) -> String {
    format!("a document of `{}` is malformed", collection.namespace())
}
