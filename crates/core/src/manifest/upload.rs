//! The manifest of an upload.

use serde::{Deserialize, Serialize};

use super::reading::{ManifestError, Names, check_version, parse, sum};
use super::{DataFile, RunFacts, S3Config};
use crate::run::RunId;

/// The manifest of an upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UploadManifest {
    /// The run.
    pub run_id: RunId,
    /// When the run was started.
    pub upload_timestamp: jiff::Timestamp,
    /// The directory that was uploaded, as it was named.
    pub source_directory: String,
    /// Files that the plan listed.
    pub num_files: u64,
    /// Files that are in S3.
    pub num_successful: u64,
    /// Files that are not.
    pub num_failed: u64,
    /// Always `parquet`.
    pub format: String,
    /// Where the run was written.
    pub s3_config: S3Config,
    /// The files, in the order of their paths.
    pub files: Vec<UploadedFile>,
    /// The files that are not in S3, in the order of their paths; there are none unless that was
    /// allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedFile>,
    /// Sum of the sizes in MiB.
    pub total_size_mb: f64,
    /// Sum of the rows.
    pub total_rows: u64,
    /// What stands in every manifest.
    #[serde(flatten)]
    pub run: RunFacts,
}

/// One uploaded file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UploadedFile {
    /// The last segment of the path.
    pub filename: String,
    /// The path below the source directory, with `/`.
    pub relative_path: String,
    /// The whole address.
    pub s3_path: String,
    /// Size in MiB (2^20 bytes).
    pub size_mb: f64,
    /// Rows, as the file's footer says.
    pub row_count: u64,
    /// The names of the columns, in the order of the schema.
    pub schema_fields: Vec<String>,
    /// `sha256:` and the SHA-256, or `md5:` and the MD5 where the original's form was asked for.
    pub checksum: String,
    /// When the object was complete.
    pub upload_timestamp: jiff::Timestamp,
    /// The object.
    #[serde(flatten)]
    pub file: DataFile,
}

/// A file that could not be uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedFile {
    /// The path below the source directory, with `/`.
    pub relative_path: String,
    /// Why.
    pub error: String,
}

impl UploadManifest {
    /// Reads a manifest as untrusted input.
    ///
    /// # Errors
    /// As [`ManifestError`] lists.
    pub fn read(bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = parse(bytes)?;
        check_version(manifest.run.format_version)?;
        let mut names = Names::default();
        for file in &manifest.files {
            names.add(&file.file.key)?;
            if file.relative_path != file.file.key {
                return Err(ManifestError::Contradiction("relative_path and key"));
            }
        }
        if sum(manifest.files.iter().map(|file| file.row_count))? != manifest.total_rows {
            return Err(ManifestError::Contradiction("total_rows"));
        }
        sum(manifest.files.iter().map(|file| file.file.size_bytes))?;
        if manifest.files.len() as u64 != manifest.num_successful
            || manifest.failed.len() as u64 != manifest.num_failed
            || sum([manifest.num_successful, manifest.num_failed])? != manifest.num_files
        {
            return Err(ManifestError::Contradiction("num_files"));
        }
        Ok(manifest)
    }
}
