//! What a committed upload prints.

use std::path::Path;

use lob_core::cli::Outcome;
use lob_core::manifest::UploadManifest;
use lob_core::metrics::MetricsSnapshot;
use lob_core::run::OpenRun;

/// Bytes in what the original calls a megabyte.
pub(crate) const MIB: f64 = 1_048_576.0;

/// The summary, for people and for machines.
pub(crate) fn outcome(
    run: &OpenRun,
    manifest: &UploadManifest,
    local_copy: Option<&Path>,
    metrics: &MetricsSnapshot,
) -> Outcome {
    let id = run.location.id();
    let url = run.store.url(&run.location.manifest_key());
    let (megabytes, seconds) = (manifest.total_size_mb, metrics.seconds);
    let speed = megabytes / seconds;
    let retries = metrics.retries();
    let mut text = format!(
        "run       {id}\n\
         files     {}\n\
         rows      {}\n\
         uploaded  {megabytes:.2} MiB in {seconds:.2} s ({speed:.2} MiB/s)\n",
        manifest.num_files, manifest.total_rows,
    );
    if retries > 0 {
        text += &format!("retries   {retries}\n");
    }
    text += &format!("manifest  {url}\n");
    if let Some(path) = local_copy {
        text += &format!("copy      {}\n", path.display());
    }
    let bytes: u64 = manifest.files.iter().map(|file| file.file.size_bytes).sum();
    let json = serde_json::json!({
        "run_id": id,
        "files": manifest.num_files,
        "rows": manifest.total_rows,
        "bytes": bytes,
        "seconds": seconds,
        "mib_per_second": speed,
        "retries": retries,
        "manifest": url,
        "local_copy": local_copy,
        "metrics": metrics,
    });
    Outcome::new(text, json)
}
