//! What a run will do, decided before anything is sent: every file with its state and its footer.

use anyhow::Context as _;
use lob_core::failure::Failure;
use lob_core::part::PartBudget;
use serde::Serialize;

use crate::footer::Footer;
use crate::freeze::Fingerprint;
use crate::settings::Settings;
use crate::source::{self, SourceFile};

/// The tool's name in plans and manifests.
pub(crate) const TOOL: &str = "lob-upload";

/// The tool's part of the plan in the bucket.
#[derive(Debug, Serialize)]
pub(crate) struct UploadWork {
    source_directory: String,
    #[serde(flatten)]
    settings: ByteSettings,
    files: Vec<PlannedFile>,
}

/// The settings that decide how the bytes are cut, in bytes.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct ByteSettings {
    part_size_bytes: u64,
    multipart_threshold_bytes: u64,
}

impl ByteSettings {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            part_size_bytes: settings.parts.part_size.0,
            multipart_threshold_bytes: settings.multipart_threshold.0,
        }
    }
}

#[derive(Debug, Serialize)]
struct PlannedFile {
    relative_path: String,
    size_bytes: u64,
    /// Since 1970.
    modified_nanoseconds: i128,
    row_count: u64,
}

impl UploadWork {
    pub(crate) fn new(settings: &Settings, files: &[SourceFile]) -> Self {
        let files = files.iter().map(|file| PlannedFile {
            relative_path: file.relative_path.clone(),
            size_bytes: file.fingerprint.size,
            modified_nanoseconds: file.fingerprint.modified,
            row_count: file.footer.rows,
        });
        Self {
            source_directory: settings.source_dir.display().to_string(),
            settings: ByteSettings::of(settings),
            files: files.collect(),
        }
    }
}

/// Finds the files, and looks at the state and the footer of each. Blocks.
pub(crate) fn examine(settings: &Settings, budget: &PartBudget) -> anyhow::Result<Vec<SourceFile>> {
    let (selection, run_folder) = (settings.selection()?, settings.run_folder()?);
    let found = source::find(&settings.source_dir, &selection, &run_folder)?;
    let examined = found.into_iter().map(|(relative_path, path)| {
        let named = || format!("`{}` cannot be uploaded", path.display());
        let file = source::open(&path).with_context(named)?;
        let fingerprint = Fingerprint::of(&file).with_context(named)?;
        let footer = Footer::read(&file)
            .with_context(|| format!("`{}` is not a whole Parquet file", path.display()))?;
        let buffer_size = settings.parts.buffer_size;
        if budget.part_size_for(fingerprint.size) > buffer_size.0 {
            return Err(Failure::usage(format!(
                "`{}` needs parts that --buffer-size {buffer_size} cannot hold",
                path.display()
            ))
            .into());
        }
        Ok(SourceFile {
            relative_path,
            path,
            fingerprint,
            footer,
        })
    });
    examined.collect()
}
