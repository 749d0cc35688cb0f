//! The code of a row: how the row deviates from what its columns say.
//!
//! Encoder and decoder visit the same things in the same order: each field in a document's order,
//! including absent ones, each element of a list, each entry of a map, and the end of each document
//! and map. They do not descend into nulls. Each visit matches its column unless the code says
//! otherwise. The code is a sequence of pairs: how many visits to skip, and what differs at the
//! next one.

use crate::raw::BsonType;

/// What differs at a visit. Those marked *before* describe what precedes the visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op<'a> {
    /// The value has this type: another kind of number, or a type without a value.
    Type(BsonType),
    /// This field and this many after it are absent.
    Absent(u64),
    /// The element is the next leftover; the column has no value.
    Left,
    /// Before: the next leftover goes here.
    Insert,
    /// Before the first visit of a document: its fields come in this order of its level.
    Order(u64),
    /// Before the first visit of a document: it has exactly these fields, given as varints.
    Spell(&'a [u8]),
    /// The decimal is written with this power of ten.
    Exponent(i32),
    /// The whole document is a leftover.
    Whole,
}

const ABSENT: u8 = 0x20;
const LEFT: u8 = 0x21;
const INSERT: u8 = 0x22;
const ORDER: u8 = 0x23;
const SPELL: u8 = 0x24;
const EXPONENT: u8 = 0x25;
const WHOLE: u8 = 0x26;

/// Writes the code of one row.
#[derive(Debug, Default)]
pub(crate) struct CodeWriter {
    bytes: Vec<u8>,
    visits: u64,
    /// How many visits the code covers so far.
    told: u64,
}

/// A position in a code to return to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    len: usize,
    visits: u64,
    told: u64,
}

impl CodeWriter {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        (self.visits, self.told) = (0, 0);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Counts visits that match their columns.
    pub(crate) fn visit(&mut self, count: u64) {
        self.visits += count;
    }

    /// Records what differs at the last visit.
    pub(crate) fn here(&mut self, op: Op<'_>) {
        self.pair(self.visits - 1 - self.told, op);
        self.told = self.visits;
    }

    /// Records that the last `count` visits were of absent fields.
    pub(crate) fn absent(&mut self, count: u64) {
        self.pair(self.visits - count - self.told, Op::Absent(count - 1));
        self.told = self.visits;
    }

    /// Records what precedes the next visit.
    pub(crate) fn before(&mut self, op: Op<'_>) {
        self.pair(self.visits - self.told, op);
        self.told = self.visits;
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            len: self.bytes.len(),
            visits: self.visits,
            told: self.told,
        }
    }

    pub(crate) fn go_back(&mut self, mark: Mark) {
        self.bytes.truncate(mark.len);
        (self.visits, self.told) = (mark.visits, mark.told);
    }

    fn pair(&mut self, visits: u64, op: Op<'_>) {
        put_varint(visits, &mut self.bytes);
        match op {
            Op::Type(bson_type) => self.bytes.push(bson_type.code()),
            Op::Absent(count) => self.with_number(ABSENT, count),
            Op::Left => self.bytes.push(LEFT),
            Op::Insert => self.bytes.push(INSERT),
            Op::Order(number) => self.with_number(ORDER, number),
            Op::Spell(slots) => {
                self.with_number(SPELL, varints(slots).count() as u64);
                self.bytes.extend_from_slice(slots);
            }
            Op::Exponent(exponent) => {
                let zigzag = (exponent << 1) ^ (exponent >> 31);
                self.with_number(EXPONENT, u64::from(zigzag.cast_unsigned()));
            }
            Op::Whole => self.bytes.push(WHOLE),
        }
    }

    fn with_number(&mut self, op: u8, number: u64) {
        self.bytes.push(op);
        put_varint(number, &mut self.bytes);
    }
}

/// Reads the code of one row. The code is untrusted.
#[derive(Debug)]
pub(crate) struct CodeReader<'a> {
    rest: &'a [u8],
    /// Visits left before the next op.
    passing: u64,
    next: Option<Op<'a>>,
}

impl<'a> CodeReader<'a> {
    /// `None` if the code does not start with a pair.
    pub(crate) fn new(code: &'a [u8]) -> Option<Self> {
        let mut reader = Self {
            rest: code,
            passing: u64::MAX,
            next: None,
        };
        reader.load()?;
        Some(reader)
    }

