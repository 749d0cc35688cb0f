//! What was typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use lob_core::byte_size::ByteSize;
use lob_core::cli::{CommandLine, CommonArgs};
use lob_core::failure::Failure;
use lob_core::percent::Percent;
use lob_core::run::RunId;
use lob_core::s3_settings::S3Args;
use lob_core::split_selection::SplitSelection;
use lob_mongo::{CollectionPattern, MongoArgs, WriteArgs};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::settings::{Check, CountTolerance, InsertWorkers, LegacyIds};

/// Import an export from S3 into MongoDB split collections
///
/// Each data file is proved by its SHA-256 before a byte of it is decoded. Documents go into a
/// staging collection, which takes the target's place only when digest and counts are those of the
/// manifest: at every instant a target is the old collection or the new one.
///
/// Every option has an environment variable: `LOB_` and its name, such as LOB_BUCKET, or
/// `LOB_IMPORT_` and its name where only this tool is meant.
#[derive(Debug, Clone, Parser)]
#[command(name = "lob-import", version, disable_help_subcommand = true)]
pub struct Args {
    /// What to do instead of an import.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Import the run with the latest time in its manifest, unless --run-id names one
    #[arg(long)]
    pub latest: bool,
    /// List the runs that can be imported, and do nothing else
    #[arg(long, conflicts_with_all = ["run_id", "latest"])]
    pub list: bool,
    /// Say what would be imported and what it would replace, and write nothing
    #[arg(long, conflicts_with = "list")]
    pub dry_run: bool,
    /// The flags that are settings.
    #[command(flatten)]
    pub flags: Flags,
    /// The flags that every tool has.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What there is to do with a run beside importing it.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Read the target collections, and compare their digests with the manifest of a run
    Verify(VerifyArgs),
}

/// The command line of `lob-import verify`.
#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {
    /// Name of the run
    #[arg(value_name = "RUN")]
    pub run: RunId,
}

impl Args {
    /// Refuses options that have no meaning for a subcommand: whoever types them expects one.
    ///
    /// # Errors
    /// Such an option.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let Some(Command::Verify(_)) = self.command else {
            return Ok(());
        };
        let given = |args: serde_json::Result<Value>| match args {
            Ok(Value::Object(given)) => Ok(given),
            Ok(_) => Ok(Map::new()),
            Err(error) => Err(Failure::usage("an option cannot be read").caused_by(error)),
        };
        let flags = &self.flags;
        let shared = [
            given(serde_json::to_value(&flags.s3))?,
            given(serde_json::to_value(&flags.mongo))?,
        ];
        let has_meaning = |key: &String| {
            ["split", "database", "collection_pattern", "max_bandwidth"].contains(&key.as_str())
                || shared.iter().any(|shared| shared.contains_key(key))
        };
        let typed = given(serde_json::to_value(flags))?;
        let typed = typed.into_iter().map(|(key, _)| key);
        let switches = [
            (self.latest, "latest"),
            (self.list, "list"),
            (self.dry_run, "dry-run"),
        ];
        let switches = switches.into_iter().filter(|(is_on, _)| *is_on);
        let mut typed = typed.chain(switches.map(|(_, name)| name.to_owned()));
        match typed.find(|key| !has_meaning(key)) {
            None => Ok(()),
            Some(key) => Err(Failure::usage(format!(
                "--{} has no meaning for `verify`",
                key.replace('_', "-")
            ))),
        }
    }
}

impl CommandLine for Args {
    fn common(&self) -> &CommonArgs {
        &self.common
    }
}

/// The flags that are settings.
#[derive(Debug, Clone, Default, clap::Args, Serialize)]
pub struct Flags {
    /// Run to import
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// Splits to import, such as `0,2,5` [default: all]
    #[arg(long, value_name = "NUMBERS", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitSelection>,
    /// Database to import into [default: raw]
    #[arg(long, value_name = "NAME", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Names of the target collections, `{N}` for the number [default: split_{N}_input]
    #[arg(long, value_name = "PATTERN", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection_pattern: Option<CollectionPattern>,
    /// Fail where a target collection exists, instead of replacing it
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_replace: bool,
    /// Keep a target collection that exists as `{target}__lob_previous_{ID}`
    ///
    /// This takes two renames, and between them there is no target: it is the one option with such
    /// a gap. A process that dies in it leaves both collections under other names, and the same
    /// command again puts the new one in its place.
    #[arg(long, conflicts_with = "no_replace")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep_previous: bool,
    /// Import nothing if the run has fewer documents than a target collection by more than this;
    /// `100%` allows any loss [default: 20%]
    #[arg(long, value_name = "PERCENT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_shrink: Option<Percent>,
    /// Build no index but the one on `_id`
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_indexes: bool,
    /// Build no TTL index, by which the server would remove documents that were just restored
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_ttl: bool,
    /// How the server's documents are checked before a target is replaced [default: standard]
    #[arg(long, value_enum, value_name = "KIND")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// What becomes of an `_id` of 24 hexadecimal digits in a run of the original scripts
    /// [default: object-id]
    #[arg(long, value_enum, value_name = "KIND")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legacy_ids: Option<LegacyIds>,
    /// Percent of the documents by which a split of the original scripts may differ from its
    /// manifest [default: 0]
    #[arg(long, value_name = "PERCENT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count_tolerance: Option<CountTolerance>,
    /// Insert commands that are under way at once [default: 4]
    #[arg(long, value_name = "COUNT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insert_workers: Option<InsertWorkers>,
    /// Bytes per second that are downloaded, and moved to or from MongoDB, such as `50MiB`
    /// [default: no limit]
    #[arg(long, value_name = "SIZE", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bandwidth: Option<ByteSize>,
    /// Folder for data files while they are checked; one or two of them at a time
    /// [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spool_dir: Option<PathBuf>,
    /// How MongoDB is reached.
    #[command(flatten)]
    #[serde(flatten)]
    pub mongo: MongoArgs,
    /// How documents are written.
    #[command(flatten)]
    #[serde(flatten)]
    pub write: WriteArgs,
    /// How S3 is reached.
    #[command(flatten)]
    #[serde(flatten)]
    pub s3: S3Args,
}
