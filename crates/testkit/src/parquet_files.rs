//! Parquet files like an exchange feed's: order-book updates, seeded, of any size.
//!
//! Row groups are generated and written one at a time, so memory use stays at one row group for a
//! file of any size. Pages are plain and uncompressed: no test looks inside them, and this is the
//! fastest way to produce files of a given size.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use polars_arrow::array::{Array, PrimitiveArray, Utf8ViewArray};
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field, TimeUnit};
use polars_arrow::record_batch::RecordBatch;
use polars_parquet::write::{
    CompressionOptions, Encoding, FileWriter, StatisticsOptions, Version, WriteOptions,
    row_group_iter, to_parquet_schema,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Rows in a full row group.
const GROUP_ROWS: usize = 8192;
/// The time of the first update, 2024-01-01T00:00:00Z, in nanoseconds.
const START: i64 = 1_704_067_200_000_000_000;
/// The smallest difference between two prices.
const TICK: f64 = 0.01;
const SYMBOLS: [&str; 4] = ["BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD"];

/// The size of the file to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedSize {
    /// Exactly this many rows; 0 gives a file without row groups.
    Rows(u64),
    /// At least this many bytes of values, not counting the rest of the file (a few percent of a
    /// large file, most of a tiny one).
    Bytes(u64),
}

/// A feed file to be written; equal feeds write equal bytes.
///
/// Columns: `timestamp` (nanoseconds, UTC, ascending), `sequence` (int64, ascending), `symbol`,
/// `side` (`B` or `S`), `price`, `size`, and for each level from 1 `bid_price_1`, `bid_size_1`,
/// `ask_price_1`, `ask_size_1` (prices are doubles, sizes int64).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParquetFeed {
    /// Seed of all values.
    pub seed: u64,
    /// How large the file is to be.
    pub size: FeedSize,
    /// Price levels on each side of the book.
    pub levels: usize,
}

/// The file that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedFile {
    /// Number of rows.
    pub rows: u64,
    /// Number of columns in its schema.
    pub columns: usize,
    /// File size in bytes.
    pub bytes: u64,
}

impl ParquetFeed {
    /// Writes the file, replacing any existing one.
    ///
    /// # Errors
    ///
    /// If the file cannot be created or written.
    pub fn write(&self, path: &Path) -> io::Result<FeedFile> {
        let schema = Arc::new(self.schema());
        let parquet_schema = to_parquet_schema(&schema).map_err(io::Error::other)?;
        let fields = parquet_schema.fields().to_vec();
        let options = WriteOptions {
            statistics: StatisticsOptions::default(),
            version: Version::V1,
            compression: CompressionOptions::Uncompressed,
            data_page_size: None,
        };
        let encodings: Vec<_> = schema
            .iter_values()
            .map(|field| vec![encoding(field)])
            .collect();
        let columns = schema.len();
        let output = BufWriter::new(File::create(path)?);
        let mut file =
            FileWriter::new_with_parquet_schema(output, (*schema).clone(), parquet_schema, options);

        let mut book = Book::new(self.seed);
        let rows = self.rows();
        for first in (0..rows).step_by(GROUP_ROWS) {
            let group = GROUP_ROWS.min((rows - first) as usize);
            let batch =
                RecordBatch::try_new(group, Arc::clone(&schema), book.updates(group, self.levels));
            let batch = batch.map_err(io::Error::other)?;
            let pages = row_group_iter(batch, encodings.clone().into(), fields.clone(), options);
            file.write(group as u64, pages).map_err(io::Error::other)?;
        }
        let bytes = file.end(None).map_err(io::Error::other)?;
        file.into_inner().flush()?;
        Ok(FeedFile {
            rows,
            columns,
            bytes,
        })
    }

    fn rows(&self) -> u64 {
        let row_bytes = 8 * (4 + 4 * self.levels as u64);
        match self.size {
            FeedSize::Rows(rows) => rows,
            FeedSize::Bytes(bytes) => bytes.div_ceil(row_bytes),
        }
    }

    fn schema(&self) -> ArrowSchema {
        let time = ArrowDataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        let fixed = [
            ("timestamp", time),
            ("sequence", ArrowDataType::Int64),
            ("symbol", ArrowDataType::Utf8View),
            ("side", ArrowDataType::Utf8View),
            ("price", ArrowDataType::Float64),
            ("size", ArrowDataType::Int64),
        ];
        let fixed = fixed
            .into_iter()
            .map(|(name, dtype)| (name.to_owned(), dtype));
        let levels = (1..=self.levels).flat_map(|level| {
            [
                (format!("bid_price_{level}"), ArrowDataType::Float64),
                (format!("bid_size_{level}"), ArrowDataType::Int64),
                (format!("ask_price_{level}"), ArrowDataType::Float64),
                (format!("ask_size_{level}"), ArrowDataType::Int64),
            ]
        });
        let field = |(name, dtype): (String, _)| Field::new(name.into(), dtype, false);
        fixed.chain(levels).map(field).collect()
    }
}

