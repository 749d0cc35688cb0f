//! The manifest of an upload.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DataFile, RunFacts, S3Config};
use crate::settings::RunId;
use crate::text::redact;

/// The manifest of an upload, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
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
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// The names of the columns, in the order of the schema; files of one schema share them.
    #[serde(serialize_with = "all")]
    pub schema_fields: Arc<[String]>,
    /// `sha256:` and the SHA-256, or `md5:` and the MD5 where the legacy form was asked for.
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
    /// Why, without secrets.
    pub error: String,
}

impl FailedFile {
    /// The file, and the whole chain of `error`.
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
