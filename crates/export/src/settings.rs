//! The resolved settings of an export.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use lob_columns::{Compression, MAX_ROW_GROUP_BYTES};
use lob_core::failure::Failure;
use lob_core::run::DEFAULT_MAX_SHRINK;
use lob_core::settings::ByteSize;
use lob_core::settings::MemoryShare;
use lob_core::settings::ObjectSettings;
use lob_core::settings::Percent;
use lob_core::settings::RunId;
use lob_core::settings::S3Settings;
use lob_core::settings::SplitSelection;
use lob_core::settings::optional_number;
use lob_core::settings::{MAX_PARTS, PART_SIZE, PartSettings};
use lob_mongo::{CollectionPattern, MAX_RANGES, MongoSettings};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::columns_from::ColumnsFrom;
use crate::number_or::{All, Auto, NumberOr};
use crate::worker::Worker;

/// The memory that an export takes by default.
pub(crate) const MEMORY: MemoryShare = MemoryShare {
    one_of: 16,
    per_core: ByteSize::mib(128),
    least: ByteSize::mib(256),
};
/// The size of the documents in one range if it is not set.
const RANGE_SIZE: ByteSize = ByteSize::gib(1);

/// The settings of an export.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ExportSettings {
    /// Database to export from.
    pub(crate) database: String,
    /// Names of the split collections.
    pub(crate) collection_pattern: CollectionPattern,
    /// Splits to export.
    pub(crate) split: SplitSelection,
    /// Name of the run; generated from the time if absent.
    pub(crate) run_id: Option<RunId>,
    /// Compression of Parquet pages.
    pub(crate) compression: Compression,
    /// Size at which a data file ends.
    pub(crate) file_size: ByteSize,
    /// Size in memory at which a row group ends.
    pub(crate) row_group_size: ByteSize,
    /// Ranges of each split.
    pub(crate) ranges: NumberOr<Auto>,
    /// Size of the documents in one range, if the number of ranges is not set; if absent, 1 GiB or
    /// what is left for each of the ranges that are exported at once.
    pub(crate) range_size: Option<ByteSize>,
    /// Whether all documents are read as of one moment.
    pub(crate) snapshot: bool,
    /// Documents to buffer for encoding, per range; as much as memory allows if absent.
    pub(crate) read_ahead: Option<ByteSize>,
    /// How many documents from the start, and as many again from across the split, to choose
    /// columns by.
    pub(crate) columns_sample: NumberOr<All>,
    /// The run whose columns are reused.
    pub(crate) columns_from: ColumnsFrom,
    /// Paths of documents whose names are data, and of those whose names are not.
    pub(crate) map: Vec<String>,
    pub(crate) r#struct: Vec<String>,
    /// Share of documents that may have values no column holds; `None` for no limit.
    pub(crate) max_misfits: Option<Percent>,
    /// The share of its documents that a split may have lost since the last run.
    pub(crate) max_shrink: Percent,
    /// Ranges that this process exports at once; as many as memory and cores suggest if absent.
    #[serde(deserialize_with = "optional_number")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// About how much memory is taken.
    pub(crate) memory: ByteSize,
    /// Which share of the run this process takes; all of it if absent.
    pub(crate) worker: Option<Worker>,
    /// How many workers there are, if the array job does not say so.
    #[serde(deserialize_with = "optional_number")]
    pub(crate) workers: Option<NonZeroU32>,
    /// What the manifest's `checksum` is made of.
    pub(crate) checksum: ChecksumKind,
    /// Folder for the local copy of the manifest.
    pub(crate) manifest_dir: PathBuf,
    /// How MongoDB is reached.
    #[serde(flatten)]
    pub(crate) mongo: MongoSettings,
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

/// What the manifest's `checksum` is made of: the two options of the legacy scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChecksumKind {
    /// The MD5 of the statistics
    Statistics,
    /// The ETags of the data files
    Etag,
}

/// The default settings.
pub(crate) fn defaults() -> ExportSettings {
    ExportSettings {
        database: "raw".to_owned(),
        collection_pattern: CollectionPattern::default(),
        split: SplitSelection::All,
        run_id: None,
        compression: Compression::Auto,
        file_size: ByteSize::mib(256),
        row_group_size: ByteSize::mib(16),
        ranges: NumberOr::Word(Auto),
        range_size: None,
        snapshot: false,
        read_ahead: None,
        columns_sample: NumberOr::Number(const { NonZeroU32::new(1000).unwrap() }),
        columns_from: ColumnsFrom::Latest,
        map: Vec::new(),
        r#struct: Vec::new(),
        max_misfits: None,
        max_shrink: DEFAULT_MAX_SHRINK,
        jobs: None,
        memory: MEMORY.here(),
        worker: None,
        workers: None,
        checksum: ChecksumKind::Statistics,
        manifest_dir: PathBuf::from("artifacts/s3_exports"),
        mongo: MongoSettings::default(),
        parts: PartSettings::default(),
        s3: S3Settings::defaults("processed-splits"),
        objects: ObjectSettings::default(),
    }
}

/// The settings that shape the bytes of the data files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ByteSettings {
    pub(crate) compression: Compression,
    pub(crate) file_size: ByteSize,
    pub(crate) row_group_size: ByteSize,
    pub(crate) part_size: ByteSize,
}

