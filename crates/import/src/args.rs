//! The command-line syntax of `lob-import`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use lob_core::cli::{CommandLine, is_of_s3};
use lob_core::settings::ByteSize;
use lob_core::settings::Percent;
use lob_core::settings::S3Args;
use lob_core::settings::SplitSelection;
use lob_core::settings::{CommonArgs, is_of};
use lob_core::settings::{MemoryArgs, whole};
use lob_core::settings::{RunArg, RunId};
use lob_mongo::{CollectionPattern, MongoArgs, WriteArgs};
use serde::Serialize;

use crate::settings::{Check, CountTolerance, LegacyIds};

/// Import an export from S3 into MongoDB split collections
///
/// Each data file is proved by its SHA-256 before a byte of it is decoded. Documents go into a
/// staging collection, which takes the target's place only when its digest and counts match the
/// manifest: at every instant a target is the old collection or the new one.
///
/// Every setting also has an environment variable: `LOB_` and its name, such as LOB_BUCKET, or
/// `LOB_IMPORT_` and its name for this tool alone.
#[derive(Debug, Clone, Parser)]
#[command(name = "lob-import", version)]
pub struct Args {
    /// What to do instead of an import.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Import the run with the latest time in its manifest, whatever LOB_RUN_ID or a file names; a
    /// typed --run-id wins
    #[arg(long)]
    pub(crate) latest: bool,
    /// The old form of `list`
    #[arg(long, hide = true, conflicts_with_all = ["run_id", "latest"])]
    pub(crate) list: bool,
    /// Print what would be imported and what it would replace, without writing anything
    #[arg(long, conflicts_with = "list")]
    pub(crate) dry_run: bool,
    /// The flags that are settings.
    #[command(flatten)]
    pub(crate) flags: Flags,
    /// The flags that every tool has.
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// What there is to do with a run beside importing it.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Check that the target collections still hold what the manifest of a run says
    Verify {
        /// The run.
        #[command(flatten)]
        run: RunArg,
    },
    /// List the exports below the prefix, newest first
    List,
}

impl CommandLine for Args {
    const INPUT: &'static str = "--run-id";

    fn defaults() -> impl Serialize {
        crate::settings::defaults()
    }

    fn takes(verb: Option<&str>, flag: &str) -> bool {
        let of_verify = [
            "run_id",
            "split",
            "database",
            "collection_pattern",
            "count_tolerance",
            "max_bandwidth",
        ];
        match verb {
            None => true,
            Some("list") => is_of_s3(flag),
            Some(_) => of_verify.contains(&flag) || is_of::<MongoArgs>(flag) || is_of_s3(flag),
        }
    }
}

/// The flags that are settings.
#[derive(Debug, Clone, Default, clap::Args, Serialize)]
pub(crate) struct Flags {
    /// Name of the run to import or verify
    #[arg(long, value_name = "NAME")]
    pub(crate) run_id: Option<RunId>,
    /// Splits to import: `all`, or numbers such as `0,2,5`
    #[arg(long, value_name = "NUMBERS")]
    pub(crate) split: Option<SplitSelection>,
    /// Database to import into
    #[arg(long, value_name = "NAME")]
    pub(crate) database: Option<String>,
    /// Names of the target collections, with `{N}` for the number
    #[arg(long, value_name = "PATTERN")]
    pub(crate) collection_pattern: Option<CollectionPattern>,
    /// Fail if a target collection exists, instead of replacing it
    #[arg(long)]
    pub(crate) no_replace: bool,
    /// Keep an existing target collection as `{target}__lob_previous_{ID}`
    ///
    /// This takes two renames, with a moment between them when there is no target; no other option
    /// has such a gap. A process that dies in it leaves both collections under other names, and the
    /// same command puts the new one in its place.
    #[arg(long, conflicts_with = "no_replace")]
    pub(crate) keep_previous: bool,
    /// Import nothing if a target collection would lose more than this share of its documents; `100%`
    /// allows any loss
    #[arg(long, value_name = "PERCENT")]
    pub(crate) max_shrink: Option<Percent>,
    /// Build no index but the one on `_id`
    #[arg(long)]
    pub(crate) no_indexes: bool,
    /// Build no TTL index: the server would use it to delete documents that were just restored
    #[arg(long)]
    pub(crate) no_ttl: bool,
    /// How to check the server's documents before a target is replaced
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) check: Option<Check>,
    /// What becomes of an `_id` of 24 hexadecimal digits in a legacy run
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) legacy_ids: Option<LegacyIds>,
    /// Percentage of its documents by which a split of a legacy run may differ from its manifest
    #[arg(long, value_name = "PERCENT")]
    pub(crate) count_tolerance: Option<CountTolerance>,
    /// Insert commands to send at once, up to 64 [default: 4 at first, then as many as are of use and
    /// fit into --memory]
    #[arg(long, value_name = "COUNT", value_parser = whole::<NonZeroUsize>)]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// How much memory is taken.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) memory: MemoryArgs,
    /// Most bytes per second to download, and to move to or from MongoDB, such as `50MiB`
    /// [default: no limit]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_bandwidth: Option<ByteSize>,
    /// Directory for data files while they are checked, one for each that is decoded and one more
    /// [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) spool_dir: Option<PathBuf>,
    /// How MongoDB is reached.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) mongo: MongoArgs,
    /// How documents are written.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) write: WriteArgs,
    /// How S3 is reached.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) s3: S3Args,
}
