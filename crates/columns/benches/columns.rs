//! Measures what the codec costs on one core: from documents to a Parquet file in memory and back,
//! stage by stage, next to plain zstd on the bytes of the same values.
//!
//! `cargo xtask bench columns` writes the tables into docs/PERFORMANCE.md. Times are the thread's
//! CPU time, not wall-clock time, so other work on the machine hardly matters.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints its result and fails by panicking"
)]

use std::fs;
use std::hint::black_box;
use std::io::Cursor;

use bson::{RawDocumentBuf, oid::ObjectId, raw::cstr, rawdoc};
use lob_columns::{
    Columns, ColumnsProposal, Compression, EncodedRowGroup, Encoder, Footer, ParquetWriter, Reader,
    RowGroup,
};
use lob_core::checksum::Digest;

/// Each figure is the best of this many rounds: any disturbance only makes a measurement longer.
const ROUNDS: usize = 5;
/// The default of `lob-export`.
const ROW_GROUP_BYTES: usize = 16 << 20;
const FEATURES: usize = 768;

/// CPU seconds this thread has used so far.
fn cpu() -> f64 {
    let schedule = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds: f64 = schedule.split(' ').next().unwrap().parse().unwrap();
    nanoseconds / 1e9
}

/// The lowest CPU seconds over all rounds, and the result of the last one.
fn measure<T>(mut work: impl FnMut() -> T) -> (f64, T) {
    let mut round = || {
        let before = cpu();
        let result = work();
        (cpu() - before, result)
    };
    let (mut least, mut last) = round();
    for _ in 1..ROUNDS {
        let (seconds, result) = round();
        least = least.min(seconds);
        last = result;
    }
    (least, last)
}

/// Patternless numbers, the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1), at full precision.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A document of a split whose features come from `features`.
fn split_document(number: u32, features: impl Iterator<Item = f64>) -> RawDocumentBuf {
    let mut array = bson::RawArrayBuf::new();
    features.for_each(|feature| array.push(feature));
    let mut id = [7; 12];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let id = ObjectId::from_bytes(id);
    let timestamp = bson::DateTime::from_millis(1_704_067_200_000 + i64::from(number) * 1000);
    let role = ["train", "validation", "test"][number as usize % 3];
    let fold = number as i32 % 5;
    let mut document = rawdoc! { "_id": id, "timestamp": timestamp, "role": role, "fold_id": fold };
    document.append(cstr!("features"), array);
    document
}

/// Full-entropy features, as a neural network takes them.
fn entropy(random: &mut Random, number: u32) -> RawDocumentBuf {
    split_document(number, (0..FEATURES).map(|_| random.unit() * 8.0 - 4.0))
}

/// Prices and sizes of an order book: close together, on a grid.
fn book(random: &mut Random, number: u32) -> RawDocumentBuf {
    let middle = 60_000.0 + (f64::from(number) / 500.0).sin() * 100.0;
    let level = |n: usize| {
        let noise = (random.next() % 20) as f64;
        if n.is_multiple_of(2) {
            ((middle * 10.0).floor() + n as f64 + noise) / 10.0
        } else {
            noise / 8.0
        }
    };
    split_document(number, (0..FEATURES).map(level))
}

/// Forty scalar fields and a subdocument in each document.
fn scalars(random: &mut Random, number: u32) -> RawDocumentBuf {
    let mut document = split_document(number, std::iter::empty());
    for field in 0..20 {
        let name = |kind: &str| bson::raw::CString::try_from(format!("{kind}_{field}")).unwrap();
        document.append(name("count"), (random.next() % 1000) as i32);
        document.append(name("price"), (random.next() % 100_000) as f64 / 100.0);
    }
    let sequence = i64::from(number);
    document.append(
        cstr!("source"),
        rawdoc! { "venue": "XNAS", "sequence": sequence },
    );
    document
}

fn name(field: impl std::fmt::Display) -> bson::raw::CString {
    bson::raw::CString::try_from(format!("field_{field}")).unwrap()
}

fn nullable(random: &mut Random, number: u32) -> RawDocumentBuf {
    let mut document = rawdoc! { "_id": number as i32 };
    for field in 0..20 {
        if random.next().is_multiple_of(2) {
            document.append(name(field), bson::RawBson::Null);
        } else {
            document.append(name(field), random.unit());
        }
    }
    document
}

