//! Made-up collections like those people have: nulls, gaps, mixed numbers, fields in varying order,
//! names that are data, duplicate and broken names, old and distant dates, at every depth.

use lob_columns::{ColumnsProposal, Compression};

use crate::support::{Doc, propose, read, write_counting};

/// Patternless numbers, the same in every run (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn is_one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// What a field holds.
#[derive(Clone, Debug)]
enum Kind {
    Fraction,
    Whole,
    Int,
    Long,
    Mixed,
    Text,
    Bool,
    Date,
    Id,
    Decimal,
    Bytes,
    Raw,
    Nothing,
    EmptyArray,
    Array(Box<Kind>),
    Document(Vec<Field>),
    Book,
}

#[derive(Clone, Debug)]
struct Field {
    name: String,
    kind: Kind,
    /// One in this many documents has a null (`nulls`) or lacks the field (`gaps`); zero means none
    /// does.
    nulls: usize,
    gaps: usize,
}

fn kind(random: &mut Random, depth: usize) -> Kind {
    let inner = depth < 4;
    match random.below(20) {
        0 | 1 => Kind::Fraction,
        2 => Kind::Whole,
        3 | 4 => Kind::Int,
        5 => Kind::Long,
        6 | 7 => Kind::Mixed,
        8 => Kind::Text,
        9 => Kind::Bool,
        10 => Kind::Date,
        11 => Kind::Id,
        12 => Kind::Decimal,
        13 => Kind::Bytes,
        14 => Kind::Raw,
        15 => Kind::Nothing,
        16 => Kind::EmptyArray,
        17 if inner => Kind::Array(Box::new(kind(random, depth + 1))),
        18 if inner => Kind::Document(fields(random, depth + 1)),
        19 if inner => Kind::Book,
        _ => Kind::Fraction,
    }
}

fn fields(random: &mut Random, depth: usize) -> Vec<Field> {
    let count = 1 + random.below(if depth == 0 { 12 } else { 4 });
    let names = (0..count).map(|n| match random.below(12) {
        0 => format!("a.{n}"),
        1 => format!("$é{n}"),
        2 => format!("{n}"),
        _ => format!("field{n}"),
    });
    let names: Vec<_> = names.collect();
    let rare = [0, 0, 2, 2, 3, 10, 50];
    let mut field = |name| Field {
        name,
        kind: kind(random, depth),
        nulls: rare[random.below(rare.len())],
        gaps: rare[random.below(rare.len())],
    };
    names.into_iter().map(&mut field).collect()
}

/// Whether documents have anything that columns cannot hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Oddities {
    None,
    Some,
}

struct Maker {
    random: Random,
    oddities: Oddities,
}

impl Maker {
    fn is_odd(&mut self) -> bool {
        self.oddities == Oddities::Some && self.random.is_one_in(60)
    }

    fn document(&mut self, fields: &[Field]) -> Vec<u8> {
        let mut present: Vec<&Field> = Vec::new();
        for field in fields {
            if field.gaps == 0 || !self.random.is_one_in(field.gaps) {
                present.push(field);
            }
        }
        if self.random.is_one_in(6) && !present.is_empty() {
            let by = self.random.below(present.len());
            present.rotate_left(by);
        }
        let mut document = Doc::new();
        for field in present {
            let (code, value) = if field.nulls > 0 && self.random.is_one_in(field.nulls) {
                let valueless = [0x0a, 0x0a, 0x0a, 0x06, 0xff, 0x7f];
                (valueless[self.random.below(valueless.len())], Vec::new())
            } else {
                self.value(&field.kind)
            };
            document = document.raw(code, &field.name, &value);
            if self.is_odd() {
                let (code, value) = self.value(&Kind::Mixed);
                document = match self.random.below(4) {
                    0 => document.raw(code, &field.name, &value),
                    1 => document.raw_name(code, b"\xff\xfe", &value),
                    2 => document.raw(code, "_lob_bson", &value),
                    _ => document.raw(code, "late", &value),
                };
            }
        }
        document.bytes()
    }

