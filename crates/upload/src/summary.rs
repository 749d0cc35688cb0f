//! The output of a committed upload.

use std::path::PathBuf;

use lob_core::cli::{Moved, Outcome, Summary};
use lob_core::manifest::PublishedUpload;
use lob_core::metrics::MetricsSnapshot;
use lob_core::run::OpenRun;
use lob_core::text::{counted, mebibytes};

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
    let bytes: u64 = manifest
        .files
        .iter()
        .map(|file| file.file.contents.size_bytes)
        .sum();
    let moved = match uploaded.was_committed {
        true => Moved::Before,
        false => Moved::Now(bytes - kept.bytes.min(bytes)),
    };
    let sent = match moved {
        Moved::Now(sent) => sent,
        Moved::Before => 0,
    };
    let summary = Summary {
        run_id: run.location.id(),
        about: Vec::new(),
        splits: Vec::new(),
        files: manifest.num_successful,
        items: ("rows", manifest.total_rows),
        bytes,
        done: "uploaded",
        moved,
        notes: notes(uploaded),
        manifest: Some(run.store.url(&run.location.manifest_key())),
        local_copy: uploaded.local_copy.as_deref(),
        metrics,
        more: serde_json::json!({
            "failed": manifest.failed,
            "sent_bytes": sent,
            "kept_files": kept.files,
            "kept_parts": kept.parts,
            "read_again_bytes": kept.bytes,
            "appeared": uploaded.appeared,
            "was_committed": uploaded.was_committed,
        }),
    };
    summary.of_job()
}

fn notes(uploaded: &Uploaded) -> Vec<(&'static str, String)> {
    let (kept, appeared) = (&uploaded.kept, uploaded.appeared.len());
    let failed = uploaded.manifest.failed.iter();
    let mut notes: Vec<_> = failed
        .map(|failed| {
            (
                "failed",
                format!("{}: {}", failed.relative_path, failed.error),
            )
        })
        .collect();
    if *kept != Kept::default() {
        let text = format!(
            "{} and {} were already there, {} were read again to verify them",
            counted(kept.files, "file"),
            counted(kept.parts, "part"),
            mebibytes(kept.bytes)
        );
        notes.push(("resumed", text));
    }
    if appeared > 0 {
        let text = format!("{} not part of the run", counted(appeared, "file"));
        notes.push(("new", text));
    }
    notes
}
