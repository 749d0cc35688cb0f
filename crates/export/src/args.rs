//! The command-line syntax of `lob-export`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use lob_columns::Compression;
use lob_core::cli::{CommandLine, is_of_s3};
use lob_core::settings::ByteSize;
use lob_core::settings::CommonArgs;
use lob_core::settings::ObjectArgs;
use lob_core::settings::Percent;
use lob_core::settings::S3Args;
use lob_core::settings::SplitSelection;
use lob_core::settings::whole;
use lob_core::settings::{MemoryArgs, PartArgs};
use lob_core::settings::{RunArg, RunId};
use lob_mongo::{CollectionPattern, MongoArgs};
use serde::Serialize;

use crate::columns_from::ColumnsFrom;
use crate::number_or::{All, Auto, NumberOr};
use crate::settings::ChecksumKind;
use crate::worker::Worker;

/// Export MongoDB split collections to Parquet on S3
///
/// Each collection `split_{N}_input` becomes a folder of Parquet files that Spark, DuckDB, pyarrow
/// and polars read as one table, and from which lob-import restores every document byte for byte.
/// The manifest of the run is written last: a run without one does not exist.
///
/// Several processes can share a run: one plans it, any number work, and one commits it.
///
/// Every setting also has an environment variable: `LOB_` and its name, such as LOB_BUCKET, or
/// `LOB_EXPORT_` and its name for this tool alone.
#[derive(Debug, Clone, Parser)]
#[command(name = "lob-export", version)]
pub struct Args {
    /// What to do instead of a whole export.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// The flags that are settings.
    #[command(flatten)]
    pub(crate) flags: Flags,
    /// The flags that every tool has.
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// The steps of an export, for several processes that share a run, and what there is to do beside.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Plan a run: its splits, their columns and ranges
    Plan,
    /// Export this worker's ranges of a planned run
    ///
    /// Ranges that are already exported are left alone, so a worker that was stopped can simply be
    /// started again. In a Slurm array job, a Kubernetes Indexed Job or an AWS Batch array job, the
    /// environment says which worker this is.
    Work,
    /// Commit a planned run once all its ranges are exported
    Commit,
    /// Check that every data file and record of a run is what its manifest says
    Verify {
        /// The run.
        #[command(flatten)]
        run: RunArg,
        /// Download every data file as well, and compare its SHA-256
        #[arg(long)]
        full: bool,
    },
    /// List the exports below the prefix, newest first
    List,
    /// List the multipart uploads that a run left open: they take space and cost money
    Cleanup {
        /// The run.
        #[command(flatten)]
        run: RunArg,
        /// Abort the listed uploads
        #[arg(long)]
        yes: bool,
    },
    /// Name the latest committed run, and where its splits are
    Latest {
        /// Print only the s3:// addresses of the splits, one per line
        #[arg(long)]
        print_uri: bool,
    },
}

impl CommandLine for Args {
    const INPUT: &'static str = "--database";

    fn defaults() -> impl Serialize {
        crate::settings::defaults()
    }

    fn takes(verb: Option<&str>, flag: &str) -> bool {
        match verb {
            None => !["worker", "workers"].contains(&flag),
            Some("plan") => ![
                "worker",
                "workers",
                "jobs",
                "memory",
                "read_ahead",
                "parts_in_flight",
                "max_misfits",
                "max_shrink",
                "manifest_dir",
            ]
            .contains(&flag),
            Some("work") => !["max_misfits", "max_shrink", "manifest_dir"].contains(&flag),
            Some("commit") => ![
                "worker",
                "workers",
                "jobs",
                "memory",
                "read_ahead",
                "parts_in_flight",
                "buffer_size",
            ]
            .contains(&flag),
            Some("verify") => ["run_id", "max_bandwidth"].contains(&flag) || is_of_s3(flag),
            Some("cleanup") => flag == "run_id" || is_of_s3(flag),
            Some(_) => is_of_s3(flag),
        }
    }
}

