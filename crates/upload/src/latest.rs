//! `lob-upload latest`: names the run that jobs should read now, and where its files are.
//!
//! A job that picks the newest folder may read a run that is not committed or not the latest.

use lob_core::cli::{Context, Outcome};
use lob_core::run::{FOR_JOBS, RunLocation, Writer, latest_run};
use lob_core::store::{Bandwidth, Sending, Store};
use serde_json::json;

use crate::committed::{CommittedRun, failed_line};
use crate::settings::Settings;

/// Finds the upload with the latest time in its manifest. With `print_uri`, the text is just the
/// addresses of its files, one per line.
///
/// # Errors
/// There is no run, a run that may be the latest cannot be read, or the store fails.
pub(crate) async fn latest(
    print_uri: bool,
    settings: &Settings,
    context: &Context,
) -> anyhow::Result<Outcome> {
    context.step("reading the manifests of the runs");
    let finding = async {
        let folder = settings.s3.runs_folder()?;
        let sending = Sending::receiving(Bandwidth::of(settings.parts.max_bandwidth)?);
        let store = Store::connect(&settings.s3, sending, &context.metrics).await?;
        let (id, summary) = latest_run(&store, &folder, Writer::Upload, FOR_JOBS).await?;
        anyhow::Ok((store, RunLocation::new(folder, id), summary.time))
    };
    let (store, run, started) = context.interrupt.or(finding).await?;
    let reading = CommittedRun::read(store, run);
    let committed = context.interrupt.or(reading).await?;
    let (run, manifest) = (&committed.run, &committed.manifest);
    let uri = |key: &str| run.store.url(&run.key(key));
    let files = committed.files().map(|file| uri(&file.key));
    let id = run.location.id();
    let lines = if print_uri {
        files.collect()
    } else {
        let (count, size, rows) = (
            manifest.files.len(),
            manifest.total_size_mb,
            manifest.total_rows,
        );
        let mut lines = vec![
            format!("run {id} of {started:.0}: {rows} rows, {size:.2} MiB, files: {count}"),
            format!("  {}", uri("")),
        ];
        lines.extend(failed_line(manifest));
        lines
    };
    let json = json!({
        "run_id": id,
        "started": started,
        "failed": manifest.num_failed,
        "files": committed.manifest.files.iter().map(|file| json!({
            "uri": uri(&file.file.key),
            "size_bytes": file.file.contents.size_bytes,
        })).collect::<Vec<_>>(),
    });
    Ok(Outcome::answer(lines, json))
}
