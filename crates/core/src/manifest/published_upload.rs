//! The manifest of an upload, as far as its readers need it. The rest is skipped unread.

use std::io::Read;

use serde::Deserialize;

use super::reading::{MAX_FILES, ManifestError, Names, check_version, parse, sum};
use super::{DataFile, FailedFile, bounded};
use crate::checksum::Crc;
use crate::checksum::Sha256;
use crate::settings::RunId;
use crate::store::Verified;
use crate::store::WriteToken;
use crate::transfer::Contents;

/// A committed upload.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PublishedUpload {
    format_version: u32,
    /// The id of the run.
    pub run_id: RunId,
    /// Marks every object of the run.
    pub write_token: WriteToken,
    /// When the plan was made.
    #[serde(deserialize_with = "super::time::read")]
    pub started: jiff::Timestamp,
    num_files: u64,
    /// Files that are in S3.
    pub num_successful: u64,
    /// Files that are not in S3.
    pub num_failed: u64,
    /// The files, in the order of their paths.
    #[serde(deserialize_with = "bounded::list::<MAX_FILES, _, _>")]
    pub files: Vec<PublishedFile>,
    /// The files that are not in S3.
    #[serde(default, deserialize_with = "bounded::list::<MAX_FILES, _, _>")]
    pub failed: Vec<FailedFile>,
    /// Total size in MiB.
    pub total_size_mb: f64,
    /// Total number of rows.
    pub total_rows: u64,
}

/// One uploaded file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Fields")]
pub struct PublishedFile {
    relative_path: String,
    row_count: u64,
    /// The object.
    pub file: DataFile,
}

impl AsRef<DataFile> for PublishedFile {
    fn as_ref(&self) -> &DataFile {
        &self.file
    }
}

/// The file as written, on one level, as that of an export is read.
#[derive(Deserialize)]
struct Fields {
    relative_path: String,
    row_count: u64,
    key: String,
    size_bytes: u64,
    sha256: Sha256,
    crc64nvme: Crc,
    etag: String,
    version_id: Option<String>,
    verified: Verified,
}

impl From<Fields> for PublishedFile {
    fn from(fields: Fields) -> Self {
        Self {
            relative_path: fields.relative_path,
            row_count: fields.row_count,
            file: DataFile {
                key: fields.key,
                contents: Contents {
                    size_bytes: fields.size_bytes,
                    sha256: fields.sha256,
                    crc64nvme: fields.crc64nvme,
                },
                etag: fields.etag,
                version_id: fields.version_id,
                verified: fields.verified,
            },
        }
    }
}

impl PublishedUpload {
    /// The rows of all files together.
    ///
    /// # Errors
    /// [`ManifestError::Overflow`]: more than a manifest can hold.
    pub fn count_rows(of_files: impl IntoIterator<Item = u64>) -> Result<u64, ManifestError> {
        sum(of_files)
    }

    /// Reads a manifest as untrusted input.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn read(source: impl Read) -> Result<Self, ManifestError> {
        let manifest: Self = parse(source)?;
        check_version(manifest.format_version)?;
        let mut names = Names::default();
        for file in &manifest.files {
            names.add(&file.file.key)?;
            if file.relative_path != file.file.key {
                return Err(ManifestError::Contradiction("relative_path and key"));
            }
        }
        let rows = manifest.files.iter().map(|file| file.row_count);
        if Self::count_rows(rows)? != manifest.total_rows {
            return Err(ManifestError::Contradiction("total_rows"));
        }
        sum(manifest
            .files
            .iter()
            .map(|file| file.file.contents.size_bytes))?;
        if manifest.files.len() as u64 != manifest.num_successful
            || manifest.failed.len() as u64 != manifest.num_failed
            || sum([manifest.num_successful, manifest.num_failed])? != manifest.num_files
        {
            return Err(ManifestError::Contradiction("num_files"));
        }
        Ok(manifest)
    }
}
