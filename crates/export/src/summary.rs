//! What an export prints when it is done.

use std::fmt::Write as _;

use bytesize::ByteSize;
use lob_core::cli::{Context, Outcome};
use lob_core::run::OpenRun;
use serde_json::json;

use crate::commit::Exported;
use crate::misfits;
use crate::open::Opened;
use crate::range::Tally;
use crate::worker::Worker;

/// A committed export, for people and for machines.
pub(crate) fn of_export(exported: &Exported) -> Outcome {
    let manifest = &exported.manifest;
    let files = manifest.splits.iter().flat_map(|split| &split.files);
    let size = ByteSize::b(files.map(|file| file.file.size_bytes).sum());
    let metrics = &exported.metrics;
    let mut text = format!(
        "run {}: {} documents of {} splits ",
        manifest.run_id,
        manifest.total_documents,
        manifest.splits.len(),
    );
    let _ = if exported.was_committed {
        writeln!(text, "are there as the manifest says, {size}")
    } else {
        writeln!(text, "exported, {size} in {:.1} s", metrics.seconds)
    };
    for split in &manifest.splits {
        let _ = writeln!(
            text,
            "  {}: {} documents in {} files, digest {}",
            split.collection,
            split.num_documents,
            split.files.len(),
            split.digest,
        );
        let (rows, counts) = (split.residual_rows, split.column_counts.as_ref());
        for line in misfits::lines(rows, split.num_documents, counts) {
            let _ = writeln!(text, "    {line}");
        }
    }
    let _ = writeln!(text, "manifest {}", exported.manifest_url);
    text.push_str(&metrics.retries_line());
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
    Outcome::new(text, json)
}

/// A plan: what workers have to be told.
pub(crate) fn of_plan(opened: &Opened) -> Outcome {
    let (run, plan, is_committed) = match opened {
        Opened::Unfinished(unfinished) => (&unfinished.run, &unfinished.plan, false),
        Opened::Committed { run, plan, .. } => (run, plan, true),
    };
    let id = run.location.id();
    let ranges: u32 = plan.splits.iter().map(|split| split.range_count()).sum();
    let mut text = format!(
        "run {id}: {ranges} ranges of {} splits\n",
        plan.splits.len()
    );
    for split in &plan.splits {
        let _ = writeln!(
            text,
            "  {}: about {} documents in {} ranges",
            split.collection,
            split.estimated_documents,
            split.range_count(),
        );
    }
    text.push_str(&if is_committed {
        "the run is complete\n".to_owned()
    } else {
        format!(
            "work      lob-export work --run-id {id} --worker K/N, for each K from 0 to N-1\n\
             commit    lob-export commit --run-id {id}\n"
        )
    });
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
    // A caller without the run's id cannot go on.
    Outcome::answer(text, json)
}

/// What one worker did.
pub(crate) fn of_work(run: &OpenRun, worker: Worker, tally: Tally, context: &Context) -> Outcome {
    let (id, metrics) = (run.location.id(), context.metrics.snapshot());
    let mut text = format!(
        "run {id}, worker {worker}: {} ranges are exported; {} documents in {} files, {} in {:.1} s\n",
        tally.ranges,
        tally.documents,
        tally.files,
        ByteSize::b(tally.bytes),
        metrics.seconds,
    );
    text.push_str(&metrics.retries_line());
    let json = json!({
        "run_id": id,
        "worker": worker,
        "ranges": tally.ranges,
        "documents": tally.documents,
        "files": tally.files,
        "bytes": tally.bytes,
        "metrics": metrics,
    });
    Outcome::new(text, json)
}