    fn load(&mut self) -> Option<()> {
        if self.rest.is_empty() {
            (self.passing, self.next) = (u64::MAX, None);
            return Some(());
        }
        self.passing = take_varint(&mut self.rest)?;
        let (op, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.next = Some(match *op {
            ABSENT => Op::Absent(take_varint(&mut self.rest)?),
            LEFT => Op::Left,
            INSERT => Op::Insert,
            ORDER => Op::Order(take_varint(&mut self.rest)?),
            SPELL => {
                let count = take_varint(&mut self.rest)?;
                let slots = self.rest;
                for _ in 0..count {
                    take_varint(&mut self.rest)?;
                }
                Op::Spell(&slots[..slots.len() - self.rest.len()])
            }
            EXPONENT => {
                let zigzag = u32::try_from(take_varint(&mut self.rest)?).ok()?;
                Op::Exponent((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
            }
            WHOLE => Op::Whole,
            code => Op::Type(BsonType::of(code).ok()?),
        });
        Some(())
    }

    /// Makes one visit; the inner option is what differs there, if anything.
    #[inline]
    pub(crate) fn visit(&mut self) -> Option<Option<Op<'a>>> {
        if self.passing > 0 {
            self.passing -= 1;
            return Some(None);
        }
        let op = self.next;
        self.load()?;
        Some(op)
    }

    /// Makes `count` visits at once, unless any of them differs.
    pub(crate) fn visit_alike(&mut self, count: usize) -> bool {
        let count = count as u64;
        let is_alike = self.passing >= count;
        if is_alike {
            self.passing -= count;
        }
        is_alike
    }

    /// Takes what precedes the next visit if `wanted` accepts it.
    #[inline]
    pub(crate) fn before<T>(&mut self, wanted: impl Fn(Op<'a>) -> Option<T>) -> Option<Option<T>> {
        if self.passing > 0 {
            return Some(None);
        }
        let taken = self.next.and_then(wanted);
        if taken.is_some() {
            self.load()?;
        }
        Some(taken)
    }

    /// Whether the whole code has been read.
    pub(crate) fn is_at_end(&self) -> bool {
        self.next.is_none() && self.rest.is_empty()
    }
}

pub(crate) fn put_varint(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// The numbers in a sequence of varints, up to the first incomplete one.
pub(crate) fn varints(mut bytes: &[u8]) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || take_varint(&mut bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_row_code_reads_back_as_written() {
        let mut writer = CodeWriter::default();
        writer.before(Op::Order(3));
        writer.visit(2);
        writer.here(Op::Type(BsonType::Int64));
        writer.before(Op::Insert);
        writer.before(Op::Insert);
        writer.visit(1000);
        writer.absent(3);
        let mark = writer.mark();
        writer.visit(1);
        writer.here(Op::Left);
        writer.go_back(mark);
        writer.visit(1);
        writer.here(Op::Exponent(-6176));
        writer.before(Op::Spell(&[1, 0x80, 1]));

        let mut reader = CodeReader::new(writer.bytes()).unwrap();
        let is_insert = |op| (op == Op::Insert).then_some(());
        assert_eq!(reader.before(Some).unwrap(), Some(Op::Order(3)));
        assert_eq!(reader.before(Some).unwrap(), None);
        assert_eq!(reader.visit(), Some(None));
        assert_eq!(reader.visit(), Some(Some(Op::Type(BsonType::Int64))));
        assert_eq!(reader.before(is_insert).unwrap(), Some(()));
        assert_eq!(reader.before(is_insert).unwrap(), Some(()));
        assert_eq!(reader.before(is_insert).unwrap(), None);
        assert!(!reader.visit_alike(998));
        assert!(reader.visit_alike(997));
        assert_eq!(reader.visit(), Some(Some(Op::Absent(2))));
        assert_eq!(reader.visit(), Some(Some(Op::Exponent(-6176))));
        let spelled = reader.before(Some).unwrap();
        assert_eq!(spelled, Some(Op::Spell(&[1, 0x80, 1])));
        assert!(reader.is_at_end() && reader.visit_alike(1 << 40));
    }

    proptest! {
        #[test]
        fn a_varint_round_trips(number in 0..=u64::MAX >> 1) {
            let mut bytes = Vec::new();
            put_varint(number, &mut bytes);
            prop_assert_eq!(take_varint(&mut &bytes[..]), Some(number));
        }

        #[test]
        fn reading_arbitrary_bytes_as_a_code_never_panics(bytes: Vec<u8>) {
            let Some(mut reader) = CodeReader::new(&bytes) else { return Ok(()) };
            for _ in 0..1000 {
                if reader.visit().is_none() {
                    break;
                }
            }
        }
    }
}
