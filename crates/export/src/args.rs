//! What was typed.

use std::path::PathBuf;

use clap::Parser;
use lob_columns::Compression;
use lob_core::byte_size::ByteSize;
use lob_core::cli::{CommandLine, CommonArgs};
use lob_core::part_settings::PartArgs;
use lob_core::run::RunId;
use lob_core::s3_settings::S3Args;
use lob_core::split_selection::SplitSelection;
use lob_mongo::{CollectionPattern, MongoArgs};
use serde::Serialize;

use crate::settings::ChecksumKind;

/// Export MongoDB split collections to Parquet on S3
///
/// Each collection `split_{N}_input` becomes a folder of Parquet files that Spark, DuckDB, pyarrow
/// and polars read as one table, and from which lob-import brings back every document byte for byte.
/// The manifest of the run is written last: a run without one does not exist.
///
/// Every option has an environment variable: `LOB_` and its name, such as LOB_BUCKET, or
/// `LOB_EXPORT_` and its name where only this tool is meant.
#[derive(Debug, Clone, Parser)]
#[command(name = "lob-export", version)]
pub struct Args {
    /// The flags that are settings.
    #[command(flatten)]
    pub flags: Flags,
    /// The flags that every tool has.
    #[command(flatten)]
    pub common: CommonArgs,
}

impl CommandLine for Args {
    fn common(&self) -> &CommonArgs {
        &self.common
    }
}

/// The flags that are settings.
#[derive(Debug, Clone, Default, clap::Args, Serialize)]
pub struct Flags {
    /// Database to export from [default: raw]
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Names of the split collections, `{N}` for the number [default: split_{N}_input]
    #[arg(long, value_name = "PATTERN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection_pattern: Option<CollectionPattern>,
    /// Splits to export, such as `0,2,5` [default: all]
    #[arg(long, value_name = "NUMBERS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitSelection>,
    /// Name of the run [default: the time in UTC, such as 20251115_093000]
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// Compression of Parquet pages: `auto`, `zstd[:LEVEL]`, `lz4`, `snappy` or `none`
    /// [default: auto, which is zstd:1 but none for a column that does not shrink]
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// Size at which a Parquet file ends and the next one begins [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_size: Option<ByteSize>,
    /// Size in memory of one row group; about eight of them are held at once [default: 16MiB]
    #[arg(long, value_name = "SIZE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_group_size: Option<ByteSize>,
    /// Bytes of documents that are read ahead [default: 16MiB]
    #[arg(long, value_name = "SIZE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_ahead: Option<ByteSize>,
    /// Documents by which the columns of a split are chosen: as many from its start and as many at
    /// random [default: 1000]
    #[arg(long, value_name = "COUNT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns_sample: Option<u32>,
    /// What the manifest's `checksum` is made of [default: statistics]
    #[arg(long, value_enum, value_name = "KIND")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<ChecksumKind>,
    /// Folder for the local copy of the manifest [default: artifacts/s3_exports]
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest_dir: Option<PathBuf>,
    /// How MongoDB is reached.
    #[command(flatten)]
    #[serde(flatten)]
    pub mongo: MongoArgs,
    /// How S3 is reached.
    #[command(flatten)]
    #[serde(flatten)]
    pub s3: S3Args,
    /// How files are cut into parts.
    #[command(flatten)]
    #[serde(flatten)]
    pub parts: PartArgs,
}
