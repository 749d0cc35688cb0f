//! Everything that decides about an upload, resolved.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use lob_core::byte_size::ByteSize;
use lob_core::failure::Failure;
use lob_core::part::PartBudget;
use lob_core::part_settings::PartSettings;
use lob_core::run::RunId;
use lob_core::s3_settings::S3Settings;
use serde::{Deserialize, Serialize};

/// The settings of `lob-upload`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The directory whose Parquet files are uploaded.
    pub source_dir: PathBuf,
    /// The run's id; without one the time gives it.
    pub run_id: Option<RunId>,
    /// Largest file that is sent in one request.
    pub multipart_threshold: ByteSize,
    /// Files that are sent at once.
    pub concurrency: NonZeroUsize,
    /// The directory of the manifests' local copies.
    pub manifest_dir: PathBuf,
    /// How files are cut into parts.
    #[serde(flatten)]
    pub parts: PartSettings,
    /// How S3 is reached.
    #[serde(flatten)]
    pub s3: S3Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            source_dir: "lob_data".into(),
            run_id: None,
            multipart_threshold: ByteSize::mib(16),
            concurrency: const { NonZeroUsize::new(4).unwrap() },
            manifest_dir: "artifacts/lob_data_uploads".into(),
            parts: PartSettings::defaults(),
            s3: S3Settings::defaults("lob-data"),
        }
    }
}

impl Settings {
    /// The memory that parts and files sent in one request share.
    pub(crate) fn budget(&self) -> Result<PartBudget, Failure> {
        let (threshold, buffer_size) = (self.multipart_threshold, self.parts.buffer_size);
        if threshold > buffer_size {
            return Err(Failure::usage(format!(
                "--buffer-size {buffer_size} cannot hold a file of --multipart-threshold \
                 {threshold}"
            )));
        }
        PartBudget::new(&self.parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_sent_in_one_request_must_fit_into_memory() {
        let mut settings = Settings::default();
        assert!(settings.budget().is_ok());
        settings.multipart_threshold = ByteSize::mib(65);
        assert!(settings.budget().is_err());
    }
}