fn alternating(random: &mut Random, number: u32) -> RawDocumentBuf {
    let mut document = rawdoc! { "_id": number as i32 };
    for field in 0..40 {
        let field = if number.is_multiple_of(2) {
            field
        } else {
            39 - field
        };
        document.append(name(field), (random.next() % 1000) as f64 / 8.0);
    }
    document
}

fn arrays(random: &mut Random, number: u32) -> RawDocumentBuf {
    let mut array = bson::RawArrayBuf::new();
    for _ in 0..100 {
        match random.next() % 10 {
            0 => array.push(bson::RawBson::Null),
            1..=4 => array.push((random.next() % 100) as i32),
            _ => array.push((random.next() % 100) as f64 + 0.5),
        }
    }
    rawdoc! { "_id": number as i32, "mixed": array }
}

fn prices(random: &mut Random, number: u32) -> RawDocumentBuf {
    let middle = 20_000 + number / 10 % 5_000;
    let mut side = |sign: i64| {
        let mut side = RawDocumentBuf::new();
        for level in 1..=25 {
            let price = i64::from(middle) + sign * level;
            let price = bson::raw::CString::try_from(format!("{}_{:02}", price / 100, price % 100));
            side.append(price.unwrap(), (random.next() % 5000) as f64 / 10.0);
        }
        side
    };
    rawdoc! { "_id": number as i32, "bids": side(-1), "asks": side(1) }
}

fn decimals(random: &mut Random, number: u32) -> RawDocumentBuf {
    let mut document = rawdoc! { "_id": number as i32 };
    for field in 0..20 {
        let digits = random.next() % 1_000_000;
        let text = format!("{digits}E-{}", 1 + random.next() % 2);
        document.append(name(field), text.parse::<bson::Decimal128>().unwrap());
    }
    document
}

/// The first kinds: their values are at the top level, so they can also be compressed on their own.
const PLAIN_KINDS: usize = 3;

type Make = fn(&mut Random, u32) -> RawDocumentBuf;

const KINDS: [(&str, u32, Make); 8] = [
    ("768 doubles of full entropy", 12_000, entropy),
    ("768 doubles on a grid", 12_000, book),
    ("40 scalar fields", 100_000, scalars),
    ("20 doubles, half of them null", 200_000, nullable),
    ("40 doubles in two orders", 100_000, alternating),
    ("arrays that mix numbers and nulls", 20_000, arrays),
    ("books by price", 20_000, prices),
    ("20 decimals of two scales", 50_000, decimals),
];

fn propose(documents: &[RawDocumentBuf]) -> Columns {
    let mut proposal = ColumnsProposal::new();
    for document in documents.iter().step_by(documents.len() / 1000) {
        proposal.observe(document.as_bytes()).unwrap();
    }
    proposal.finish()
}

fn walk(columns: &Columns, documents: &[RawDocumentBuf]) -> (Vec<RowGroup>, Footer) {
    let mut encoder = Encoder::new(columns);
    let mut row_groups = Vec::new();
    for document in documents {
        encoder.push(document.as_bytes()).unwrap();
        if encoder.pending_bytes() >= ROW_GROUP_BYTES {
            row_groups.push(encoder.take_row_group());
        }
    }
    row_groups.push(encoder.take_row_group());
    assert_eq!(encoder.residual_rows(), 0);
    (row_groups, encoder.finish())
}

fn encode(row_groups: Vec<RowGroup>, compression: Compression) -> Vec<EncodedRowGroup> {
    let encoded = row_groups
        .into_iter()
        .map(|group| group.encode(compression));
    encoded.map(Result::unwrap).collect()
}

/// Writes into memory that is already allocated, as `lob-export` writes into its part buffers.
fn write(columns: &Columns, row_groups: Vec<EncodedRowGroup>, footer: Footer, file: &mut Vec<u8>) {
    file.clear();
    let mut writer = ParquetWriter::new(file, columns).unwrap();
    for row_group in row_groups {
        writer.write(row_group).unwrap();
    }
    writer.finish(footer).unwrap();
}

/// The documents' size in bytes, and the seconds spent reading columns and writing documents.
fn read(file: &[u8]) -> (usize, f64, f64) {
    let mut reader = Reader::open(Cursor::new(file)).unwrap();
    let (mut bytes, mut columns, mut rows) = (0, 0.0, 0.0);
    for index in 0..reader.row_groups() {
        let before = cpu();
        let documents = reader.read_row_group(index).unwrap();
        let between = cpu();
        for document in documents {
            bytes += black_box(document.unwrap()).len();
        }
        columns += between - before;
        rows += cpu() - between;
    }
    (bytes, columns, rows)
}

