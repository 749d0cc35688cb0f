//! The manifest of an upload: the original's fields and ours.

use lob_core::manifest::{DataFile, FailedFile, RunFacts, S3Config, UploadManifest, UploadedFile};
use lob_core::metrics::MetricsSnapshot;
use lob_core::run::OpenRun;

use crate::plan::{ByteSettings, TOOL};
use crate::send::Sent;
use crate::settings::Settings;
use crate::source::SourceFile;
use crate::summary::MIB;

/// The entry of a file that is in S3.
pub(crate) fn uploaded_file(run: &OpenRun, source: &SourceFile, sent: &Sent) -> UploadedFile {
    let (path, hashes) = (&source.relative_path, &sent.hashes);
    UploadedFile {
        filename: path.rsplit('/').next().unwrap_or(path).to_owned(),
        relative_path: path.clone(),
        s3_path: run.store.url(&run.key(path)),
        size_mb: hashes.size as f64 / MIB,
        row_count: source.footer.rows,
        schema_fields: source.footer.columns.clone(),
        checksum: match hashes.md5 {
            Some(md5) => format!("md5:{md5}"),
            None => format!("sha256:{}", hashes.sha256),
        },
        upload_timestamp: jiff::Timestamp::now(),
        file: DataFile::new(path.clone(), hashes, &sent.object),
    }
}

/// The manifest of a run whose files were all sent, or that may lack those that failed.
pub(crate) fn manifest(
    run: &OpenRun,
    settings: &Settings,
    files: Vec<UploadedFile>,
    failed: Vec<FailedFile>,
    metrics: MetricsSnapshot,
) -> UploadManifest {
    let (sent, unsent) = (files.len() as u64, failed.len() as u64);
    let bytes: u64 = files.iter().map(|file| file.file.size_bytes).sum();
    let byte_settings = serde_json::json!(ByteSettings::of(settings));
    UploadManifest {
        run_id: run.location.id().clone(),
        upload_timestamp: run.started,
        source_directory: settings.source_dir.display().to_string(),
        num_files: sent + unsent,
        num_successful: sent,
        num_failed: unsent,
        format: "parquet".to_owned(),
        s3_config: S3Config::of(run),
        total_size_mb: bytes as f64 / MIB,
        total_rows: files.iter().map(|file| file.row_count).sum(),
        files,
        failed,
        run: RunFacts::of(run, TOOL, byte_settings, metrics),
    }
}
