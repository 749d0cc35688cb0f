//! The manifest of an upload: the original's fields and ours.

use lob_core::manifest::{DataFile, RunFacts, S3Config, UploadManifest, UploadedFile};
use lob_core::metrics::MetricsSnapshot;
use lob_core::part::FileHashes;
use lob_core::run::OpenRun;
use lob_core::store::WrittenObject;

use crate::plan::{ByteSettings, TOOL};
use crate::settings::Settings;
use crate::source::SourceFile;
use crate::summary::MIB;

/// The entry of a file that was just sent.
pub(crate) fn uploaded_file(
    run: &OpenRun,
    source: &SourceFile,
    hashes: &FileHashes,
    object: &WrittenObject,
) -> UploadedFile {
    let path = &source.relative_path;
    UploadedFile {
        filename: path.rsplit('/').next().unwrap_or(path).to_owned(),
        relative_path: path.clone(),
        s3_path: run.store.url(&run.key(path)),
        size_mb: hashes.size as f64 / MIB,
        row_count: source.footer.rows,
        schema_fields: source.footer.columns.clone(),
        checksum: format!("sha256:{}", hashes.sha256),
        upload_timestamp: jiff::Timestamp::now(),
        file: DataFile::new(path.clone(), hashes, object),
    }
}

/// The manifest of a run all of whose files were sent.
pub(crate) fn manifest(
    run: &OpenRun,
    settings: &Settings,
    files: Vec<UploadedFile>,
    metrics: MetricsSnapshot,
) -> UploadManifest {
    let count = files.len() as u64;
    let bytes: u64 = files.iter().map(|file| file.file.size_bytes).sum();
    let byte_settings = serde_json::json!(ByteSettings::of(settings));
    UploadManifest {
        run_id: run.location.id().clone(),
        upload_timestamp: run.started,
        source_directory: settings.source_dir.display().to_string(),
        num_files: count,
        num_successful: count,
        num_failed: 0,
        format: "parquet".to_owned(),
        s3_config: S3Config::of(run),
        total_size_mb: bytes as f64 / MIB,
        total_rows: files.iter().map(|file| file.row_count).sum(),
        files,
        run: RunFacts::of(run, TOOL, byte_settings, metrics),
    }
}
