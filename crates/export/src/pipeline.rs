//! The way of the data: plan -> scan -> encode -> write -> commit.

use std::collections::HashSet;
use std::path::PathBuf;

use bytesize::ByteSize;
use lob_columns::Digest;
use lob_core::cli::Context;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::{
    Consistency, ExportManifest, ExportedFile, ExportedSplit, RunFacts, S3Config, SplitColumn,
    keep_local_copy,
};
use lob_core::metrics::MetricsSnapshot;
use lob_core::object_settings::ObjectSettings;
use lob_core::part::PartBudget;
use lob_core::progress::Work;
use lob_core::run::{OpenRun, Plan, Proved};
use lob_core::statistics::Statistics;
use lob_core::store::{Sending, Store};
use lob_mongo::{Scan, ScanOptions, ScanRange, Server};

use crate::plan::{ExportPlan, PlannedSplit, SplitPlan, plan_splits};
use crate::record::CompletedFile;
use crate::settings::{ByteSettings, ChecksumKind, ExportSettings};
use crate::split_writer::SplitWriter;

/// A committed export.
#[derive(Debug)]
pub(crate) struct Exported {
    pub(crate) manifest: ExportManifest,
    pub(crate) manifest_url: String,
    pub(crate) local_copy: Option<PathBuf>,
    /// What all of it cost, the commit included.
    pub(crate) metrics: MetricsSnapshot,
}

/// Exports the splits that `settings` name.
pub(crate) async fn export(
    settings: &ExportSettings,
    context: &Context,
) -> anyhow::Result<Exported> {
    let byte_settings = settings.byte_settings()?;
    let budget = PartBudget::new(&settings.parts)?;
    let prefix = settings.s3.runs_folder()?;

    // Plan.
    let splits = context.interrupt.or(plan(settings)).await?;
    let store = context
        .interrupt
        .or(Store::connect(
            &settings.s3,
            Sending::new(&settings.parts, ObjectSettings::default()),
            &context.metrics,
        ))
        .await?;
    let work = ExportPlan {
        database: settings.database.clone(),
        settings: byte_settings.clone(),
        splits: splits.iter().map(|split| split.plan.clone()).collect(),
    };
    let requested = settings.run_id.clone();
    let created = Plan::create(
        store.clone(),
        prefix.clone(),
        requested,
        "lob-export",
        work,
        true,
        &context.interrupt,
    );
    let Some((plan, run)) = created.await? else {
        let (run, url) = (settings.run_id.as_ref(), store.url(&prefix.folder()));
        let run = run.map(ToString::to_string).unwrap_or_default();
        let message = format!("run `{run}` has a plan already below `{url}`");
        return Err(Failure::new(ExitStatus::Failed, message)
            .with_hint("exports cannot be resumed yet; take another --run-id")
            .into());
    };
    tracing::info!(run = %plan.run_id, splits = splits.len(), "exporting");
    context.progress.begin(Work {
        bytes: None,
        items: Some(splits.iter().map(|split| split.estimated_documents).sum()),
        unit: "documents",
    });

    // Scan, encode, write.
    let mut exported = Vec::new();
    for split in &splits {
        let files = export_split(&run, split, settings, &byte_settings, &budget, context)
            .await
            .map_err(|error| {
                if context.interrupt.is_raised() {
                    return error;
                }
                let namespace = split.collection.namespace();
                error.context(format!("failed to export `{namespace}`"))
            })?;
        exported.push(describe(&run, &split.plan, files, settings.checksum)?);
    }

    // Commit.
    let proved = context
        .interrupt
        .or(prove(&run, &splits, &exported))
        .await?;
    let manifest = ExportManifest {
        run_id: run.location.id().clone(),
        export_timestamp: run.started,
        pipeline_stage: ExportManifest::PIPELINE_STAGE,
        database: settings.database.clone(),
        num_splits: exported.len() as u64,
        format: "parquet".to_owned(),
        compression: settings.compression.to_string(),
        s3_config: S3Config::of(&run),
        total_documents: exported.iter().map(|split| split.num_documents).sum(),
        splits: exported,
        run: RunFacts::of(
            &run,
            "lob-export",
            serde_json::to_value(&byte_settings)?,
            context.metrics.snapshot(),
        ),
    };
    let committed = run.commit(proved, &manifest, ExportManifest::read).await?;
    let bytes = committed.manifest();
    Ok(Exported {
        manifest_url: run.store.url(&run.location.manifest_key()),
        local_copy: keep_local_copy(&settings.manifest_dir, run.location.id(), &bytes),
        metrics: context.metrics.snapshot(),
        manifest,
    })
}

