//! Reports what an upload would do, without sending a request or leaving a trace.

use lob_core::cli::Outcome;
use lob_core::failure::Failure;
use lob_core::text::MIB;
use lob_core::transfer::PartBudget;
use serde::Serialize;

use crate::manifest;
use crate::settings::Settings;
use crate::source::SourceFile;

/// Requests per run besides those for its files: checking the bucket and the run, writing the plan
/// and probing what the server can do, writing the manifest.
const REQUESTS_OF_A_RUN: u64 = 6;
/// Requests to probe multipart uploads, if there will be any.
const REQUESTS_OF_A_MULTIPART_PROBE: u64 = 7;
/// The HEAD before the commit.
const REQUESTS_OF_A_PROOF: u64 = 1;
/// `CreateMultipartUpload` and `CompleteMultipartUpload`.
const REQUESTS_AROUND_PARTS: u64 = 2;

/// What it takes to send one file.
#[derive(Debug, Serialize)]
struct PlannedFile<'a> {
    relative_path: &'a str,
    size_bytes: u64,
    /// 1 for a file sent in a single request.
    parts: u64,
    requests: u64,
}

/// The dry run's result, as text and as JSON.
///
/// # Errors
/// No bucket, an invalid prefix, or too many files: the upload would fail as well.
pub(crate) fn outcome(
    settings: &Settings,
    budget: &PartBudget,
    files: &[SourceFile],
) -> Result<Outcome, Failure> {
    let bucket = settings.s3.bucket()?;
    let run = format!("s3://{bucket}/{}", settings.run_folder()?);
    let manifest_bytes = manifest::check_size(&run, files)?;
    let files: Vec<_> = files
        .iter()
        .map(|file| planned(settings, budget, file))
        .collect();
    let sum = |number: fn(&PlannedFile<'_>) -> u64| files.iter().map(number).sum::<u64>();
    let (bytes, parts) = (sum(|file| file.size_bytes), sum(|file| file.parts));
    let mut requests = sum(|file| file.requests) + REQUESTS_OF_A_RUN;
    let threshold = settings.multipart_threshold.0;
    if files.iter().any(|file| file.size_bytes > threshold) {
        requests += REQUESTS_OF_A_MULTIPART_PROBE;
    }

    let mut lines = vec![format!("{:>15}  {:>5}  file", "bytes", "parts")];
    lines.extend(files.iter().map(|file| {
        let (path, size, parts) = (file.relative_path, file.size_bytes, file.parts);
        format!("{size:>15}  {parts:>5}  {path}")
    }));
    lines.extend([
        String::new(),
        format!("run       {run}"),
        format!("files     {}", files.len()),
        format!("size      {:.2} MiB", bytes as f64 / MIB),
        format!("parts     {parts}"),
        format!("requests  about {requests}, plus retries"),
        format!("manifest  about {:.2} MiB", manifest_bytes as f64 / MIB),
        "nothing was sent: this was a dry run".to_owned(),
    ]);
    let json = serde_json::json!({
        "dry_run": true,
        "run": run,
        "files": files.len(),
        "bytes": bytes,
        "parts": parts,
        "requests": requests,
        "manifest_bytes": manifest_bytes,
        "planned": files,
    });
    Ok(Outcome::answer(lines, json))
}

fn planned<'a>(settings: &Settings, budget: &PartBudget, file: &'a SourceFile) -> PlannedFile<'a> {
    let size_bytes = file.fingerprint.size;
    let in_one_request = size_bytes <= settings.multipart_threshold.0;
    let (parts, around) = if in_one_request {
        (1, 0)
    } else {
        let parts = size_bytes.div_ceil(budget.part_size_for(size_bytes));
        (parts, REQUESTS_AROUND_PARTS)
    };
    PlannedFile {
        relative_path: &file.relative_path,
        size_bytes,
        parts,
        requests: parts + around + REQUESTS_OF_A_PROOF,
    }
}
