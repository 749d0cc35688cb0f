//! What an export prints when it is done.

use std::fmt::Write as _;

use lob_core::cli::Outcome;
use serde_json::json;

use crate::pipeline::Exported;

/// From this share of residual rows on, the summary says how to get columns for them.
const MANY_RESIDUAL_ROWS: f64 = 0.01;

/// The summary for people and for machines.
pub(crate) fn outcome(exported: &Exported) -> Outcome {
    let manifest = &exported.manifest;
    let (metrics, size) = (&exported.metrics, exported.size());
    let mut text = format!(
        "run {}: {} documents of {} splits exported, {size} in {:.1} s\n",
        manifest.run_id, manifest.total_documents, manifest.num_splits, metrics.seconds,
    );
    for split in &manifest.splits {
        let _ = writeln!(
            text,
            "  {}: {} documents in {} files, digest {}",
            split.collection,
            split.num_documents,
            split.files.len(),
            split.digest,
        );
        if split.residual_rows > 0 {
            let share = split.residual_rows as f64 / split.num_documents.max(1) as f64;
            let _ = write!(
                text,
                "    {} of them also as whole documents",
                split.residual_rows
            );
            text.push_str(if share >= MANY_RESIDUAL_ROWS {
                ": a larger --columns-sample gives them columns\n"
            } else {
                "\n"
            });
        }
    }
    let _ = writeln!(text, "manifest {}", exported.manifest_url);
    text.push_str(&metrics.retries_line());
    let json = json!({
        "run_id": manifest.run_id,
        "manifest": exported.manifest_url,
        "local_copy": exported.local_copy,
        "documents": manifest.total_documents,
        "bytes": size.as_u64(),
        "splits": manifest.splits.iter().map(|split| json!({
            "split_id": split.split_id,
            "collection": split.collection,
            "documents": split.num_documents,
            "files": split.files.len(),
            "residual_rows": split.residual_rows,
            "checksum": split.checksum,
            "digest": split.digest,
        })).collect::<Vec<_>>(),
        "metrics": metrics,
    });
    Outcome::new(text, json)
}