/// The settings that decide what a run holds; its plan pins them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlannedSettings {
    pub(crate) database: String,
    pub(crate) collection_pattern: CollectionPattern,
    pub(crate) split: SplitSelection,
    pub(crate) ranges: NumberOr<Auto>,
    /// At most: where it was not set, there may be more and smaller ranges.
    pub(crate) range_size: ByteSize,
    pub(crate) snapshot: bool,
    pub(crate) columns_sample: NumberOr<All>,
    pub(crate) columns_from: ColumnsFrom,
    pub(crate) map: Vec<String>,
    pub(crate) r#struct: Vec<String>,
    pub(crate) checksum: ChecksumKind,
    #[serde(flatten)]
    pub(crate) bytes: ByteSettings,
    #[serde(flatten)]
    pub(crate) objects: ObjectSettings,
}

/// A setting as it would be typed.
fn as_typed(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => "(not set)".to_owned(),
        Value::Array(items) => items.iter().map(as_typed).collect::<Vec<_>>().join(","),
        Value::Object(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(name, value)| format!("{name}={}", as_typed(value)));
            pairs.collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    };
    text.escape_debug().to_string()
}

/// Checks a size of row groups: that of a setting, or of a plan.
///
/// # Errors
/// It is outside what readers accept.
pub(crate) fn check_row_group_size(size: ByteSize) -> Result<(), Failure> {
    let largest = ByteSize::b(MAX_ROW_GROUP_BYTES as u64);
    if (1..=largest.0).contains(&size.0) {
        return Ok(());
    }
    let message =
        format!("`row_group_size` {size} is outside what readers accept, 1 B to {largest}");
    Err(Failure::usage(message).about(&["row_group_size"]))
}

impl ExportSettings {
    /// The part size that a new plan pins, on any machine the same.
    pub(crate) fn part_size(&self) -> ByteSize {
        self.parts.part_size.unwrap_or(PART_SIZE)
    }

    /// The size of ranges that a new plan pins.
    pub(crate) fn range_size(&self) -> ByteSize {
        self.range_size.unwrap_or(RANGE_SIZE)
    }

    /// The settings that a plan pins.
    ///
    /// # Errors
    /// Sizes beyond what readers or memory can take, more ranges than possible, documents that
    /// would be both MAP and STRUCT, and object settings that S3 does not accept.
    pub(crate) fn planned(&self) -> Result<PlannedSettings, Failure> {
        check_row_group_size(self.row_group_size)?;
        let part_size = self.part_size();
        let largest_file = part_size.0.saturating_mul(MAX_PARTS);
        // A file ends once it reaches its size; row groups still being encoded belong to it too.
        let overrun = self.row_group_size.0.saturating_mul(4);
        if self.file_size.0.saturating_add(overrun) > largest_file {
            return Err(Failure::usage(format!(
                "`file_size` {} needs more than {MAX_PARTS} parts of `part_size` {part_size}",
                self.file_size
            ))
            .about(&["file_size", "part_size"]));
        }
        if self.range_size().0 == 0 {
            return Err(Failure::usage("`range_size` cannot be 0").about(&["range_size"]));
        }
        if let NumberOr::Number(count) = self.ranges
            && count.get() > MAX_RANGES
        {
            return Err(Failure::usage(format!(
                "`ranges` {count} is more than the {MAX_RANGES} ranges that a split can be cut into"
            ))
            .about(&["ranges"]));
        }
        if let Some(path) = self.map.iter().find(|path| self.r#struct.contains(path)) {
            return Err(Failure::usage(format!(
                "`{path}` cannot be both in `map` and in `struct`"
            ))
            .about(&["map", "struct"]));
        }
        self.objects.check()?;
        Ok(PlannedSettings {
            database: self.database.clone(),
            collection_pattern: self.collection_pattern.clone(),
            split: self.split.clone(),
            ranges: self.ranges,
            range_size: self.range_size(),
            snapshot: self.snapshot,
            columns_sample: self.columns_sample,
            columns_from: self.columns_from.clone(),
            map: self.map.clone(),
            r#struct: self.r#struct.clone(),
            checksum: self.checksum,
            bytes: ByteSettings {
                compression: self.compression,
                file_size: self.file_size,
                row_group_size: self.row_group_size,
                part_size,
            },
            objects: self.objects.clone(),
        })
    }
}

impl PlannedSettings {
    /// The names of the settings that a plan pins.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut open = vec![serde_json::json!(self)];
        while let Some(Value::Object(fields)) = open.pop() {
            for (name, value) in fields {
                names.push(name);
                open.extend(value.is_object().then_some(value));
            }
        }
        names
    }

    /// The first setting that differs in `other`, considering only those that `counts` accepts, and
    /// its value here.
    ///
    /// # Errors
    /// Settings that cannot be serialized as JSON, which never happens.
    pub(crate) fn difference(
        &self,
        other: &Self,
        counts: impl Fn(&str) -> bool,
    ) -> serde_json::Result<Option<(String, String)>> {
        let (ours, others) = (serde_json::to_value(self)?, serde_json::to_value(other)?);
        let names = ours.as_object().into_iter().flat_map(|ours| ours.keys());
        let mut different = names.filter(|name| ours[*name] != others[*name] && counts(name));
        Ok(different
            .next()
            .map(|name| (name.clone(), as_typed(&ours[name]))))
    }
}
