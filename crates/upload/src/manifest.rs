//! Builds an upload's manifest, with the legacy fields and ours, and checks in advance that it
//! fits.

use std::io;
use std::sync::Arc;

use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::{
    DataFile, FailedFile, MAX_FILES, MAX_MANIFEST_BYTES, PublishedUpload, UploadManifest,
    UploadedFile,
};
use lob_core::metrics::MetricsSnapshot;
use lob_core::run::OpenRun;
use lob_core::text::MIB;

use crate::plan::{ByteSettings, TOOL};
use crate::send::Sent;
use crate::settings::Settings;
use crate::source::SourceFile;

/// The manifest entry for a file that is in S3.
pub(crate) fn uploaded_file(run: &OpenRun, source: &SourceFile, sent: &Sent) -> UploadedFile {
    let (path, hashes) = (&source.relative_path, &sent.hashes);
    UploadedFile {
        filename: path.rsplit('/').next().unwrap_or(path).to_owned(),
        relative_path: path.clone(),
        s3_path: run.store.url(&run.key(path)),
        size_mb: hashes.contents.size_bytes as f64 / MIB,
        row_count: source.footer.rows.unwrap_or_default(),
        schema_fields: Arc::clone(&source.footer.columns),
        checksum: match hashes.md5 {
            Some(md5) => format!("md5:{md5}"),
            None => format!("sha256:{}", hashes.contents.sha256),
        },
        upload_timestamp: jiff::Timestamp::now(),
        file: DataFile::new(path.clone(), hashes.contents, &sent.object),
    }
}

/// The manifest of a run that sent all its files, or that may omit those that failed.
pub(crate) fn manifest(
    run: &OpenRun,
    settings: &Settings,
    files: Vec<UploadedFile>,
    failed: Vec<FailedFile>,
    metrics: MetricsSnapshot,
) -> UploadManifest {
    let (sent, unsent) = (files.len() as u64, failed.len() as u64);
    let bytes: u64 = files.iter().map(|file| file.file.contents.size_bytes).sum();
    let byte_settings = serde_json::json!(ByteSettings::of(settings));
    UploadManifest {
        run_id: run.location.id().clone(),
        upload_timestamp: run.started,
        source_directory: settings.source_dir.display().to_string(),
        num_files: sent + unsent,
        num_successful: sent,
        num_failed: unsent,
        format: "parquet".to_owned(),
        s3_config: run.s3_config(),
        total_size_mb: bytes as f64 / MIB,
        total_rows: files.iter().map(|file| file.row_count).sum(),
        files,
        failed,
        run: run.facts(TOOL, byte_settings, metrics),
    }
}

/// Bytes of an entry that are known only once the file is sent: hashes, ETag, version, times.
const BYTES_WHEN_SENT: u64 = 400;
/// Bytes besides the entries.
const BYTES_OF_A_RUN: u64 = 16 << 10;

/// Estimates the manifest's size in bytes for these files, erring on the high side.
///
/// # Errors
/// More files or bytes than a manifest may have: nobody could read the run.
pub(crate) fn check_size(folder: &str, files: &[SourceFile]) -> Result<u64, Failure> {
    let entry = |file: &SourceFile| {
        let path = &file.relative_path;
        let entry = serde_json::json!({
            "filename": path.rsplit('/').next(),
            "relative_path": path,
            "s3_path": format!("{folder}/{path}"),
            "key": path,
            "size_mb": file.fingerprint.size as f64 / MIB,
            "size_bytes": file.fingerprint.size,
            "row_count": file.footer.rows,
            "schema_fields": &*file.footer.columns,
        });
        let mut counter = Counter(0);
        // This always serializes to JSON, and the counter never fails.
        let _ = serde_json::to_writer(&mut counter, &entry);
        counter.0 + BYTES_WHEN_SENT
    };
    let size = files.iter().map(entry).sum::<u64>() + BYTES_OF_A_RUN;
    check_limits(files.len(), size)?;
    check_rows(files)?;
    Ok(size)
}

/// A damaged footer may claim any number of rows.
fn check_rows(files: &[SourceFile]) -> Result<(), Failure> {
    let rows = files.iter().filter_map(|file| file.footer.rows);
    if PublishedUpload::count_rows(rows).is_ok() {
        return Ok(());
    }
    let most = files.iter().max_by_key(|file| file.footer.rows);
    let most = most.map_or("", |file| &file.relative_path);
    let message = "the files have more rows than a manifest can count";
    Err(Failure::new(ExitStatus::Failed, message)
        .with_hint(format!("check `{most}`, which claims the most")))
}

fn check_limits(files: usize, size: u64) -> Result<(), Failure> {
    if files <= MAX_FILES && size <= MAX_MANIFEST_BYTES {
        return Ok(());
    }
    let message = format!(
        "the manifest of {files} files would have about {:.0} MiB, but the limits are {MAX_FILES} \
         files and {:.0} MiB",
        size as f64 / MIB,
        MAX_MANIFEST_BYTES as f64 / MIB,
    );
    Err(Failure::new(ExitStatus::Failed, message)
        .with_hint("upload them in several runs: --include selects files"))
}

/// Counts the bytes written to it.
struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_over_its_limits_is_refused() {
        assert!(check_limits(MAX_FILES, MAX_MANIFEST_BYTES).is_ok());
        assert!(check_limits(MAX_FILES + 1, 1).is_err());
        let refused = check_limits(1, MAX_MANIFEST_BYTES + 1).unwrap_err();
        assert!(
            refused.to_string().contains("would have about 1024 MiB"),
            "{refused}"
        );
    }
}
