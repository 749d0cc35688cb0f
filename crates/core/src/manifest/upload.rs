//! The manifest of an upload.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DataFile, RunFacts, S3Config};
use crate::settings::RunId;
use crate::text::redact;

/// The manifest of an upload, as written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UploadManifest {
    /// The id of the run.
    pub run_id: RunId,
    /// When the run was started.
    pub upload_timestamp: jiff::Timestamp,
    /// The directory that was uploaded, as it was given.
    pub source_directory: String,
    /// Files that the plan listed.
    pub num_files: u64,
    /// Files that are in S3.
    pub num_successful: u64,
    /// Files that are not in S3.
    pub num_failed: u64,
    /// Always `parquet`.
    pub format: String,
    /// Where the run was written.
    pub s3_config: S3Config,
    /// The files, in the order of their paths.
    pub files: Vec<UploadedFile>,
    /// The files that are not in S3, in the order of their paths; empty unless partial runs were
    /// allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedFile>,
    /// Total size in MiB.
    pub total_size_mb: f64,
    /// Total number of rows.
    pub total_rows: u64,
    /// What every manifest contains.
    #[serde(flatten)]
    pub run: RunFacts,
}

/// One uploaded file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UploadedFile {
    /// The last segment of the path.
    pub filename: String,
    /// The path below the source directory, separated by `/`.
    pub relative_path: String,
    /// The full address.
    pub s3_path: String,
    /// Size in MiB (2^20 bytes).
    pub size_mb: f64,
    /// The number of rows, according to the file's footer.
    pub row_count: u64,
    /// The names of the columns, in schema order; shared by files with the same schema.
    #[serde(serialize_with = "all")]
    pub schema_fields: Arc<[String]>,
    /// `sha256:` and the SHA-256, or `md5:` and the MD5 if the legacy form was asked for.
    pub checksum: String,
    /// When the object was completed.
    pub upload_timestamp: jiff::Timestamp,
    /// The object.
    #[serde(flatten)]
    pub file: DataFile,
}

/// A file that could not be uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedFile {
    /// The path below the source directory, separated by `/`.
    pub relative_path: String,
    /// The reason, without secrets.
    pub error: String,
}

impl FailedFile {
    /// Records the file with the whole chain of `error`.
    pub fn new(relative_path: String, error: &anyhow::Error) -> Self {
        Self {
            relative_path,
            error: redact(&format!("{error:#}")),
        }
    }
}

fn all<S: serde::Serializer>(names: &Arc<[String]>, serializer: S) -> Result<S::Ok, S::Error> {
    names.as_ref().serialize(serializer)
}
