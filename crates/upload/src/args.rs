//! What can be typed after `lob-upload`, and nothing of what it means.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Parser;
use lob_core::byte_size::ByteSize;
use lob_core::cli::{CommandLine, CommonArgs};
use lob_core::part_settings::PartArgs;
use lob_core::run::RunId;
use lob_core::s3_settings::S3Args;
use serde::Serialize;

/// Upload a directory of Parquet files to S3
///
/// Each file is read once, and the server attests the checksum of the whole object. The manifest of
/// the run is written last: a run without one does not exist.
///
/// Every option has an environment variable: `LOB_` and its name, such as LOB_BUCKET, or
/// `LOB_UPLOAD_` and its name where only this tool is meant.
#[derive(Debug, Parser, Serialize)]
#[command(name = "lob-upload", version)]
pub struct Args {
    /// Directory whose `*.parquet` files are uploaded, with its subdirectories [default: lob_data]
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_dir: Option<PathBuf>,
    /// Name of the run [default: the time in UTC, such as 20251115_093000]
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// Largest file that is sent in one request; larger ones are sent in parts [default: 16MiB]
    #[arg(long, value_name = "SIZE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multipart_threshold: Option<ByteSize>,
    /// Files that are sent at once [default: 4]
    #[arg(long, value_name = "COUNT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<NonZeroUsize>,
    /// Directory of the manifests' local copies [default: artifacts/lob_data_uploads]
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest_dir: Option<PathBuf>,
    /// How S3 is reached.
    #[command(flatten)]
    #[serde(flatten)]
    pub s3: S3Args,
    /// How files are cut into parts.
    #[command(flatten)]
    #[serde(flatten)]
    pub parts: PartArgs,
    /// What every tool has.
    #[command(flatten)]
    #[serde(skip)]
    pub common: CommonArgs,
}

impl CommandLine for Args {
    fn common(&self) -> &CommonArgs {
        &self.common
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
