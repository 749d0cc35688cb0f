//! The answer to `list`, the same in every tool: one line per run, the newest first.

use serde_json::{Value, json};

use super::{Context, Outcome};
use crate::run::{Content, Listed, RunSummary, Writer, list_runs};
use crate::settings::{RunId, S3Settings};
use crate::store::{Sending, Store};
use crate::text::{counted, mebibytes, redact};

/// Lists the runs of `writer` below the prefix.
///
/// # Errors
/// The settings do not say where, the list cannot be read, or an interrupt.
pub async fn list(
    settings: &S3Settings,
    writer: Writer,
    context: &Context,
) -> anyhow::Result<Outcome> {
    let folder = settings.runs_folder()?;
    context.step("reading the manifests of the runs");
    let listing = async {
        let store = Store::connect(settings, Sending::default(), &context.metrics).await?;
        let runs = list_runs(&store, &folder, writer).await?;
        anyhow::Ok((store.url(&folder.folder()), runs))
    };
    let (url, runs) = context.interrupt.or(listing).await?;
    let mut lines: Vec<_> = runs.iter().map(|(id, listed)| line(id, listed)).collect();
    if lines.is_empty() {
        lines.push(format!("there is no run below `{url}`"));
    }
    let entries: Vec<_> = runs.iter().map(|(id, listed)| entry(id, listed)).collect();
    Ok(Outcome::answer(lines, json!({ "runs": entries })))
}

fn line(id: &RunId, listed: &Listed) -> String {
    match listed {
        Listed::Own(summary) => {
            let facts = facts(summary).join("  ");
            format!("{id}  {:.0}  {facts}", summary.time)
        }
        Listed::Uncommitted(Some(planned)) => format!("{id}  {planned:.0}  not committed"),
        Listed::Uncommitted(None) => format!("{id}  not committed, and its plan cannot be read"),
        Listed::OtherTool(tool) => format!("{id}  {}", of_other(tool)),
        Listed::Unreadable(error) => {
            format!("{id}  cannot be read: {}", redact(&error.to_string()))
        }
    }
}

fn of_other(tool: &str) -> String {
    format!("`{tool}` wrote it")
}

fn facts(summary: &RunSummary) -> Vec<String> {
    match summary.content {
        Content::Files { files, rows, bytes } => {
            vec![
                counted(files, "file"),
                counted(rows, "row"),
                mebibytes(bytes),
            ]
        }
        Content::Splits {
            splits,
            documents,
            data_files,
        } => {
            let (splits, documents) = (counted(splits, "split"), counted(documents, "document"));
            match data_files {
                Some((files, bytes)) => {
                    vec![splits, counted(files, "file"), documents, mebibytes(bytes)]
                }
                None => vec![splits, documents, "by the legacy scripts".to_owned()],
            }
        }
    }
}

fn entry(id: &RunId, listed: &Listed) -> Value {
    match listed {
        Listed::Own(summary) => committed(id, summary),
        Listed::Uncommitted(time) => json!({ "run_id": id, "committed": false, "time": time }),
        Listed::OtherTool(tool) => json!({ "run_id": id, "error": of_other(tool) }),
        Listed::Unreadable(error) => json!({ "run_id": id, "error": redact(&error.to_string()) }),
    }
}

fn committed(id: &RunId, summary: &RunSummary) -> Value {
    let time = summary.time;
    match summary.content {
        Content::Files { files, rows, bytes } => json!({
            "run_id": id,
            "committed": true,
            "time": time,
            "files": files,
            "rows": rows,
            "bytes": bytes,
        }),
        Content::Splits {
            splits,
            documents,
            data_files,
        } => json!({
            "run_id": id,
            "committed": true,
            "time": time,
            "splits": splits,
            "files": data_files.map(|(files, _)| files),
            "documents": documents,
            "bytes": data_files.map(|(_, bytes)| bytes),
            "legacy": summary.is_legacy(),
            // The names that the manifest has for the same.
            "export_timestamp": time,
            "num_splits": splits,
            "total_documents": documents,
        }),
    }
}