/// The flags that are settings.
#[derive(Debug, Clone, Default, clap::Args, Serialize)]
pub(crate) struct Flags {
    /// Database to export from
    #[arg(long, value_name = "NAME")]
    pub(crate) database: Option<String>,
    /// Names of the split collections, with `{N}` for the number
    #[arg(long, value_name = "PATTERN")]
    pub(crate) collection_pattern: Option<CollectionPattern>,
    /// Splits to export: `all`, or numbers such as `0,2,5`
    #[arg(long, value_name = "NUMBERS")]
    pub(crate) split: Option<SplitSelection>,
    /// Name of the run: a new one, or one to resume, verify or clean up [default for a new run: the
    /// time in UTC]
    #[arg(long, value_name = "NAME")]
    pub(crate) run_id: Option<RunId>,
    /// Compression of Parquet pages: `zstd[:LEVEL]`, `lz4`, `snappy`, `none`, or `auto`, which is
    /// `zstd:1` but `none` for a column that does not shrink
    #[arg(long, value_name = "NAME")]
    pub(crate) compression: Option<Compression>,
    /// Size at which a Parquet file ends and the next one begins
    #[arg(long, value_name = "SIZE")]
    pub(crate) file_size: Option<ByteSize>,
    /// Size in memory of one row group; about ten of them are held at once
    #[arg(long, value_name = "SIZE")]
    pub(crate) row_group_size: Option<ByteSize>,
    /// Ranges of `_id` to cut each split into: `auto` or a number up to 10000
    #[arg(long, value_name = "COUNT")]
    pub(crate) ranges: Option<NumberOr<Auto>>,
    /// Size of the documents in one range if --ranges is `auto` [default: 1GiB; without `plan`, less
    /// if that leaves fewer ranges than can be exported at once]
    #[arg(long, value_name = "SIZE")]
    pub(crate) range_size: Option<ByteSize>,
    /// Read all documents as they were when the run was planned, whatever changes meanwhile
    ///
    /// Only a replica set or a cluster can do this, and only for as long as it keeps its history
    /// (`minSnapshotHistoryWindowInSeconds`, five minutes by default).
    #[arg(long)]
    pub(crate) snapshot: bool,
    /// Ranges to export at once; each needs memory for --read-ahead and ten times
    /// --row-group-size [default: as many as fit into --memory, at most one for each core]
    #[arg(long, value_name = "COUNT", value_parser = whole::<NonZeroUsize>)]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Which of N workers this is, as `K/N`, counted from 0 [default: as the array job says, or the
    /// only one]
    #[arg(long, value_name = "K/N")]
    pub(crate) worker: Option<Worker>,
    /// How many workers there are, if the array job does not say so (Kubernetes)
    #[arg(long, value_name = "N", value_parser = whole::<NonZeroU32>)]
    pub(crate) workers: Option<NonZeroU32>,
    /// Bytes of documents to read ahead, per range; a slow link is read by several cursors, one for
    /// each 2 to 8 MiB [default: 16MiB, up to 128MiB as --memory allows]
    #[arg(long, value_name = "SIZE")]
    pub(crate) read_ahead: Option<ByteSize>,
    /// Documents to choose the columns of a split by: this many from its start and as many from all
    /// over it, or `all`, which reads the whole collection before exporting it
    #[arg(long, value_name = "COUNT")]
    pub(crate) columns_sample: Option<NumberOr<All>>,
    /// Run whose columns to reuse, so that all runs look alike to readers: `latest`, the last run of
    /// the same collection below --prefix; `none`; or the name of a run, committed or not
    ///
    /// New fields become columns at the end, and integers become doubles if doubles occur. Only --map
    /// and --struct change any other type.
    #[arg(long, value_name = "RUN")]
    pub(crate) columns_from: Option<ColumnsFrom>,
    /// Path of documents whose field names are data, such as an order book by price: they become a
    /// MAP column; can be repeated [default: what the sample shows]
    ///
    /// A path looks like `legs[].books.bids`.
    #[arg(long, value_name = "PATH")]
    pub(crate) map: Vec<String>,
    /// Path of documents whose field names are not data: they become a STRUCT column; can be repeated
    /// [default: what the sample shows]
    #[arg(long, value_name = "PATH")]
    pub(crate) r#struct: Vec<String>,
    /// Publish nothing if more than this share of a split's documents have values that no column can
    /// hold; such values are kept in `_lob_bson` [default: no limit]
    #[arg(long, value_name = "PERCENT")]
    pub(crate) max_misfits: Option<Percent>,
    /// Publish nothing if a split has lost more than this share of its documents since the last run of
    /// its collection below --prefix; `100%` allows any loss
    #[arg(long, value_name = "PERCENT")]
    pub(crate) max_shrink: Option<Percent>,
    /// What the manifest's `checksum` is made of
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) checksum: Option<ChecksumKind>,
    /// Directory for the local copy of the manifest
    #[arg(long, value_name = "DIR")]
    pub(crate) manifest_dir: Option<PathBuf>,
    /// How MongoDB is reached.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) mongo: MongoArgs,
    /// How S3 is reached.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) s3: S3Args,
    /// How much memory is taken.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) memory: MemoryArgs,
    /// How files are cut into parts.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) parts: PartArgs,
    /// How objects are stored.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) objects: ObjectArgs,
}
