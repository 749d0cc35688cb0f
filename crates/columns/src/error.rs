//! Why a data file cannot be written or read.

use std::io;

use polars_parquet::parquet::error::ParquetError;

use crate::footer::InvalidFooter;

/// Documents that cannot be written as Parquet.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Row groups must be taken earlier.
    #[error("a row group of {bytes} bytes is too large to be read back")]
    RowGroupTooLarge {
        /// Its approximate size in memory.
        bytes: usize,
    },
    /// Readers would refuse the footer: the data file has too many row groups.
    #[error("a footer of about {bytes} bytes is too large to be read back")]
    FooterTooLarge {
        /// Its approximate size in the file.
        bytes: usize,
    },
    /// The Parquet library rejects the columns.
    #[error("a row group cannot be encoded: {0}")]
    Encode(String),
    /// The Parquet library or the sink rejects the pages.
    #[error("a data file cannot be written")]
    Write(#[source] ParquetError),
    /// The columns or shapes cannot be written as JSON.
    #[error("the footer cannot be written")]
    Footer(#[source] serde_json::Error),
}

/// A data file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Reading from the source failed.
    #[error("a data file cannot be read")]
    Io(#[from] io::Error),
    /// Not a Parquet file, or one that contradicts itself or is too large to be read safely.
    #[error("not a valid Parquet file: {0}")]
    Unsound(&'static str),
    /// Its row groups take more memory than its size accounts for.
    #[error(
        "a row group needs {} MiB of memory, more than its size accounts for and than the {} MiB \
         that it may take", .need >> 20, .most >> 20
    )]
    TooLarge {
        /// What it needs, in bytes, at most.
        need: u64,
        /// What it may take.
        most: u64,
    },
    /// A Parquet file that lob-export did not write.
    #[error("the footer was not written by lob-export")]
    Footer(#[from] InvalidFooter),
    /// The Parquet library cannot decode it.
    #[error("damaged Parquet file: {0}")]
    Damaged(String),
    /// A column of a legacy file that cannot be turned back into BSON.
    #[error("column `{}` {problem}", .column.escape_debug())]
    Column {
        /// The top-level column.
        column: String,
        /// What is wrong with it, in words.
        problem: String,
    },
    /// A row contradicts its code or columns.
    #[error("row {row} of a row group contradicts itself")]
    Row {
        /// Counted from 0 within its row group.
        row: usize,
    },
}