fn digest(documents: &[RawDocumentBuf]) -> Digest {
    let mut digest = Digest::default();
    documents
        .iter()
        .for_each(|document| digest.add(document.as_bytes()));
    digest
}

/// The bare bytes of the documents' values.
fn values(documents: &[RawDocumentBuf]) -> Vec<u8> {
    let mut values = Vec::new();
    for document in documents {
        for element in document.iter_elements() {
            let element = element.unwrap();
            match element.value().unwrap() {
                bson::RawBsonRef::Array(array) => {
                    for value in array {
                        if let Some(double) = value.unwrap().as_f64() {
                            values.extend_from_slice(&double.to_le_bytes());
                        }
                    }
                }
                bson::RawBsonRef::Double(double) => values.extend_from_slice(&double.to_le_bytes()),
                bson::RawBsonRef::Int32(int) => values.extend_from_slice(&int.to_le_bytes()),
                _ => {}
            }
        }
    }
    values
}

fn main() {
    println!(
        "| documents | MB of BSON | compression | MB of Parquet | digest | walk | encode | write | MB/s out | read | decode | MB/s back |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut limits = Vec::new();
    for (number, (name, count, make)) in KINDS.into_iter().enumerate() {
        let mut random = Random(1);
        let documents: Vec<_> = (0..count).map(|number| make(&mut random, number)).collect();
        let megabytes = documents
            .iter()
            .map(|document| document.as_bytes().len())
            .sum::<usize>() as f64
            / 1e6;
        let columns = propose(&documents);
        let (digesting, _) = measure(|| digest(&documents));
        let (walking, _) = measure(|| walk(&columns, &documents));
        for compression in ["auto", "zstd", "lz4", "snappy", "none"] {
            let compression: Compression = compression.parse().unwrap();
            let (mut encoding, mut writing) = (f64::MAX, f64::MAX);
            let mut file = Vec::new();
            for _ in 0..ROUNDS {
                let (row_groups, footer) = walk(&columns, &documents);
                let before = cpu();
                let row_groups = encode(row_groups, compression);
                let between = cpu();
                write(&columns, row_groups, footer, &mut file);
                encoding = encoding.min(between - before);
                writing = writing.min(cpu() - between);
            }
            let (mut reading, mut decoding) = (f64::MAX, f64::MAX);
            for _ in 0..ROUNDS {
                let (bytes, columns, rows) = read(&file);
                assert_eq!(bytes as f64 / 1e6, megabytes);
                reading = reading.min(columns);
                decoding = decoding.min(rows);
            }
            let out = digesting + walking + encoding + writing;
            let per_gb = |seconds: f64| format!("{:.2}", seconds * 1e3 / megabytes);
            println!(
                "| {name} | {megabytes:.0} | `{compression}` | {:.0} | {} | {} | {} | {} | {:.0} | {} | {} | {:.0} |",
                file.len() as f64 / 1e6,
                per_gb(digesting),
                per_gb(walking),
                per_gb(encoding),
                per_gb(writing),
                megabytes / out,
                per_gb(reading),
                per_gb(decoding),
                megabytes / (reading + decoding + digesting),
            );
        }
        if number >= PLAIN_KINDS {
            continue;
        }
        let values = values(&documents);
        let (compressing, compressed) = measure(|| zstd::bulk::compress(&values, 1).unwrap());
        let (decompressing, _) =
            measure(|| zstd::bulk::decompress(&compressed, values.len()).unwrap());
        let megabytes = |bytes: usize| bytes as f64 / 1e6;
        limits.push(format!(
            "| {name} | {:.0} | {:.0} | {:.0} | {:.0} |",
            megabytes(values.len()),
            megabytes(compressed.len()),
            megabytes(values.len()) / compressing,
            megabytes(values.len()) / decompressing,
        ));
    }
    println!(
        "\n| zstd level 1 alone | MB of values | MB compressed | MB/s compressing | MB/s decompressing |"
    );
    println!("| --- | --- | --- | --- | --- |");
    limits.iter().for_each(|limit| println!("{limit}"));
}
