//! The output of a finished import.

use lob_core::cli::{Moved, Outcome, SplitSummary, Summary};
use lob_core::metrics::MetricsSnapshot;
use lob_core::text::counted;
use serde_json::json;

use crate::pipeline::{Imported, ImportedSplit};

/// The summary, as text and as JSON.
pub(crate) fn outcome(imported: &Imported, metrics: &MetricsSnapshot) -> Outcome {
    let splits = &imported.splits;
    let summary = Summary {
        run_id: &imported.run_id,
        about: vec![("database", imported.database.clone())],
        splits: splits.iter().map(of_split).collect(),
        files: splits.iter().map(|split| split.files as u64).sum(),
        items: (
            "documents",
            splits.iter().map(|split| split.documents).sum(),
        ),
        bytes: splits.iter().map(|split| split.bytes).sum(),
        done: "imported",
        moved: Moved::Now(splits.iter().map(|split| split.fetched_bytes).sum()),
        notes: Vec::new(),
        manifest: Some(imported.manifest_url.clone()),
        local_copy: None,
        metrics,
        more: json!({ "database": imported.database }),
    };
    summary.of_job()
}

fn of_split(split: &ImportedSplit) -> SplitSummary {
    let digest = split.digest.map(|digest| format!(", digest {digest}"));
    let mut lines = vec![format!(
        "{}: {} in {}{}",
        split.target,
        counted(split.documents, "document"),
        counted(split.files, "file"),
        digest.unwrap_or_default()
    )];
    if split.was_in_place {
        lines.push("  was already swapped in by another import of this run".to_owned());
    } else if split.kept_files > 0 {
        let kept = counted(split.kept_files, "data file");
        lines.push(format!("  not fetched again: {kept}"));
    }
    if let Some(previous) = &split.previous {
        lines.push(format!("  the previous collection is now `{previous}`"));
    }
    let json = json!({
        "split_id": split.split_id,
        "collection": split.target,
        "documents": split.documents,
        "files": split.files,
        "digest": split.digest.map(|digest| digest.to_string()),
        "kept_files": split.kept_files,
        "was_in_place": split.was_in_place,
        "previous": split.previous,
    });
    SplitSummary { lines, json }
}
