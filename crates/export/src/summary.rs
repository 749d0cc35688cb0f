//! The output of a finished export.

use lob_core::cli::{Context, Moved, Outcome, SplitSummary, Summary};
use lob_core::run::OpenRun;
use lob_core::text::{counted, mebibytes};
use serde_json::json;

use crate::confirm::Exported;
use crate::manifest::SplitAsRead;
use crate::misfits;
use crate::open::Opened;
use crate::tally::Tally;
use crate::worker::Worker;

/// The summary of a committed export, of which this process exported `own`.
pub(crate) fn of_export(exported: &Exported, own: Tally) -> Outcome {
    let manifest = &exported.manifest;
    let files = || manifest.splits.iter().flat_map(|split| &split.files);
    let bytes: u64 = files().map(|file| file.file.contents.size_bytes).sum();
    let earlier = bytes.saturating_sub(own.bytes);
    let (moved, notes) = match exported.was_committed {
        true => (Moved::Before, Vec::new()),
        false if earlier == 0 => (Moved::Now(own.bytes), Vec::new()),
        false => {
            let text = format!("{} were already exported", mebibytes(earlier));
            (Moved::Now(own.bytes), vec![("resumed", text)])
        }
    };
    let summary = Summary {
        run_id: &manifest.run_id,
        about: Vec::new(),
        splits: manifest.splits.iter().map(of_split).collect(),
        files: files().count() as u64,
        items: ("documents", manifest.total_documents),
        bytes,
        done: "exported",
        moved,
        notes,
        manifest: Some(exported.manifest_url.clone()),
        local_copy: exported.local_copy.as_deref(),
        metrics: &exported.metrics,
        more: json!({ "was_committed": exported.was_committed }),
    };
    summary.of_job()
}

fn of_split(split: &SplitAsRead) -> SplitSummary {
    let mut lines = vec![format!(
        "{}: {} in {}, digest {}",
        split.collection,
        counted(split.num_documents, "document"),
        counted(split.files.len(), "file"),
        split.digest,
    )];
    let (rows, counts) = (split.residual_rows, split.column_counts.as_ref());
    let misfits = misfits::lines(rows, split.num_documents, counts).into_iter();
    lines.extend(misfits.map(|line| format!("  {line}")));
    let json = json!({
        "split_id": split.split_id,
        "collection": split.collection,
        "documents": split.num_documents,
        "ranges": split.ranges,
        "files": split.files.len(),
        "residual_rows": split.residual_rows,
        "column_counts": split.column_counts,
        "checksum": split.checksum,
        "digest": split.digest,
    });
    SplitSummary { lines, json }
}

/// The summary of a plan: what to tell the workers.
pub(crate) fn of_plan(opened: &Opened, context: &Context) -> Outcome {
    let (run, plan, is_committed) = match opened {
        Opened::Unfinished(unfinished) => (&unfinished.run, &unfinished.plan, false),
        Opened::Committed { run, plan, .. } => (run, plan, true),
    };
    let id = run.location.id();
    let ranges: u32 = plan.splits.iter().map(|split| split.range_count()).sum();
    let mut lines = vec![
        format!("run       {id}"),
        format!("splits    {}", plan.splits.len()),
    ];
    for split in &plan.splits {
        lines.push(format!(
            "  {}: about {} in {}",
            split.collection,
            counted(split.estimated_documents, "document"),
            counted(split.range_count(), "range"),
        ));
    }
    lines.push(format!("ranges    {ranges}"));
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
    let summary = Summary {
        run_id: run.location.id(),
        about: vec![
            ("worker", worker.to_string()),
            ("ranges", tally.ranges.to_string()),
        ],
        splits: Vec::new(),
        files: tally.files,
        items: ("documents", tally.documents),
        bytes: tally.bytes,
        done: "exported",
        moved: Moved::Now(tally.bytes),
        notes: Vec::new(),
        manifest: None,
        local_copy: None,
        metrics: &context.metrics.snapshot(),
        more: json!({ "worker": worker, "ranges": tally.ranges }),
    };
    summary.of_step()
}
