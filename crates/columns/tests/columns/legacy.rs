//! Turns Spark's files into documents: files made with PySpark by
//! `tests/fixtures/legacy-files/make.py`, and a small run as the legacy export leaves it.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use bson::{Binary, Bson, DateTime, Decimal128, Document, doc, oid::ObjectId, spec::BinarySubtype};
use lob_columns::{LegacyIds, LegacyReader, ReadError};
use proptest::prelude::*;

use crate::support::{Doc, propose, write};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join("legacy-files").join(name)).unwrap()
}

/// A data file with string, number, list and time columns, in snappy pages with CRCs.
fn sample() -> Vec<u8> {
    let split = fixtures().join("legacy-run/processed-splits/20251115_093000/split_0.parquet");
    let mut entries = std::fs::read_dir(split).unwrap().map(Result::unwrap);
    let is_first = |name: &str| name.starts_with("part-00000");
    let entry = entries.find(|entry| is_first(entry.file_name().to_str().unwrap()));
    std::fs::read(entry.unwrap().path()).unwrap()
}

fn read(file: &[u8], ids: LegacyIds) -> Result<Vec<Vec<u8>>, ReadError> {
    let mut reader = LegacyReader::open(Cursor::new(file), ids)?;
    let mut documents = Vec::new();
    for index in 0..reader.row_groups() {
        for document in reader.read_row_group(index)? {
            documents.push(document?);
        }
    }
    assert_eq!(documents.len() as u64, reader.rows());
    Ok(documents)
}

fn documents(name: &str, ids: LegacyIds) -> Vec<Document> {
    let read = read(&file(name), ids).unwrap();
    let parse = |bytes: &Vec<u8>| Document::from_reader(&bytes[..]).unwrap();
    read.iter().map(parse).collect()
}

fn decimal(text: &str) -> Decimal128 {
    text.parse().unwrap()
}

fn bytes(bytes: &[u8]) -> Binary {
    let (subtype, bytes) = (BinarySubtype::Generic, bytes.to_vec());
    Binary { subtype, bytes }
}

fn date(text: &str) -> DateTime {
    DateTime::parse_rfc3339_str(text).unwrap()
}

/// The rows of `make.py` as Spark's connector would write them: `_id` first, nulls as nulls.
fn expected() -> Vec<Document> {
    let id = |text: &str| ObjectId::parse_str(text).unwrap();
    vec![
        doc! {
            "_id": id("65e26c00269e0d37f2a74de4"), "Zone": "z", "bytes": bytes(b"\0\xff"), "count": (1_i64 << 53) + 1,
            "empty": [], "fold": -1, "huge": decimal("12345678901234567890123456789012.34"),
            "levels": [
                { "b": true, "price": decimal("1.5000"), "tags": ["a", Bson::Null] },
                Bson::Null,
                { "b": Bson::Null, "price": Bson::Null, "tags": Bson::Null },
            ],
            "matrix": [[1.5, -0.0], [], Bson::Null], "ratio": 1.25, "small": -7,
            "sub": { "b": false, "price": decimal("-0.0001"), "tags": [] },
            "when": date("2024-03-06T16:11:57.463Z"),
        },
        doc! {
            "_id": "not an ObjectId", "Zone": Bson::Null, "bytes": Bson::Null, "count": Bson::Null, "empty": Bson::Null,
            "fold": Bson::Null, "huge": Bson::Null, "levels": Bson::Null, "matrix": Bson::Null, "ratio": Bson::Null,
            "small": Bson::Null, "sub": Bson::Null, "when": Bson::Null,
        },
        doc! {
            "_id": "65E26C00269E0D37F2A74DE4", "Zone": "\u{e9}", "bytes": bytes(b""), "count": -1_i64, "empty": ["x"],
            "fold": 7, "huge": decimal("0.00"), "levels": [], "matrix": [[f64::INFINITY]], "ratio": 0.0, "small": 0,
            "sub": { "b": Bson::Null, "price": Bson::Null, "tags": ["t"] }, "when": date("1969-12-31T23:59:59.999Z"),
        },
        doc! {
            "_id": ObjectId::from_bytes([0; 12]), "Zone": "", "bytes": bytes(b"x"), "count": 0_i64,
            "empty": [Bson::Null], "fold": 0, "huge": decimal("-1.00"),
            "levels": [{ "b": true, "price": decimal("99999999.9999"), "tags": Bson::Null }], "matrix": [],
            "ratio": -2.5, "small": 1, "sub": { "b": true, "price": decimal("3.0000"), "tags": ["\u{e9}"] },
            "when": date("9999-12-31T23:59:59.999Z"),
        },
    ]
}

