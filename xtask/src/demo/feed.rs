//! The files to upload: like an exchange feed's, some of them large enough for multipart uploads.

use std::fs;
use std::path::{Path, PathBuf};

use lob_testkit::parquet_files::{FeedSize, ParquetFeed};

/// Price levels on each side of the book.
const LEVELS: usize = 10;
/// Paths below the source folder, with sizes in MiB.
const FILES: [(&str, u64); 3] = [
    ("2024-01-01/btc_usd.parquet", 24),
    ("2024-01-01/eth_usd.parquet", 6),
    ("2024-01-02/btc_usd.parquet", 1),
];

/// A file as it was before the upload.
pub(super) struct FeedFile {
    /// Path below the source folder, with `/`.
    pub(super) name: &'static str,
    pub(super) path: PathBuf,
}

pub(super) fn write(folder: &Path) -> anyhow::Result<Vec<FeedFile>> {
    let mut files = Vec::new();
    for (seed, (name, mebibytes)) in (1..).zip(FILES) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        let size = FeedSize::Bytes(mebibytes << 20);
        let written = ParquetFeed {
            seed,
            size,
            levels: LEVELS,
        }
        .write(&path)?;
        println!(
            "{:>12} bytes  {:>7} rows  {name}",
            written.bytes, written.rows
        );
        files.push(FeedFile { name, path });
    }
    Ok(files)
}
