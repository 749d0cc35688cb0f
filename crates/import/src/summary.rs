//! The output of a finished import.

use bytesize::ByteSize;
use lob_core::cli::Outcome;
use lob_core::metrics::MetricsSnapshot;
use lob_core::text::counted;
use serde_json::json;

use crate::pipeline::Imported;

/// The summary, as text and as JSON.
pub(crate) fn outcome(imported: &Imported, metrics: MetricsSnapshot) -> Outcome {
    let documents: u64 = imported.splits.iter().map(|split| split.documents).sum();
    let bytes: u64 = imported.splits.iter().map(|split| split.bytes).sum();
    let mut lines = vec![format!(
        "run {}: {} of {} imported into `{}`, {} in {:.1} s",
        imported.run_id,
        counted(documents, "document"),
        counted(imported.splits.len(), "split"),
        imported.database,
        ByteSize(bytes),
        metrics.seconds,
    )];
    for split in &imported.splits {
        let digest = split.digest.map(|digest| format!(", digest {digest}"));
        lines.push(format!(
            "  {}: {}{}",
            split.target,
            counted(split.documents, "document"),
            digest.unwrap_or_default()
        ));
        if split.was_in_place {
            lines.push("    was in its place, by another import of this run".to_owned());
        } else if split.kept_files > 0 {
            lines.push(format!(
                "    not fetched again: {}",
                counted(split.kept_files, "data file")
            ));
        }
        if let Some(previous) = &split.previous {
            lines.push(format!("    the collection before it is `{previous}` now"));
        }
    }
    lines.extend(metrics.retries_line());
    let json = json!({
        "run_id": imported.run_id,
        "database": imported.database,
        "documents": documents,
        "bytes": bytes,
        "splits": imported.splits.iter().map(|split| json!({
            "split_id": split.split_id,
            "collection": split.target,
            "documents": split.documents,
            "digest": split.digest.map(|digest| digest.to_string()),
            "kept_files": split.kept_files,
            "was_in_place": split.was_in_place,
            "previous": split.previous,
        })).collect::<Vec<_>>(),
        "metrics": metrics,
    });
    Outcome::new(lines, json)
}
