//! Builds documents byte by byte, and whole files in memory.

use std::io::Cursor;

use lob_columns::{Columns, ColumnsProposal, Compression, Encoder, ParquetWriter, Reader};
use proptest::prelude::*;

/// A document under construction, without any checks.
#[derive(Clone, Default)]
pub(crate) struct Doc(Vec<u8>);

impl Doc {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn raw_name(mut self, code: u8, name: &[u8], value: &[u8]) -> Self {
        self.0.push(code);
        self.0.extend_from_slice(name);
        self.0.push(0);
        self.0.extend_from_slice(value);
        self
    }

    pub(crate) fn raw(self, code: u8, name: &str, value: &[u8]) -> Self {
        self.raw_name(code, name.as_bytes(), value)
    }

    pub(crate) fn double(self, name: &str, value: f64) -> Self {
        self.raw(0x01, name, &value.to_le_bytes())
    }

    pub(crate) fn int32(self, name: &str, value: i32) -> Self {
        self.raw(0x10, name, &value.to_le_bytes())
    }

    pub(crate) fn int64(self, name: &str, value: i64) -> Self {
        self.raw(0x12, name, &value.to_le_bytes())
    }

    pub(crate) fn null(self, name: &str) -> Self {
        self.raw(0x0a, name, b"")
    }

    pub(crate) fn string(self, name: &str, value: &str) -> Self {
        self.raw(0x02, name, &text(value.as_bytes()))
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        let len = i32::try_from(self.0.len() + 5).unwrap();
        [&len.to_le_bytes()[..], &self.0, b"\0"].concat()
    }

    pub(crate) fn array(elements: impl IntoIterator<Item = Value>) -> Vec<u8> {
        let elements = elements.into_iter().enumerate();
        let add = |doc: Doc, (key, (code, value)): (usize, Value)| {
            doc.raw(code, &key.to_string(), &value)
        };
        elements.fold(Doc::new(), add).bytes()
    }
}

fn text(bytes: &[u8]) -> Vec<u8> {
    let len = i32::try_from(bytes.len() + 1).unwrap();
    [&len.to_le_bytes()[..], bytes, b"\0"].concat()
}

pub(crate) fn propose(documents: &[Vec<u8>]) -> Columns {
    let mut proposal = ColumnsProposal::new();
    documents
        .iter()
        .for_each(|document| proposal.observe(document).unwrap());
    proposal.finish()
}

pub(crate) fn write(
    columns: &Columns,
    documents: &[Vec<u8>],
    group_rows: usize,
    compression: Compression,
) -> Vec<u8> {
    write_counting(columns, documents, group_rows, compression).0
}

/// The file and its number of residual rows.
pub(crate) fn write_counting(
    columns: &Columns,
    documents: &[Vec<u8>],
    group_rows: usize,
    compression: Compression,
) -> (Vec<u8>, u64) {
    let mut encoder = Encoder::new(columns);
    let mut writer = ParquetWriter::new(Vec::new(), columns).unwrap();
    for group in documents.chunks(group_rows) {
        group
            .iter()
            .for_each(|document| encoder.push(document).unwrap());
        let row_group = encoder.take_row_group();
        writer
            .write(row_group.encode(compression).unwrap())
            .unwrap();
    }
    let residual = encoder.residual_rows();
    (writer.finish(encoder.finish()).unwrap(), residual)
}

pub(crate) fn read(file: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = Reader::open(Cursor::new(file)).unwrap();
    let mut documents = Vec::new();
    for index in 0..reader.row_groups() {
        documents.extend(reader.read_row_group(index).unwrap().map(Result::unwrap));
    }
    documents
}

/// A type code and the bytes of a value.
type Value = (u8, Vec<u8>);

