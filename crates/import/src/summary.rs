//! The output of a finished import, and the list of runs.

use bytesize::ByteSize;
use lob_core::cli::Outcome;
use lob_core::metrics::MetricsSnapshot;
use lob_core::run::{ExportSummary, Listed};
use lob_core::settings::RunId;
use lob_core::text::counted;
use lob_core::text::redact;
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
            lines.push("    was already swapped in by another import of this run".to_owned());
        } else if split.kept_files > 0 {
            lines.push(format!(
                "    not fetched again: {}",
                counted(split.kept_files, "data file")
            ));
        }
        if let Some(previous) = &split.previous {
            lines.push(format!("    the previous collection is now `{previous}`"));
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

/// The list of the runs below `url`, latest last.
pub(crate) fn runs(url: &str, listed: &[(RunId, Listed<ExportSummary>)]) -> Outcome {
    let mut lines = Vec::new();
    if listed.is_empty() {
        lines.push(format!("there is no run below `{url}`"));
    }
    let mut entries = Vec::new();
    for (id, listed) in listed {
        let error = match listed {
            Listed::Own(manifest) => {
                lines.push(format!(
                    "{id}  {:.0}  {}  {}{}",
                    manifest.export_timestamp,
                    counted(manifest.num_splits, "split"),
                    counted(manifest.total_documents, "document"),
                    if manifest.is_legacy {
                        "  by the legacy scripts"
                    } else {
                        ""
                    },
                ));
                entries.push(json!({
                    "run_id": id,
                    "export_timestamp": manifest.export_timestamp,
                    "num_splits": manifest.num_splits,
                    "total_documents": manifest.total_documents,
                    "legacy": manifest.is_legacy,
                }));
                continue;
            }
            Listed::OtherTool(tool) => format!("`{tool}` wrote it"),
            Listed::Unreadable(error) => redact(&error.to_string()),
        };
        lines.push(format!("{id}  cannot be imported: {error}"));
        entries.push(json!({ "run_id": id, "error": error }));
    }
    Outcome::answer(lines, json!({ "runs": entries }))
}
