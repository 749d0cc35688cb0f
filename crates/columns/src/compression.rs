//! How Parquet pages are compressed: what a user can choose, and what a column chunk gets.

use std::{fmt, num::NonZeroU8, str::FromStr};

use polars_parquet::write::{CompressionOptions, ZstdLevel};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A compression of Parquet pages, written as `auto`, `zstd`, `zstd:LEVEL`, `lz4`, `snappy` or
/// `none`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Zstandard level 1, or none for a column chunk that hardly shrinks: full-entropy doubles
    /// shrink by 5 % and take as much time as everything else combined.
    #[default]
    Auto,
    /// Zstandard at a level from 1 to 22.
    Zstd(Level),
    /// LZ4 (Parquet's `LZ4_RAW`).
    Lz4,
    /// Snappy.
    Snappy,
    /// Uncompressed pages.
    None,
}

/// A Zstandard level from 1 to 22.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Level(NonZeroU8);

impl Level {
    const FASTEST: Level = Level(NonZeroU8::MIN);

    fn new(level: u8) -> Option<Level> {
        NonZeroU8::new(level)
            .filter(|level| level.get() <= 22)
            .map(Level)
    }

    fn options(self) -> CompressionOptions {
        CompressionOptions::Zstd(ZstdLevel::try_new(i32::from(self.0.get())).ok())
    }
}

impl Compression {
    /// What to compress a page with; for `auto`, what to try first.
    pub(crate) fn options(self) -> CompressionOptions {
        match self {
            Compression::Auto => Level::FASTEST.options(),
            Compression::Zstd(level) => level.options(),
            Compression::Lz4 => CompressionOptions::Lz4Raw,
            Compression::Snappy => CompressionOptions::Snappy,
            Compression::None => CompressionOptions::Uncompressed,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Compression::Auto => formatter.write_str("auto"),
            Compression::Zstd(Level::FASTEST) => formatter.write_str("zstd"),
            Compression::Zstd(level) => write!(formatter, "zstd:{}", level.0),
            Compression::Lz4 => formatter.write_str("lz4"),
            Compression::Snappy => formatter.write_str("snappy"),
            Compression::None => formatter.write_str("none"),
        }
    }
}

/// The text is not a known compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a compression is auto, zstd, zstd:LEVEL (1 to 22), lz4, snappy or none")]
pub struct InvalidCompression;

impl FromStr for Compression {
    type Err = InvalidCompression;

    fn from_str(text: &str) -> Result<Self, InvalidCompression> {
        match text {
            "auto" => Ok(Compression::Auto),
            "zstd" => Ok(Compression::Zstd(Level::FASTEST)),
            "lz4" => Ok(Compression::Lz4),
            "snappy" => Ok(Compression::Snappy),
            "none" => Ok(Compression::None),
            _ => text
                .strip_prefix("zstd:")
                .and_then(|level| Level::new(level.parse().ok()?))
                .map(Compression::Zstd)
                .ok_or(InvalidCompression),
        }
    }
}

impl Serialize for Compression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Compression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_compression_reads_back_from_its_text() {
        for text in ["auto", "zstd", "zstd:3", "zstd:22", "lz4", "snappy", "none"] {
            assert_eq!(text.parse::<Compression>().unwrap().to_string(), text);
        }
        assert_eq!("zstd:1".parse::<Compression>(), "zstd".parse());
    }

    #[test]
    fn rejects_an_unknown_compression() {
        for text in [
            "", "gzip", "zstd:", "zstd:0", "zstd:23", "zstd:-1", "ZSTD", "lz4:1",
        ] {
            assert_eq!(text.parse::<Compression>(), Err(InvalidCompression));
        }
    }
}