/// A value of any type.
fn value() -> impl Strategy<Value = Value> {
    let bytes = |len: usize| prop::collection::vec(any::<u8>(), len);
    let some_text = || prop_oneof![4 => "[a-z\u{e9}\0]{0,6}".prop_map(String::into_bytes), 1 => prop::collection::vec(any::<u8>(), 0..4)];
    let cstring = || "[a-z]{0,3}".prop_map(|text| [text.as_bytes(), b"\0"].concat());
    let binary = (
        prop::sample::select(vec![0_u8, 0, 0, 2, 3, 4, 9, 0x80]),
        prop::collection::vec(any::<u8>(), 0..6),
        any::<bool>(),
    );
    let binary = binary.prop_map(|(subtype, data, is_odd)| {
        let inner = i32::try_from(data.len()).unwrap() + i32::from(is_odd);
        let data = if subtype == 2 {
            [&inner.to_le_bytes()[..], &data].concat()
        } else {
            data
        };
        let len = i32::try_from(data.len()).unwrap();
        [&len.to_le_bytes()[..], &[subtype], &data].concat()
    });
    let double = prop_oneof![
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits),
        Just(-0.0)
    ];
    let int64 = prop_oneof![any::<i64>(), -9..9_i64, Just(i64::MAX), Just((1 << 53) + 1)];
    let decimal = prop_oneof![
        bytes(16),
        (any::<i32>(), -40..40_i32).prop_map(|(coefficient, exponent)| {
            format!("{coefficient}E{exponent}")
                .parse::<bson::Decimal128>()
                .unwrap()
                .bytes()
                .to_vec()
        }),
    ];
    let leaf = prop_oneof![
        3 => double.prop_map(|value| (0x01, value.to_le_bytes().to_vec())),
        3 => some_text().prop_map(|value| (0x02, text(&value))),
        2 => binary.prop_map(|value| (0x05, value)),
        1 => Just((0x06, vec![])),
        2 => bytes(12).prop_map(|value| (0x07, value)),
        2 => prop::sample::select(vec![0_u8, 1, 1, 0, 7]).prop_map(|value| (0x08, vec![value])),
        2 => int64.clone().prop_map(|value| (0x09, value.to_le_bytes().to_vec())),
        3 => Just((0x0a, vec![])),
        1 => (cstring(), cstring()).prop_map(|(a, b)| (0x0b, [a, b].concat())),
        1 => (some_text(), bytes(12)).prop_map(|(a, b)| (0x0c, [text(&a), b].concat())),
        1 => some_text().prop_map(|value| (0x0d, text(&value))),
        1 => some_text().prop_map(|value| (0x0e, text(&value))),
        1 => (some_text(), any::<i32>()).prop_map(|(code, scope)| {
            let rest = [text(&code), Doc::new().int32("s", scope).bytes()].concat();
            let len = i32::try_from(rest.len() + 4).unwrap();
            (0x0f, [&len.to_le_bytes()[..], &rest].concat())
        }),
        3 => any::<i32>().prop_map(|value| (0x10, value.to_le_bytes().to_vec())),
        1 => bytes(8).prop_map(|value| (0x11, value)),
        3 => int64.prop_map(|value| (0x12, value.to_le_bytes().to_vec())),
        2 => decimal.prop_map(|value| (0x13, value)),
        1 => Just((0xff, vec![])),
        1 => Just((0x7f, vec![])),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let fields = prop::collection::vec((name(), inner.clone()), 0..4);
        let uniform = (inner.clone(), 0..30_usize).prop_map(|(element, len)| vec![element; len]);
        prop_oneof![
            3 => fields.prop_map(|fields| (0x03, document(fields))),
            1 => prop::collection::vec((name(), inner.clone()), 0..3).prop_map(|fields| (0x04, document(fields))),
            2 => prop::collection::vec(inner, 0..4).prop_map(|elements| (0x04, Doc::array(elements))),
            3 => uniform.prop_map(|elements| (0x04, Doc::array(elements))),
        ]
    })
}

/// Few names, so that documents share fields; some are odd.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let names: &[&[u8]] = &[
        b"a",
        b"b",
        b"c",
        b"d",
        b"a",
        b"b",
        b"c",
        b"A",
        b"",
        b"a.b",
        b"$set",
        b"0",
        b"1",
        b"_lob_shape",
        b"_LOB_BSON",
        b"list",
        b"element",
        b"\xff",
        "\u{e9}".as_bytes(),
        "\u{c9}".as_bytes(),
    ];
    prop::sample::select(names.to_vec()).prop_map(<[u8]>::to_vec)
}

fn document(fields: Vec<(Vec<u8>, Value)>) -> Vec<u8> {
    let add = |doc: Doc, (name, (code, value)): (Vec<u8>, Value)| doc.raw_name(code, &name, &value);
    fields.into_iter().fold(Doc::new(), add).bytes()
}

/// Documents of a few kinds, each repeated with parts missing or in a different order.
pub(crate) fn documents() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let kind = prop::collection::vec((name(), value()), 0..6);
    let kinds = prop::collection::vec(kind, 1..4);
    let rows = prop::collection::vec(
        (any::<prop::sample::Index>(), any::<u8>(), any::<u64>()),
        0..25,
    );
    (kinds, rows).prop_map(|(kinds, rows)| {
        let row = |(kind, mask, turn): (prop::sample::Index, u8, u64)| {
            let mut fields = kind.get(&kinds).clone();
            if turn % 4 == 0 {
                let mut bit = 1_u8;
                fields.retain(|_| {
                    bit = bit.rotate_left(1);
                    mask & bit == 0
                });
            }
            if turn % 5 == 0 && !fields.is_empty() {
                let by = usize::from(mask) % fields.len();
                fields.rotate_left(by);
            }
            document(fields)
        };
        rows.into_iter().map(row).collect()
    })
}
