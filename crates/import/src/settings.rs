//! The resolved settings of an import.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::thread;

use lob_core::failure::Failure;
use lob_core::limiter::Limiter;
use lob_core::run::DEFAULT_MAX_SHRINK;
use lob_core::settings::ByteSize;
use lob_core::settings::Percent;
use lob_core::settings::RunId;
use lob_core::settings::S3Settings;
use lob_core::settings::SplitSelection;
use lob_core::settings::{BASE_MEMORY, MemoryShare, at_pace, warn_of_need};
use lob_core::settings::{optional_number, whole};
use lob_core::transfer::RANGE_BYTES;
use lob_mongo::{CollectionPattern, ExistingTarget, MongoSettings, WriteSettings};
use serde::{Deserialize, Serialize};

use crate::budget::Budget;

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
    /// How many insert commands may be in flight; as many as are of use and fit into memory if
    /// absent.
    #[serde(deserialize_with = "optional_number")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// About how much memory is taken.
    pub(crate) memory: ByteSize,
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
pub(crate) enum Check {
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
pub(crate) enum LegacyIds {
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
pub(crate) struct CountTolerance(u32);

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

/// The memory that an import takes by default.
pub(crate) const MEMORY: MemoryShare = MemoryShare {
    one_of: 16,
    per_core: ByteSize::mib(128),
    least: ByteSize::mib(256),
};

/// The memory that one data file may take while it is decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DecodingMemory {
    /// For its largest row group, in bytes.
    pub(crate) of_file: u64,
    most_decoders: usize,
}

impl DecodingMemory {
    /// The memory of the whole import that leaves this much for a data file.
    pub(crate) fn whole(&self, of_file: u64) -> ByteSize {
        let of_all = of_file.saturating_mul(self.most_decoders as u64);
        ByteSize(of_all.saturating_add(BASE_MEMORY.0))
    }
}

/// What a file takes while it is decoded: a row group as columns and as documents.
const DECODING: ByteSize = ByteSize::mib(124);
/// Batches of a file waiting to be inserted, besides the one that is filled.
pub(crate) const WAITING_BATCHES: usize = 2;
/// How often a batch is in memory while it is inserted: as it was decoded, in the command, and in
/// the driver's message.
pub(crate) const COPIES_OF_BATCH: u64 = 3;
/// Ranges at once: with one, each waits for the last to be consumed. Each takes a connection.
const RANGES: (u64, u64) = (2, 128);
/// One for every two cores: the others insert, encrypt and hash.
fn most_decoders() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    (cores / 2).max(1)
}

/// More insert commands at once only wait for each other in the server.
const MOST_INSERTS: u64 = 64;

impl ImportSettings {
    /// How many data files are decoded at once.
    pub(crate) fn decoders(&self) -> usize {
        let fit = self.memory.0.saturating_sub(BASE_MEMORY.0) / (DECODING.0 * 3 / 2);
        let fit = usize::try_from(fit).unwrap_or(usize::MAX);
        fit.min(most_decoders()).max(1)
    }

    /// What one of these data files may take.
    pub(crate) fn decoding(&self) -> DecodingMemory {
        let of_all = self.memory.0.saturating_sub(BASE_MEMORY.0);
        DecodingMemory {
            of_file: (of_all / self.decoders() as u64).max(DECODING.0),
            most_decoders: most_decoders(),
        }
    }

    /// What a file takes while it is decoded, with its batches that are not sent yet.
    fn of_file(&self) -> u64 {
        let waiting = (WAITING_BATCHES as u64 + 1).saturating_mul(self.write.insert_batch_size.0);
        DECODING.0.saturating_add(waiting)
    }

    /// What a batch takes while it is inserted.
    fn of_insert(&self) -> u64 {
        COPIES_OF_BATCH.saturating_mul(self.write.insert_batch_size.0)
    }

    /// A third of the memory that decoding leaves: downloads may hold one, and inserts, which move
    /// more bytes, two.
    fn third(&self) -> u64 {
        let decoding = self.of_file().saturating_mul(self.decoders() as u64);
        self.memory
            .0
            .saturating_sub(BASE_MEMORY.0.saturating_add(decoding))
            / 3
    }

    /// Warns if one data file may need more than the memory that is set.
    pub(crate) fn check_memory(&self) {
        let remedy =
            "data files with smaller row groups need less (--row-group-size of the export)";
        let moved = self.of_insert().saturating_add(RANGES.0 * RANGE_BYTES);
        let need = self.of_file().saturating_add(moved);
        let need = ByteSize(need.saturating_add(BASE_MEMORY.0));
        warn_of_need(self.memory, need, remedy);
    }

    /// Insert commands in flight, at first and at most.
    pub(crate) fn inserts(&self) -> Limiter {
        let pool = u64::from(self.mongo.mongodb_pool_size.get());
        let most = MOST_INSERTS.min(pool);
        match self.jobs {
            Some(jobs) => {
                let jobs = at_least_one((jobs.get() as u64).min(MOST_INSERTS));
                Limiter::new(jobs, jobs)
            }
            None => {
                let fit = 2 * self.third() / self.of_insert().max(1);
                Limiter::new(FIRST_INSERTS, at_least_one(fit.min(most)))
            }
        }
    }

    /// What the batches that are inserted may take together. A document may be larger than a batch.
    pub(crate) fn memory_of_inserts(&self) -> Budget {
        let jobs = self.jobs.map_or(1, |jobs| jobs.get() as u64);
        let of_jobs = self.of_insert().saturating_mul(jobs);
        Budget::of((2 * self.third()).max(of_jobs))
    }

    /// Most ranges of data files that are downloaded at once.
    pub(crate) fn ranges(&self) -> NonZeroUsize {
        let at_pace = self.max_bandwidth.map(|rate| at_pace(rate, RANGE_BYTES));
        let fit = (self.third() / RANGE_BYTES).clamp(RANGES.0, RANGES.1);
        at_least_one(fit.min(at_pace.unwrap_or(u64::MAX)))
    }

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

/// Insert commands in flight at first.
const FIRST_INSERTS: NonZeroUsize = const { NonZeroUsize::new(4).unwrap() };

fn at_least_one(number: u64) -> NonZeroUsize {
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
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
        jobs: None,
        memory: MEMORY.here(),
        max_bandwidth: None,
        spool_dir: std::env::temp_dir(),
        mongo: MongoSettings::default(),
        write: WriteSettings::default(),
        s3: S3Settings::defaults("processed-splits"),
    }
}
