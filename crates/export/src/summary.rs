//! The output of a finished export.

use bytesize::ByteSize;
use lob_core::cli::{Context, Outcome};
use lob_core::run::OpenRun;
use lob_core::text::counted;
use serde_json::json;

use crate::confirm::Exported;
use crate::misfits;
use crate::open::Opened;
use crate::tally::Tally;
use crate::worker::Worker;

/// The summary of a committed export, as text and as JSON.
pub(crate) fn of_export(exported: &Exported) -> Outcome {
    let manifest = &exported.manifest;
    let files = manifest.splits.iter().flat_map(|split| &split.files);
    let size = ByteSize::b(files.map(|file| file.file.contents.size_bytes).sum());
    let metrics = &exported.metrics;
    let what = match exported.was_committed {
        true => format!("are there as the manifest says, {size}"),
        false => format!("exported, {size} in {:.1} s", metrics.seconds),
    };
    let mut lines = vec![format!(
        "run {}: {} of {} {what}",
        manifest.run_id,
        counted(manifest.total_documents, "document"),
        counted(manifest.splits.len(), "split"),
    )];
    for split in &manifest.splits {
        lines.push(format!(
            "  {}: {} in {}, digest {}",
            split.collection,
            counted(split.num_documents, "document"),
            counted(split.files.len(), "file"),
            split.digest,
        ));
        let (rows, counts) = (split.residual_rows, split.column_counts.as_ref());
        for line in misfits::lines(rows, split.num_documents, counts) {
            lines.push(format!("    {line}"));
        }
    }
    lines.push(format!("manifest {}", exported.manifest_url));
    lines.extend(metrics.retries_line());
    let json = json!({
        "run_id": manifest.run_id,
        "manifest": exported.manifest_url,
        "local_copy": exported.local_copy,
        "was_committed": exported.was_committed,
        "documents": manifest.total_documents,
        "bytes": size.as_u64(),
        "splits": manifest.splits.iter().map(|split| json!({
            "split_id": split.split_id,
            "collection": split.collection,
            "documents": split.num_documents,
            "ranges": split.ranges,
            "files": split.files.len(),
            "residual_rows": split.residual_rows,
            "column_counts": split.column_counts,
            "checksum": split.checksum,
            "digest": split.digest,
        })).collect::<Vec<_>>(),
        "metrics": metrics,
    });
    Outcome::new(lines, json)
}

/// The summary of a plan: what to tell the workers.
pub(crate) fn of_plan(opened: &Opened, context: &Context) -> Outcome {
    let (run, plan, is_committed) = match opened {
        Opened::Unfinished(unfinished) => (&unfinished.run, &unfinished.plan, false),
        Opened::Committed { run, plan, .. } => (run, plan, true),
    };
    let id = run.location.id();
    let ranges: u32 = plan.splits.iter().map(|split| split.range_count()).sum();
    let mut lines = vec![format!(
        "run {id}: {} of {}",
        counted(ranges, "range"),
        counted(plan.splits.len(), "split")
    )];
    for split in &plan.splits {
        lines.push(format!(
            "  {}: about {} in {}",
            split.collection,
            counted(split.estimated_documents, "document"),
            counted(split.range_count(), "range"),
        ));
    }
    if is_committed {
        lines.push("the run is complete".to_owned());
    } else {
        let work = format!("lob-export work --run-id {id} --worker K/N");
        let commit = format!("lob-export commit --run-id {id}");
        let frozen = plan.settings.names();
        let is_said = |flag: &str| !frozen.iter().any(|name| name == flag);
        let [work, commit] =
            [work, commit].map(|command| context.typed.command_with(&command, is_said));
        lines.push(format!("work      {work}, for each K from 0 to N-1"));
        lines.push(format!("commit    {commit}"));
    }
    let json = json!({
        "run_id": id,
        "committed": is_committed,
        "ranges": ranges,
        "snapshot": plan.snapshot,
        "splits": plan.splits.iter().map(|split| json!({
            "split_id": split.split_id,
            "collection": split.collection,
            "estimated_documents": split.estimated_documents,
            "ranges": split.range_count(),
        })).collect::<Vec<_>>(),
    });
    // A caller that misses the run's id cannot continue, so a failure to print this is an error.
    Outcome::answer(lines, json)
}

/// The summary of one worker.
pub(crate) fn of_work(run: &OpenRun, worker: Worker, tally: Tally, context: &Context) -> Outcome {
    let (id, metrics) = (run.location.id(), context.metrics.snapshot());
    let mut lines = vec![format!(
        "run {id}, worker {worker}: {} complete; {} exported in {}, {} in {:.1} s",
        counted(tally.ranges, "range"),
        counted(tally.documents, "document"),
        counted(tally.files, "file"),
        ByteSize::b(tally.bytes),
        metrics.seconds,
    )];
    lines.extend(metrics.retries_line());
    let json = json!({
        "run_id": id,
        "worker": worker,
        "ranges": tally.ranges,
        "documents": tally.documents,
        "files": tally.files,
        "bytes": tally.bytes,
        "metrics": metrics,
    });
    Outcome::step(lines, json)
}
