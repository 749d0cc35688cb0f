//! The output of a committed upload.

use std::path::PathBuf;

use lob_core::cli::Outcome;
use lob_core::manifest::PublishedUpload;
use lob_core::metrics::MetricsSnapshot;
use lob_core::run::OpenRun;
use lob_core::text::{MIB, counted};

use crate::send::Kept;

/// A committed upload and how it went.
#[derive(Debug)]
pub(crate) struct Uploaded {
    pub(crate) run: OpenRun,
    pub(crate) manifest: PublishedUpload,
    pub(crate) local_copy: Option<PathBuf>,
    /// What an earlier process had already sent.
    pub(crate) kept: Kept,
    /// Files that appeared during the run and are not part of it.
    pub(crate) appeared: Vec<String>,
    /// Whether the run was committed by an earlier or another process.
    pub(crate) was_committed: bool,
    pub(crate) metrics: MetricsSnapshot,
}

/// The summary, as text and as JSON.
pub(crate) fn outcome(uploaded: &Uploaded) -> Outcome {
    let Uploaded {
        run,
        manifest,
        kept,
        metrics,
        ..
    } = uploaded;
    let id = run.location.id();
    let url = run.store.url(&run.location.manifest_key());
    let bytes: u64 = manifest
        .files
        .iter()
        .map(|file| file.file.contents.size_bytes)
        .sum();
    let seconds = metrics.seconds;
    let sent = if uploaded.was_committed {
        0
    } else {
        bytes - kept.bytes.min(bytes)
    };
    let megabytes = sent as f64 / MIB;
    let speed = megabytes / seconds;
    let retries = metrics.retries();
    let mut lines = vec![
        format!("run       {id}"),
        format!("files     {}", manifest.num_successful),
        format!("rows      {}", manifest.total_rows),
    ];
    for failed in &manifest.failed {
        let (path, error) = (&failed.relative_path, &failed.error);
        lines.push(format!("failed    {path}: {error}"));
    }
    lines.push(match uploaded.was_committed {
        true => format!(
            "uploaded  nothing: the run is complete, its {:.2} MiB are there as the manifest says",
            manifest.total_size_mb
        ),
        false => format!("uploaded  {megabytes:.2} MiB in {seconds:.2} s ({speed:.2} MiB/s)"),
    });
    if *kept != Kept::default() {
        lines.push(format!(
            "resumed   {} and {} were there, {:.2} MiB were read again to prove it",
            counted(kept.files, "file"),
            counted(kept.parts, "part"),
            kept.bytes as f64 / MIB
        ));
    }
    if !uploaded.appeared.is_empty() {
        let count = uploaded.appeared.len();
        lines.push(format!(
            "new       {} came meanwhile, no part of the run",
            counted(count, "file")
        ));
    }
    if retries > 0 {
        lines.push(format!("retries   {retries}"));
    }
    lines.push(format!("manifest  {url}"));
    if let Some(path) = &uploaded.local_copy {
        lines.push(format!("copy      {}", path.display()));
    }
    let json = serde_json::json!({
        "run_id": id,
        "files": manifest.num_successful,
        "failed": manifest.failed,
        "rows": manifest.total_rows,
        "bytes": bytes,
        "sent_bytes": sent,
        "kept_files": kept.files,
        "kept_parts": kept.parts,
        "read_again_bytes": kept.bytes,
        "appeared": uploaded.appeared,
        "was_committed": uploaded.was_committed,
        "seconds": seconds,
        "mib_per_second": speed,
        "retries": retries,
        "manifest": url,
        "local_copy": uploaded.local_copy,
        "metrics": metrics,
    });
    Outcome::new(lines, json)
}