async fn plan(settings: &ExportSettings) -> anyhow::Result<Vec<PlannedSplit>> {
    let server = Server::connect(&settings.mongo)
        .await
        .map_err(Failure::from)?;
    plan_splits(&server.database(&settings.database), settings).await
}

/// Scans one collection into data files. What fails or is interrupted on the way is given up; the
/// few requests that complete a data file are not interrupted.
async fn export_split(
    run: &OpenRun,
    split: &PlannedSplit,
    settings: &ExportSettings,
    byte_settings: &ByteSettings,
    budget: &PartBudget,
    context: &Context,
) -> anyhow::Result<Vec<CompletedFile>> {
    let options = ScanOptions {
        at: None,
        queue: settings.read_ahead,
        mean_document_size: split.plan.mean_document_size,
    };
    let mut scan = split.collection.scan(ScanRange::default(), options);
    let mut writer = SplitWriter::new(run, &split.plan, byte_settings, budget, context);
    let written = write_documents(&mut scan, &mut writer, context).await;
    if written.is_err() {
        writer.abort().await;
    }
    written
}

async fn write_documents(
    scan: &mut Scan,
    writer: &mut SplitWriter<'_>,
    context: &Context,
) -> anyhow::Result<Vec<CompletedFile>> {
    loop {
        let next = async { scan.next().await.map_err(Failure::from) };
        match context.interrupt.or(next).await? {
            Some(batch) => writer.push(&batch).await?,
            None => return writer.finish().await,
        }
    }
}

/// The split as the manifest tells it, added up from what was recorded.
fn describe(
    run: &OpenRun,
    plan: &SplitPlan,
    files: Vec<CompletedFile>,
    checksum: ChecksumKind,
) -> anyhow::Result<ExportedSplit> {
    let (mut statistics, mut digest) = (Statistics::default(), Digest::default());
    let mut entries = Vec::new();
    for file in files {
        entries.push(ExportedFile {
            rows: file.statistics.num_documents,
            digest: file.digest.to_string(),
            residual_rows: file.residual_rows,
            file: file.object,
        });
        digest.merge(file.digest);
        statistics.append(file.statistics);
    }
    let etags: Vec<_> = entries
        .iter()
        .map(|entry| entry.file.etag.as_str())
        .collect();
    let checksum = match checksum {
        ChecksumKind::Etag if !etags.is_empty() => format!("etag:{}", etags.join(",")),
        _ => statistics.checksum(),
    };
    let columns = plan.columns.list();
    Ok(ExportedSplit {
        split_id: plan.split_id,
        collection: plan.collection.clone(),
        s3_path: run
            .store
            .url(&run.key(&ExportedSplit::folder(plan.split_id))),
        num_documents: statistics.num_documents,
        role_distribution: statistics.roles_by_json_key(),
        feature_length: statistics.feature_length,
        checksum,
        schema_fields: statistics.schema_fields.into_iter().collect(),
        digest: digest.to_string(),
        residual_rows: entries.iter().map(|entry| entry.residual_rows).sum(),
        columns: columns
            .map(|(name, kind)| SplitColumn {
                name: name.to_owned(),
                kind,
            })
            .collect(),
        indexes: Vec::new(),
        options: None,
        consistency: Consistency::Live,
        files: entries,
    })
}

/// The collections are still the planned ones, the folders hold what is recorded and nothing else,
/// and the server has every data file.
async fn prove(
    run: &OpenRun,
    splits: &[PlannedSplit],
    exported: &[ExportedSplit],
) -> anyhow::Result<Proved> {
    for split in splits {
        let identity = split.collection.check_identity().await;
        identity.map_err(Failure::from)?;
    }
    let mut files = Vec::new();
    for split in exported {
        check_folder(run, split).await?;
        files.extend(split.files.iter().map(|file| file.file.clone()));
    }
    run.prove(&files).await
}

/// A stranger in a split's folder would be read as a part of the table.
async fn check_folder(run: &OpenRun, split: &ExportedSplit) -> anyhow::Result<()> {
    let recorded: HashSet<String> = split
        .files
        .iter()
        .map(|file| run.key(&file.file.key))
        .collect();
    let folder = run.key(&ExportedSplit::folder(split.split_id));
    for (key, _) in run.store.list(&folder, None).await? {
        if !recorded.contains(&key) {
            let url = run.store.url(&key);
            let message = format!("`{url}` belongs to no record of this run");
            return Err(Failure::new(ExitStatus::Failed, message)
                .with_hint("something else writes to this run; take another --run-id")
                .into());
        }
    }
    Ok(())
}

impl Exported {
    /// Bytes of all data files.
    pub(crate) fn size(&self) -> ByteSize {
        let files = self.manifest.splits.iter().flat_map(|split| &split.files);
        ByteSize::b(files.map(|file| file.file.size_bytes).sum())
    }
}