/// The rows of `make-others.py`.
fn expected_of_others() -> Vec<Document> {
    let id = ObjectId::parse_str("65e26c00269e0d37f2a74de4").unwrap();
    vec![
        doc! { "_id": id, "n": 1_i64, "l": [1.5, Bson::Null], "s": "a", "b": true },
        doc! { "_id": "x", "n": Bson::Null, "l": [], "s": "b", "b": Bson::Null },
    ]
}

#[test]
fn a_legacy_file_reads_back_as_spark_would_insert_it() {
    for name in [
        "types",
        "types-legacy-format",
        "types-micros",
        "types-millis",
        "types-v2",
    ] {
        let found = documents(&format!("{name}.parquet"), LegacyIds::ObjectId);
        assert_eq!(found, expected(), "{name}");
        for (found, expected) in found.iter().zip(expected()) {
            assert!(found.keys().eq(expected.keys()), "{name}");
        }
    }
}

#[test]
fn version_2_pages_are_read() {
    for name in ["pyarrow-v2", "pyarrow-v2-plain", "duckdb-v2"] {
        let found = documents(&format!("{name}.parquet"), LegacyIds::ObjectId);
        assert_eq!(found, expected_of_others(), "{name}");
    }
}

#[test]
fn files_and_row_groups_without_rows_are_valid() {
    for name in ["pyarrow-empty", "duckdb-empty"] {
        let found = documents(&format!("{name}.parquet"), LegacyIds::ObjectId);
        assert_eq!(found, [], "{name}");
    }
    let found = documents("pyarrow-empty-group.parquet", LegacyIds::ObjectId);
    assert_eq!(found, expected_of_others());
}

#[test]
fn ids_stay_text_on_request() {
    let found = documents("types.parquet", LegacyIds::String);
    let ids: Vec<_> = found
        .iter()
        .map(|document| document.get_str("_id").unwrap())
        .collect();
    assert_eq!(ids[0], "65e26c00269e0d37f2a74de4");
    assert_eq!(ids[3], "000000000000000000000000");
}

#[test]
fn an_unsupported_legacy_column_is_refused_by_name() {
    for (name, column, problem) in [
        ("between-milliseconds", "when", "finer than a millisecond"),
        ("map", "settings", "is a map"),
        ("date", "day", "has the Parquet type Int32 (Date)"),
    ] {
        let error = read(&file(&format!("{name}.parquet")), LegacyIds::ObjectId).unwrap_err();
        assert!(
            matches!(&error, ReadError::Column { column: found, problem: text }
                if found == column && text.contains(problem)),
            "{error}"
        );
    }
    let error = read(&file("no-id.parquet"), LegacyIds::ObjectId).unwrap_err();
    assert!(error.to_string().contains("no column `_id`"), "{error}");
}

#[test]
fn the_legacy_reader_rejects_a_file_that_lob_export_wrote() {
    let documents = vec![Doc::new().int32("_id", 1).bytes()];
    let ours = write(
        &propose(&documents),
        &documents,
        1,
        lob_columns::Compression::None,
    );
    let error = read(&ours, LegacyIds::ObjectId).unwrap_err();
    assert!(error.to_string().contains("lob-export wrote it"), "{error}");
    assert!(lob_columns::Reader::open(Cursor::new(sample())).is_err());
}

/// The pages have CRCs, so any flipped bit in them is detected; the footer has none.
#[test]
fn a_flipped_bit_in_a_spark_file_is_caught_in_pages_and_never_panics() {
    let whole = sample();
    let documents = read(&whole, LegacyIds::ObjectId).unwrap();
    let footer_len = u32::from_le_bytes(whole[whole.len() - 8..][..4].try_into().unwrap());
    let footer = whole.len() - 8 - footer_len as usize;
    for position in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[position] ^= 1 << (position % 8);
        if let Ok(found) = read(&damaged, LegacyIds::ObjectId) {
            // Readers ignore some parts of a page's header.
            assert!(found == documents || position >= footer, "byte {position}");
        }
    }
}

#[test]
fn a_truncated_spark_file_is_an_error_wherever_it_is_cut() {
    let whole = sample();
    for len in 0..whole.len() {
        assert!(
            read(&whole[..len], LegacyIds::ObjectId).is_err(),
            "cut to {len} bytes"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn overwritten_bytes_in_a_spark_file_never_panic(
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 1..64),
        name in prop::sample::select(vec!["", "types.parquet", "types-v2.parquet", "duckdb-v2.parquet"]),
    ) {
        let mut damaged = if name.is_empty() { sample() } else { file(name) };
        let start = at.index(damaged.len());
        let end = (start + bytes.len()).min(damaged.len());
        damaged[start..end].copy_from_slice(&bytes[..end - start]);
        let _ = read(&damaged, LegacyIds::ObjectId);
    }
}