fn encoding(field: &Field) -> Encoding {
    match field.dtype {
        ArrowDataType::Utf8View => Encoding::RleDictionary,
        _ => Encoding::Plain,
    }
}

/// An order book that moves at random.
struct Book {
    randomness: StdRng,
    time: i64,
    sequence: i64,
    /// Mid price of each symbol, in ticks.
    middles: [i64; SYMBOLS.len()],
}

impl Book {
    fn new(seed: u64) -> Self {
        let randomness = StdRng::seed_from_u64(seed);
        Self {
            randomness,
            time: START,
            sequence: 0,
            middles: [6_500_000, 350_000, 15_000, 60_000],
        }
    }

    /// The columns of the next `rows` updates.
    fn updates(&mut self, rows: usize, levels: usize) -> Vec<Box<dyn Array>> {
        let mut times = Vec::with_capacity(rows);
        let mut sequences = Vec::with_capacity(rows);
        let mut symbols = Vec::with_capacity(rows);
        let mut sides = Vec::with_capacity(rows);
        let mut prices = vec![Vec::with_capacity(rows); 1 + 2 * levels];
        let mut sizes = vec![Vec::with_capacity(rows); 1 + 2 * levels];
        for _ in 0..rows {
            self.time += self.randomness.random_range(1..2_000_000);
            self.sequence += self.randomness.random_range(1..4);
            let symbol = self.randomness.random_range(0..SYMBOLS.len());
            let middle = &mut self.middles[symbol];
            *middle = (*middle + self.randomness.random_range(-3..=3)).max(1000);
            let middle = *middle;
            let buys = self.randomness.random();
            times.push(self.time);
            sequences.push(self.sequence);
            symbols.push(SYMBOLS[symbol]);
            sides.push(if buys { "B" } else { "S" });
            prices[0].push(middle as f64 * TICK);
            for level in 0..levels {
                let distance = 1 + level as i64;
                prices[1 + 2 * level].push((middle - distance) as f64 * TICK);
                prices[2 + 2 * level].push((middle + distance) as f64 * TICK);
            }
            for size in &mut sizes {
                size.push(self.randomness.random_range(1..100_000_i64));
            }
        }
        let time = ArrowDataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        let mut columns: Vec<Box<dyn Array>> = vec![
            PrimitiveArray::from_vec(times).to(time).boxed(),
            PrimitiveArray::from_vec(sequences).boxed(),
            Utf8ViewArray::from_slice_values(symbols).boxed(),
            Utf8ViewArray::from_slice_values(sides).boxed(),
        ];
        for (price, size) in prices.into_iter().zip(sizes) {
            columns.push(PrimitiveArray::from_vec(price).boxed());
            columns.push(PrimitiveArray::from_vec(size).boxed());
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use polars_parquet::read::{infer_schema, read_metadata};

    use super::*;

    fn written(feed: ParquetFeed) -> (FeedFile, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("feed.parquet");
        let file = feed.write(&path).unwrap();
        (file, std::fs::read(path).unwrap())
    }

    const FEED: ParquetFeed = ParquetFeed {
        seed: 7,
        size: FeedSize::Rows(20_000),
        levels: 3,
    };

    #[test]
    fn a_feed_is_parquet_with_the_requested_rows_and_columns() {
        let (file, bytes) = written(FEED);
        assert_eq!(
            (file.rows, file.columns, file.bytes),
            (20_000, 18, bytes.len() as u64)
        );
        let metadata = read_metadata(&mut Cursor::new(&bytes)).unwrap();
        assert_eq!(metadata.num_rows, 20_000);
        assert_eq!(metadata.row_groups.len(), 3);
        let schema = infer_schema(&metadata).unwrap();
        let names: Vec<_> = schema.iter_names().map(|name| name.as_str()).collect();
        assert_eq!(
            names[..6],
            ["timestamp", "sequence", "symbol", "side", "price", "size"]
        );
        assert_eq!(
            names[6..10],
            ["bid_price_1", "bid_size_1", "ask_price_1", "ask_size_1"]
        );
    }

    #[test]
    fn equal_feeds_write_equal_bytes_and_other_seeds_do_not() {
        let (_, bytes) = written(FEED);
        assert!(written(FEED).1 == bytes);
        assert!(written(ParquetFeed { seed: 8, ..FEED }).1 != bytes);
    }

    #[test]
    fn a_feed_has_the_requested_size() {
        for wanted in [100_000, 10_000_000] {
            let (file, bytes) = written(ParquetFeed {
                size: FeedSize::Bytes(wanted),
                ..FEED
            });
            assert_eq!(file.bytes, bytes.len() as u64);
            assert!(
                (wanted..wanted * 11 / 10).contains(&file.bytes),
                "{wanted}: {}",
                file.bytes
            );
        }
    }

    #[test]
    fn a_feed_without_rows_is_still_a_parquet_file() {
        let (_, bytes) = written(ParquetFeed {
            size: FeedSize::Rows(0),
            ..FEED
        });
        let metadata = read_metadata(&mut Cursor::new(&bytes)).unwrap();
        assert_eq!((metadata.num_rows, metadata.row_groups.len()), (0, 0));
    }
}
