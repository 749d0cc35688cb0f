//! The resolved settings of an import.

use std::path::PathBuf;
use std::str::FromStr;

use lob_core::failure::Failure;
use lob_core::run::DEFAULT_MAX_SHRINK;
use lob_core::settings::ByteSize;
use lob_core::settings::Percent;
use lob_core::settings::RunId;
use lob_core::settings::S3Settings;
use lob_core::settings::SplitSelection;
use lob_core::settings::whole;
use lob_mongo::{CollectionPattern, ExistingTarget, MongoSettings, WriteSettings};
use serde::{Deserialize, Serialize};

/// The settings of an import.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ImportSettings {
    /// Run to import, unless the latest is requested.
    pub(crate) run_id: Option<RunId>,
    /// Splits to import.
    pub(crate) split: SplitSelection,
    /// Database to import into.
    pub(crate) database: String,
    /// Names of the target collections.
    pub(crate) collection_pattern: CollectionPattern,
    /// Fail if a target exists.
    pub(crate) no_replace: bool,
    /// Keep an existing target under another name.
    pub(crate) keep_previous: bool,
    /// The share of its documents that a target may lose.
    pub(crate) max_shrink: Percent,
    /// Skip the run's indexes.
    pub(crate) no_indexes: bool,
    /// Skip the TTL indexes.
    pub(crate) no_ttl: bool,
    /// How thoroughly the server's documents are checked.
    pub(crate) check: Check,
    /// What to make of text that was an ObjectId in a legacy run.
    pub(crate) legacy_ids: LegacyIds,
    /// How far a legacy run may differ from its own counts.
    pub(crate) count_tolerance: CountTolerance,
    /// How many insert commands may be in flight.
    pub(crate) jobs: InsertJobs,
    /// Limit on the bytes per second downloaded, and separately on those moved to or from MongoDB;
    /// `None` for no limit.
    pub(crate) max_bandwidth: Option<ByteSize>,
    /// Folder for data files while they are checked.
    pub(crate) spool_dir: PathBuf,
    /// How MongoDB is reached.
    #[serde(flatten)]
    pub(crate) mongo: MongoSettings,
    /// How documents are written.
    #[serde(flatten)]
    pub(crate) write: WriteSettings,
    /// How S3 is reached.
    #[serde(flatten)]
    pub(crate) s3: S3Settings,
}

/// How the server's documents are checked before a target is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// The server counts the documents by the index on `_id`
    Standard,
    /// The server estimates their number, and counts them if the estimate differs
    Estimated,
    /// The server counts them, and all are read back and compared by their digest
    Full,
}

/// What to make of an `_id` of 24 hexadecimal digits in a legacy run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LegacyIds {
    /// The ObjectId it was
    ObjectId,
    /// The string the legacy scripts made of it
    String,
}

impl From<LegacyIds> for lob_columns::LegacyIds {
    fn from(ids: LegacyIds) -> Self {
        match ids {
            LegacyIds::ObjectId => Self::ObjectId,
            LegacyIds::String => Self::String,
        }
    }
}

/// How far a legacy run may differ from its own counts: 0 to 100 percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct CountTolerance(u32);

impl CountTolerance {
    /// The tolerance as a number of these documents.
    pub(crate) fn of(self, documents: u64) -> u64 {
        let tolerated = u128::from(documents) * u128::from(self.0) / 100;
        u64::try_from(tolerated).unwrap_or(documents)
    }
}

impl TryFrom<u32> for CountTolerance {
    type Error = String;

    fn try_from(percent: u32) -> Result<Self, Self::Error> {
        match percent {
            0..=100 => Ok(Self(percent)),
            _ => Err(format!(
                "expected a whole number from 0 to 100, not `{percent}`"
            )),
        }
    }
}

impl FromStr for CountTolerance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let percent = whole::<u32>(text)?;
        percent.try_into()
    }
}

impl From<CountTolerance> for u32 {
    fn from(tolerance: CountTolerance) -> Self {
        tolerance.0
    }
}

/// The server's own databases. `local` exists on only one member, whatever the write concern.
const OF_THE_SERVER: [&str; 3] = ["admin", "config", "local"];

impl ImportSettings {
    /// Refuses a database that must not be imported into.
    ///
    /// # Errors
    /// The database is the server's own.
    pub(crate) fn check_database(&self) -> Result<(), Failure> {
        let database = self.database.as_str();
        if !OF_THE_SERVER.contains(&database) {
            return Ok(());
        }
        let message =
            format!("nothing is imported into `{database}`, which belongs to the server itself");
        Err(Failure::usage(message)
            .about(&["database"])
            .with_hint("choose another --database"))
    }

    /// What happens to an existing target.
    pub(crate) fn existing_target(&self) -> ExistingTarget {
        match (self.no_replace, self.keep_previous) {
            (true, _) => ExistingTarget::Refuse,
            (false, true) => ExistingTarget::Keep,
            (false, false) => ExistingTarget::Replace,
        }
    }
}

/// More insert commands at once only wait for each other in the server.
const MOST_JOBS: u32 = 64;

/// How many insert commands may be in flight: at most 64, since the setting is shared with tools that
/// can use more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct InsertJobs(u32);

impl InsertJobs {
    pub(crate) fn get(self) -> usize {
        self.0 as usize
    }
}

impl TryFrom<u32> for InsertJobs {
    type Error = String;

    fn try_from(jobs: u32) -> Result<Self, Self::Error> {
        match jobs {
            0 => Err("expected a whole number of at least 1, not `0`".to_owned()),
            _ => Ok(Self(jobs.min(MOST_JOBS))),
        }
    }
}

impl FromStr for InsertJobs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let jobs = whole::<u32>(text)?;
        jobs.try_into()
    }
}

impl From<InsertJobs> for u32 {
    fn from(jobs: InsertJobs) -> Self {
        jobs.0
    }
}

/// The default settings; the prefix is the exporter's.
pub(crate) fn defaults() -> ImportSettings {
    ImportSettings {
        run_id: None,
        split: SplitSelection::All,
        database: "raw".to_owned(),
        collection_pattern: CollectionPattern::default(),
        no_replace: false,
        keep_previous: false,
        max_shrink: DEFAULT_MAX_SHRINK,
        no_indexes: false,
        no_ttl: false,
        check: Check::Standard,
        legacy_ids: LegacyIds::ObjectId,
        count_tolerance: CountTolerance(0),
        jobs: InsertJobs(4),
        max_bandwidth: None,
        spool_dir: std::env::temp_dir(),
        mongo: MongoSettings::default(),
        write: WriteSettings::default(),
        s3: S3Settings::defaults("processed-splits"),
    }
}
