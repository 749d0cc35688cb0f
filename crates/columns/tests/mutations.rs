//! Real data files with bytes changed at random: each mutation is an error, or yields documents
//! whose digest tells whether they are those that were written. No mutation takes more memory than
//! a data file may, and none ends the process.
//!
//! A program of its own, so that its memory is that of the reader. `LOB_MUTATIONS` sets how many
//! files are read, and `LOB_MUTATION_SEED` the first seed: a failure prints the seed of its file.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lob_columns::{Columns, ColumnsProposal, Compression, Encoder, ParquetWriter, Reader};
use lob_core::checksum::Documents;
use lob_testkit::bson_samples;
use lob_testkit::split_documents::SplitDocuments;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// How many files a test run reads.
const ORDINARY: u64 = 2_000;
/// What a row group may take, as in an import of little memory.
const ROW_GROUP: u64 = 64 << 20;
/// The most memory of this program: a row group, what was read of it, and a debug build.
const MEMORY: u64 = 224 << 20;

/// What became of a mutated file, as an import judges it.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    /// The reader refused it.
    Refused,
    /// Its documents are others.
    OtherDigest,
    /// Its documents are those that were written.
    Equal,
}

/// A data file, and its documents.
struct Original {
    bytes: Vec<u8>,
    documents: Documents,
}

impl Original {
    /// Row groups of ten documents each.
    fn of(documents: &[Vec<u8>], compression: Compression) -> Self {
        let mut proposal = ColumnsProposal::new();
        let mut counted = Documents::default();
        for document in documents {
            proposal.observe(document).unwrap();
            counted.add(document);
        }
        let columns: Columns = proposal.finish();
        let mut encoder = Encoder::new(&columns);
        let mut writer = ParquetWriter::new(Vec::new(), &columns).unwrap();
        for group in documents.chunks(10) {
            group
                .iter()
                .for_each(|document| encoder.push(document).unwrap());
            let encoded = encoder.take_row_group().encode(compression).unwrap();
            writer.write(encoded).unwrap();
        }
        let bytes = writer.finish(encoder.finish()).unwrap();
        Self {
            bytes,
            documents: counted,
        }
    }

    /// What becomes of the file with this mutation.
    fn judge(&self, seed: u64) -> Verdict {
        let mut random = StdRng::seed_from_u64(seed);
        let mut bytes = self.bytes.clone();
        for _ in 0..random.random_range(1..=4) {
            mutate(&mut bytes, &mut random);
        }
        match read(&bytes) {
            None => Verdict::Refused,
            Some(documents) if documents == self.documents => Verdict::Equal,
            Some(_) => Verdict::OtherDigest,
        }
    }
}

/// Changes bytes somewhere, more often in the footer, where a byte means more.
fn mutate(bytes: &mut Vec<u8>, random: &mut StdRng) {
    let end = bytes.len();
    let start = if random.random_bool(0.5) {
        end - end / 4
    } else {
        0
    };
    let at = random.random_range(start..end);
    let len = random.random_range(1..=8).min(end - at);
    match random.random_range(0..7) {
        0 | 1 => bytes[at] ^= 1 << random.random_range(0..8),
        2 => bytes[at..at + len]
            .iter_mut()
            .for_each(|byte| *byte = random.random()),
        3 => bytes[at..at + len].fill(random.random_bool(0.5).into()),
        // The largest varint of as many bytes.
        4 => bytes[at..at + len].fill(0xff),
        5 => drop(bytes.drain(at..at + len)),
        _ => {
            let from = random.random_range(0..=end - len);
            bytes.copy_within(from..from + len, at);
        }
    }
}

/// Reads a file as an import does; `None` if it is refused.
fn read(bytes: &[u8]) -> Option<Documents> {
    let mut reader = Reader::open(Cursor::new(bytes)).ok()?;
    reader.check_memory(ROW_GROUP).ok()?;
    let mut documents = Documents::default();
    for index in 0..reader.row_groups() {
        for document in reader.read_row_group(index).ok()? {
            documents.add(&document.ok()?);
        }
    }
    Some(documents)
}

fn originals() -> Vec<Original> {
    let feed = SplitDocuments::new(0, 6)
        .take(40)
        .map(|document| document.into_bytes());
    let feed: Vec<_> = feed.collect();
    let odd = bson_samples::samples().into_iter();
    let odd: Vec<_> = odd.map(|sample| sample.document.into_bytes()).collect();
    [&feed, &odd]
        .into_iter()
        .flat_map(|documents| {
            [Compression::None, Compression::Auto]
                .map(|compression| Original::of(documents, compression))
        })
        .collect()
}

/// The peak resident memory of this process.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim()
        .strip_suffix("kB")
        .unwrap()
        .trim()
        .parse::<u64>()
        .unwrap()
        * 1024
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|number| number.parse().unwrap())
}

#[test]
fn a_mutated_data_file_is_damage_or_holds_the_documents_that_were_written() {
    let originals = originals();
    for original in &originals {
        assert_eq!(read(&original.bytes), Some(original.documents));
    }
    let first = number("LOB_MUTATION_SEED").unwrap_or_else(rand::random);
    let count = number("LOB_MUTATIONS").unwrap_or(ORDINARY);
    println!("LOB_MUTATION_SEED={first} LOB_MUTATIONS={count}");
    let mut verdicts = [0_u64; 3];
    for seed in (0..count).map(|number| first.wrapping_add(number)) {
        let original = &originals[(seed % originals.len() as u64) as usize];
        let judged = catch_unwind(AssertUnwindSafe(|| original.judge(seed)));
        let again = format!("LOB_MUTATION_SEED={seed} LOB_MUTATIONS=1");
        let verdict = judged.unwrap_or_else(|_| panic!("a panic: {again}"));
        verdicts[verdict as usize] += 1;
        let peak = peak_memory();
        assert!(peak < MEMORY, "{} MiB: {again}", peak >> 20);
    }
    let [refused, other, equal] = verdicts;
    println!(
        "{refused} refused, {other} with another digest, {equal} equal, {} MiB",
        peak_memory() >> 20
    );
    // A single file may be anything; of many, each verdict has its share.
    if count >= ORDINARY {
        let share = |part: u64| part * 100 / count;
        assert!(
            share(refused) > 40 && other > 0 && equal > 0,
            "{verdicts:?}"
        );
    }
    lob_testkit::fault_fired("G10");
    lob_testkit::fault_fired("G11");
}