    fn value(&mut self, kind: &Kind) -> (u8, Vec<u8>) {
        if self.is_odd() {
            return match self.random.below(6) {
                0 => (0x02, b"\x02\0\0\0x\0".to_vec()),
                1 => (0x02, b"\x02\0\0\0\xff\0".to_vec()),
                2 => (0x12, ((1_i64 << 53) + 1).to_le_bytes().to_vec()),
                3 => (0x09, i64::MAX.to_le_bytes().to_vec()),
                4 => (0x04, Doc::new().int32("7", 1).bytes()),
                _ => (0x03, Doc::new().int32("odd", 1).int32("odd", 2).bytes()),
            };
        }
        let number = self.random.next();
        let fraction = (number >> 11) as f64 / 8.0 + 0.0625;
        let int = (0x10, (number as i32 % 1000).to_le_bytes().to_vec());
        match kind {
            Kind::Fraction => (0x01, fraction.to_le_bytes().to_vec()),
            Kind::Whole => (0x01, f64::from(number as i32 % 100).to_le_bytes().to_vec()),
            Kind::Int => int,
            Kind::Long => {
                let shift = 20 + self.random.below(43);
                (0x12, (number as i64 >> shift).to_le_bytes().to_vec())
            }
            Kind::Mixed => match self.random.below(5) {
                0 => int,
                1 => (0x12, (number as i64 >> 11).to_le_bytes().to_vec()),
                2 => (0x01, (-0.0_f64).to_le_bytes().to_vec()),
                3 => (0x01, f64::from(number as i16).to_le_bytes().to_vec()),
                _ => (0x01, fraction.to_le_bytes().to_vec()),
            },
            Kind::Text => {
                let text = format!("tëxt {}\0", number % 50);
                let len = i32::try_from(text.len()).unwrap().to_le_bytes();
                (0x02, [&len[..], text.as_bytes()].concat())
            }
            Kind::Bool => (0x08, vec![(number % 2) as u8]),
            Kind::Date => {
                let dates = [
                    0,
                    -62_135_596_800_000,
                    253_402_300_799_999,
                    -2_208_988_800_001,
                ];
                let date = dates[self.random.below(dates.len())];
                (0x09, i64::to_le_bytes(date).to_vec())
            }
            Kind::Id => (
                0x07,
                [number.to_le_bytes(), number.to_be_bytes()].concat()[..12].to_vec(),
            ),
            Kind::Decimal => {
                let exponent = [-2, -2, -1, 0][self.random.below(4)];
                let text = format!("{}E{exponent}", 1 + number % 100_000);
                (
                    0x13,
                    text.parse::<bson::Decimal128>().unwrap().bytes().to_vec(),
                )
            }
            Kind::Bytes => (
                0x05,
                [&[3, 0, 0, 0, 4], &number.to_le_bytes()[..3]].concat(),
            ),
            Kind::Raw => match number % 3 {
                0 => (0x0b, b"a+\0i\0".to_vec()),
                _ => (0x11, number.to_le_bytes().to_vec()),
            },
            Kind::Nothing => (0x0a, Vec::new()),
            Kind::EmptyArray => (0x04, Doc::new().bytes()),
            Kind::Array(element) => {
                let count = self.random.below(14);
                let elements: Vec<_> = (0..count)
                    .map(|_| match self.random.is_one_in(8) {
                        true => (0x0a, Vec::new()),
                        false => self.value(element),
                    })
                    .collect();
                (0x04, Doc::array(elements))
            }
            Kind::Document(fields) => (0x03, self.document(fields)),
            Kind::Book => {
                let start = self.random.below(5000);
                let book = (0..self.random.below(12)).fold(Doc::new(), |book, level| {
                    let price = format!("{}.{}", start + level, level % 10);
                    match (start + level) % 7 {
                        0 => book.int32(&price, level as i32),
                        1 => book.null(&price),
                        _ => book.double(&price, level as f64 + 0.5),
                    }
                });
                (0x03, book.bytes())
            }
        }
    }
}

/// A collection of documents that share a made-up schema.
fn collection(seed: u64, count: usize, oddities: Oddities) -> Vec<Vec<u8>> {
    let mut random = Random(seed);
    let fields = fields(&mut random, 0);
    let mut maker = Maker { random, oddities };
    (0..count).map(|_| maker.document(&fields)).collect()
}

#[test]
fn documents_of_five_hundred_schemas_come_back() {
    for seed in 0..500 {
        let documents = collection(seed, 200, Oddities::Some);
        let mut proposal = match seed % 3 {
            0 => ColumnsProposal::with_natures(["field1".into()], ["field2".into()]),
            _ => ColumnsProposal::new(),
        };
        for document in &documents[..1 + (seed as usize * 7) % 200] {
            proposal.observe(document).unwrap();
        }
        let columns = proposal.finish();
        let (file, _) = write_counting(&columns, &documents, 90, Compression::None);
        assert!(read(&file) == documents, "seed {seed}");
    }
}

#[test]
fn ordinary_data_has_no_residual_row() {
    for seed in 1000..1300 {
        let documents = collection(seed, 100, Oddities::None);
        let columns = propose(&documents);
        let (file, residual) = write_counting(&columns, &documents, 90, Compression::Auto);
        assert!(read(&file) == documents, "seed {seed}");
        let list: Vec<_> = columns.list().collect();
        assert_eq!(residual, 0, "seed {seed}: {list:?}");
    }
}

/// A name that is new to a run gets a column in the next one, and integer columns widen to doubles
/// if doubles turned up.
#[test]
fn an_earlier_runs_columns_accept_todays_documents() {
    for seed in 2000..2100 {
        let (yesterday, today) = (
            collection(seed, 60, Oddities::Some),
            collection(seed + 10_000, 60, Oddities::Some),
        );
        let columns = propose(&yesterday);
        let mut encoder = lob_columns::Encoder::new(&columns);
        for document in &yesterday {
            encoder.push(document).unwrap();
        }
        let mut proposal = ColumnsProposal::new();
        for document in &today {
            proposal.observe(document).unwrap();
        }
        let (columns, _) = proposal.finish_after(&columns, &encoder.counts());
        for documents in [yesterday, today] {
            let (file, _) = write_counting(&columns, &documents, 25, Compression::None);
            assert!(read(&file) == documents, "seed {seed}");
        }
    }
}
