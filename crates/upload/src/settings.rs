//! The resolved settings of an upload.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use clap::ValueEnum;
use lob_core::failure::Failure;
use lob_core::run::RunLocation;
use lob_core::settings::ByteSize;
use lob_core::settings::ObjectSettings;
use lob_core::settings::RunId;
use lob_core::settings::S3Settings;
use lob_core::settings::optional_number;
use lob_core::settings::{BASE_MEMORY, MemoryShare};
use lob_core::settings::{PartLimits, PartSettings};
use lob_core::transfer::PartBudget;
use serde::{Deserialize, Serialize};

use crate::selection::Selection;

/// Stands in for an id generated from the time.
const GENERATED_ID: &str = "YYYYMMDD_HHMMSS";

/// The memory that an upload takes by default.
pub(crate) const MEMORY: MemoryShare = MemoryShare {
    one_of: 32,
    per_core: ByteSize::mib(256),
    least: ByteSize::mib(64),
};

/// Files in parts that are sent at once at least: while one is opened or completed, others are sent.
const LARGE_FILES: usize = 4;

/// The settings of `lob-upload`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The directory whose Parquet files are uploaded.
    pub(crate) source_dir: PathBuf,
    /// If there are any, a file must match one of these patterns.
    pub(crate) include: Vec<String>,
    /// A file must match none of these patterns.
    pub(crate) exclude: Vec<String>,
    /// The run's id; generated from the time if absent.
    pub(crate) run_id: Option<RunId>,
    /// Largest file sent in a single request.
    pub(crate) multipart_threshold: ByteSize,
    /// How many files are sent at once; as many as memory and cores suggest if absent.
    #[serde(deserialize_with = "optional_number")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// About how much memory is taken.
    pub(crate) memory: ByteSize,
    /// The directory for local copies of manifests.
    pub(crate) manifest_dir: PathBuf,
    /// Which hash the manifest's `checksum` holds.
    pub(crate) hash: HashKind,
    /// Publish the run without the files that fail.
    pub(crate) allow_partial: bool,
    /// How files are cut into parts.
    #[serde(flatten)]
    pub(crate) parts: PartSettings,
    /// How S3 is reached.
    #[serde(flatten)]
    pub(crate) s3: S3Settings,
    /// How objects are stored.
    #[serde(flatten)]
    pub(crate) objects: ObjectSettings,
}

/// Hashes that the manifest's `checksum` can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HashKind {
    /// SHA-256
    Sha256,
    /// MD5, as in the legacy scripts: computed in addition, and costs more than everything else
    Md5,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            source_dir: "lob_data".into(),
            include: Vec::new(),
            exclude: Vec::new(),
            run_id: None,
            multipart_threshold: ByteSize::mib(16),
            jobs: None,
            memory: MEMORY.here(),
            manifest_dir: "artifacts/lob_data_uploads".into(),
            hash: HashKind::Sha256,
            allow_partial: false,
            parts: PartSettings::default(),
            s3: S3Settings::defaults("lob-data"),
            objects: ObjectSettings::default(),
        }
    }
}

impl Settings {
    /// How large parts are, and how many there may be.
    pub(crate) fn limits(&self) -> PartLimits {
        let memory = self.memory.0.saturating_sub(BASE_MEMORY.0);
        self.parts.within(ByteSize(memory))
    }

    /// The memory budget shared by parts and by files sent in a single request.
    pub(crate) fn budget(&self) -> Result<PartBudget, Failure> {
        let limits = self.limits();
        let (threshold, buffer_size) = (self.multipart_threshold, limits.buffer_size);
        if self.parts.buffer_size.is_some() && threshold > buffer_size {
            return Err(Failure::usage(format!(
                "`buffer_size` {buffer_size} cannot hold a file of `multipart_threshold` {threshold}"
            ))
            .about(&["buffer_size", "multipart_threshold"]));
        }
        // Two parts of the size that is chosen for the memory there is.
        let parts = threshold.0.max(limits.part_size.0.saturating_mul(2));
        let least = ByteSize(BASE_MEMORY.0.saturating_add(parts));
        if self.parts.buffer_size.is_none() && self.parts.part_size.is_none() && self.memory < least
        {
            return Err(Failure::usage(format!(
                "`memory` {} is less than the {least} that an upload needs, with files of up to \
                 `multipart_threshold` {threshold} in one request",
                self.memory
            ))
            .about(&["memory"]));
        }
        PartBudget::new(&limits)
    }

    /// How many files of this size may be sent at once. A file in parts holds two of them beside
    /// those under way: one that waits and one that is read.
    pub(crate) fn files_at_once(&self, size: u64) -> usize {
        if let Some(jobs) = self.jobs {
            return jobs.get();
        }
        let limits = self.limits();
        if size <= self.multipart_threshold.0 {
            return limits.in_flight.get();
        }
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let in_memory = limits.buffer_size.0 / limits.part_size.0.max(1);
        let fit = usize::try_from(in_memory / 3).unwrap_or(usize::MAX);
        cores.max(LARGE_FILES).min(fit).max(2)
    }

    /// The files to upload.
    pub(crate) fn selection(&self) -> Result<Selection, Failure> {
        Selection::new(&self.include, &self.exclude)
    }

    /// The prefix of the run's keys. A generated id is not known before the plan is written; the
    /// placeholder has the same length.
    pub(crate) fn run_folder(&self) -> Result<String, Failure> {
        let prefix = self.s3.runs_folder()?;
        Ok(match self.run_id.clone() {
            Some(id) => RunLocation::new(prefix, id).key(""),
            None => format!("{}{GENERATED_ID}/", prefix.folder()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_sent_in_one_request_must_fit_into_memory() {
        let mut settings = Settings::default();
        assert!(settings.budget().is_ok());
        settings.multipart_threshold = settings.memory;
        assert!(settings.budget().is_err());
        settings.parts.buffer_size = Some(settings.memory);
        assert!(settings.budget().is_ok());
    }

    #[test]
    fn small_files_are_sent_as_many_at_once_as_requests_and_large_ones_few() {
        let mut settings = Settings {
            memory: ByteSize::mib(128),
            ..Settings::default()
        };
        assert_eq!(settings.files_at_once(1000), 20);
        assert!((4..=7).contains(&settings.files_at_once(1 << 30)));
        settings.memory = ByteSize::mib(64);
        assert_eq!(settings.files_at_once(1 << 30), 2);
        settings.jobs = NonZeroUsize::new(2);
        assert_eq!(settings.files_at_once(1000), 2);
    }

    #[test]
    fn the_folder_of_a_run_is_known_except_for_its_time() {
        let mut settings = Settings::default();
        let generated = RunId::at(jiff::Timestamp::UNIX_EPOCH).to_string();
        assert_eq!(GENERATED_ID.len(), generated.len());
        let folder = settings.run_folder().unwrap();
        assert_eq!(folder, "lob-data/YYYYMMDD_HHMMSS/");
        settings.s3.prefix = String::new();
        settings.run_id = Some("run-1".parse().unwrap());
        assert_eq!(settings.run_folder().unwrap(), "run-1/");
        settings.s3.prefix = "..".to_owned();
        assert!(settings.run_folder().is_err());
    }
}
