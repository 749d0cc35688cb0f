//! The crate's promise: any documents come back byte for byte and in order.

use crate::support::{Doc, documents, propose, read, write, write_counting};
use lob_columns::{Columns, Compression, Encoder, ParquetWriter, Reader};
use lob_core::checksum::Digest;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn documents_come_back_byte_for_byte_and_in_order(
        documents in documents(),
        observed in 0.0..1.0_f64,
        group_rows in 1..12_usize,
        compression in prop::sample::select(vec!["auto", "zstd:3", "lz4", "snappy", "none"]),
    ) {
        let observed = (documents.len() as f64 * observed).ceil() as usize;
        let columns = propose(&documents[..observed]);
        let file = write(&columns, &documents, group_rows, compression.parse().unwrap());
        prop_assert_eq!(read(&file), documents);
    }
}

/// An array of numbers as people have them: of one type, of several, or with nulls.
fn numbers() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![
        3 => Just(0_usize),
        3 => Just(1),
        10 => 2..30_usize,
        4 => 700..900_usize,
        1 => 130_000..140_000_usize,
    ];
    let kinds = prop::sample::select(vec!["d", "d", "i", "l", "di", "il", "dil", "dn", "in"]);
    (length, kinds, any::<u64>()).prop_map(|(length, kinds, seed)| {
        let elements = (0..length as u64).map(|number| {
            let bits = seed.wrapping_mul(2 * number + 1);
            let bits = match bits % 16 {
                0 => (-0.0_f64).to_bits(),
                1 => bits | 0x7ff8 << 48,
                2..=5 => bits % 100,
                6..=9 => ((bits % 1000) as f64 / 8.0).to_bits(),
                _ => bits,
            };
            match kinds.as_bytes()[number as usize % kinds.len()] {
                b'd' => (0x01, bits.to_le_bytes().to_vec()),
                b'i' => (0x10, (bits as i32).to_le_bytes().to_vec()),
                b'l' => (0x12, bits.to_le_bytes().to_vec()),
                _ => (0x0a, vec![]),
            }
        });
        Doc::array(elements)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn lists_of_numbers_come_back_whatever_is_in_them(
        arrays in prop::collection::vec(prop_oneof![
            1 => Just(None),
            1 => Just(Some(None)),
            8 => numbers().prop_map(|array| Some(Some(array))),
        ], 1..12),
        observed in 1..12_usize,
        group_rows in 1..12_usize,
        compression in prop::sample::select(vec!["auto", "zstd", "none"]),
    ) {
        let documents: Vec<_> = arrays.into_iter().map(|array| match array {
            None => Doc::new().bytes(),
            Some(None) => Doc::new().null("l").bytes(),
            Some(Some(array)) => Doc::new().raw(0x04, "l", &array).bytes(),
        }).collect();
        let columns = propose(&documents[..observed.min(documents.len())]);
        let file = write(&columns, &documents, group_rows, compression.parse().unwrap());
        prop_assert!(read(&file) == documents);
    }
}

fn assert_round_trip(documents: &[Vec<u8>], residual_rows: u64) -> Columns {
    let columns = propose(documents);
    let (file, residual) = write_counting(&columns, documents, 1000, Compression::Auto);
    assert_eq!(read(&file), documents);
    assert_eq!(residual, residual_rows);
    columns
}

fn column_list(columns: &Columns) -> Vec<String> {
    columns
        .list()
        .map(|(name, text)| format!("{name} {text}"))
        .collect()
}

#[test]
fn every_bson_type_round_trips_through_a_column() {
    let code_scope = [
        &20_i32.to_le_bytes()[..],
        b"\x03\0\0\0\x66\x28\0",
        Doc::new().null("s").bytes().as_slice(),
    ]
    .concat();
    let code_scope = [
        &i32::try_from(code_scope.len()).unwrap().to_le_bytes()[..],
        &code_scope[4..],
    ]
    .concat();
    let document = Doc::new()
        .raw(0x07, "_id", &[7; 12])
        .double("double", 1.5)
        .raw(0x02, "string", b"\x06\0\0\0h\xc3\xa9llo\0"[..4].as_ref())
        .bytes();
    // A truncated string is rejected; the test documents use complete ones.
    assert!(Encoder::new(&Columns::default()).push(&document).is_err());

    let document = Doc::new()
        .raw(0x07, "_id", &[7; 12])
        .double("double", 1.5)
        .string("string", "héllo")
        .raw(0x03, "empty", b"\x05\0\0\0\0")
        .raw(
            0x03,
            "document",
            &Doc::new().int32("a", 1).null("b").bytes(),
        )
        .raw(0x04, "no_elements", b"\x05\0\0\0\0")
        .raw(
            0x04,
            "numbers",
            &Doc::array((0..1234).map(|n| (0x01, f64::from(n).to_le_bytes().to_vec()))),
        )
        .raw(0x05, "binary", b"\x03\0\0\0\0abc")
        .raw(0x05, "old_binary", b"\x07\0\0\0\x02\x03\0\0\0abc")
        .raw(0x05, "old_uuid", b"\x10\0\0\0\x030123456789abcdef")
        .raw(0x06, "undefined", b"")
        .raw(0x08, "bool", b"\x01")
        .raw(0x09, "date", &(-1_i64).to_le_bytes())
        .null("null")
        .raw(0x0b, "regex", b"a+\0ix\0")
        .raw(0x0c, "pointer", b"\x02\0\0\0c\0AAAABBBBCCCC")
        .raw(0x0d, "code", b"\x02\0\0\0f\0")
        .raw(0x0e, "symbol", b"\x02\0\0\0s\0")
        .raw(0x0f, "code_with_scope", &code_scope)
        .int32("int32", i32::MIN)
        .raw(0x11, "timestamp", &[9; 8])
        .int64("int64", i64::MAX)
        .raw(
            0x13,
            "decimal",
            &"1.20E+7".parse::<bson::Decimal128>().unwrap().bytes(),
        )
        .raw(0xff, "min", b"")
        .raw(0x7f, "max", b"")
        .bytes();
    let columns = assert_round_trip(&[document.clone(), document], 0);
    assert_eq!(
        column_list(&columns),
        [
            "_id objectId",
            "double double",
            "string string",
            "document struct<a: int64, b: null>",
            "numbers list<double>",
            "binary binary(0)",
            "old_binary binary(2)",
            "old_uuid binary(3)",
            "bool bool",
            "date date",
            "regex raw",
            "pointer raw",
            "code raw",
            "symbol raw",
            "code_with_scope raw",
            "int32 int64",
            "timestamp raw",
            "int64 int64",
            "decimal decimal(0)",
        ]
    );
}

#[test]
fn absent_fields_nulls_and_field_order_survive_the_round_trip() {
    let documents = [
        Doc::new().int32("a", 1).int32("b", 2),
        Doc::new().int32("b", 2).int32("a", 1),
        Doc::new().null("a").int32("b", 2),
        Doc::new().int32("b", 2),
        Doc::new().raw(0x06, "a", b"").raw(0xff, "b", b""),
        Doc::new(),
        Doc::new().null("never_seen_with_a_value"),
    ];
    assert_round_trip(&documents.map(|document| document.bytes()), 0);
}

#[test]
fn special_numbers_keep_their_bits() {
    let bits = [
        0x7ff8_0000_dead_beef,
        0xfff0_0000_0000_0001,
        1 << 63,
        0x7ff0 << 48,
        1,
        0,
    ];
    let documents = bits.map(|bits| Doc::new().double("x", f64::from_bits(bits)).bytes());
    assert_round_trip(&documents, 0);
}

#[test]
fn mixed_numbers_become_doubles_while_that_is_exact() {
    let mut documents = vec![
        Doc::new().double("x", 0.5).bytes(),
        Doc::new().int32("x", -7).bytes(),
        Doc::new().int64("x", 1 << 53).bytes(),
    ];
    let columns = assert_round_trip(&documents, 0);
    assert_eq!(column_list(&columns), ["x double"]);
    documents.push(Doc::new().int64("x", (1 << 53) + 1).bytes());
    let (file, residual) = write_counting(&columns, &documents, 10, Compression::Auto);
    assert_eq!((read(&file), residual), (documents, 1));
}

#[test]
fn dates_outside_the_years_1_to_9999_are_residual() {
    let (first, last) = (-62_135_596_800_000, 253_402_300_799_999);
    let dates = [0, -1, first, last, first - 1, last + 1, i64::MAX, i64::MIN];
    let documents = dates.map(|date| Doc::new().raw(0x09, "d", &date.to_le_bytes()).bytes());
    assert_round_trip(&documents, 4);
}

#[test]
fn odd_names_get_columns_and_names_that_readers_confuse_are_residual() {
    let columns = assert_round_trip(
        &[Doc::new()
            .int32("", 1)
            .int32("a.b", 2)
            .int32("$c", 3)
            .int32("d\u{e9}", 4)
            .bytes()],
        0,
    );
    assert_eq!(
        column_list(&columns),
        [" int64", "a.b int64", "$c int64", "d\u{e9} int64"]
    );
    let columns = assert_round_trip(
        &[
            Doc::new().int32("role", 1).bytes(),
            Doc::new().int32("Role", 1).bytes(),
            Doc::new().int32("_lob_shape", 1).bytes(),
            Doc::new().int32("_LOB_BSON", 1).bytes(),
            Doc::new().int32("role", 1).int32("role", 2).bytes(),
            Doc::new().raw_name(0x10, b"\xff\xfe", &[0; 4]).bytes(),
        ],
        5,
    );
    assert_eq!(column_list(&columns), ["role int64"]);
    // A single typo does not take over the column.
    let slip = Doc::new().int32("Role", 1).bytes();
    let right = || Doc::new().int32("role", 1).bytes();
    let columns = assert_round_trip(&[slip, right(), right()], 1);
    assert_eq!(column_list(&columns), ["role int64"]);
}

#[test]
fn a_value_that_its_column_cannot_restore_becomes_a_leftover() {
    let int = |value: i32| (0x10, value.to_le_bytes().to_vec());
    let documents = [
        Doc::new().raw(0x04, "a", &Doc::array([int(1), int(2)])),
        Doc::new().raw(0x04, "a", &Doc::new().int32("1", 1).bytes()),
        Doc::new().raw(0x04, "a", &Doc::new().int32("00", 1).bytes()),
        Doc::new().raw(0x02, "s", b"\x02\0\0\0\xff\0"),
        Doc::new().raw(0x08, "b", b"\x02"),
        Doc::new().raw(0x05, "o", b"\x07\0\0\0\x02\x04\0\0\0abc"),
        Doc::new().raw(0x13, "n", &[0xff; 16]),
    ];
    assert_round_trip(&documents.map(|document| document.bytes()), 6);
}

#[test]
fn arrays_that_mix_numbers_and_nulls_get_columns() {
    let (int, double) = (
        |value: i32| (0x10, value.to_le_bytes().to_vec()),
        |value: f64| (0x01, value.to_le_bytes().to_vec()),
    );
    let int64 = |value: i64| (0x12, value.to_le_bytes().to_vec());
    let null = || (0x0a, vec![]);
    let nested = |element| Doc::array([(0x04, Doc::array([element, null()])), null()]);
    let documents = [
        Doc::new().raw(0x04, "a", &Doc::array([int(1), double(0.5), null()])),
        Doc::new().raw(
            0x04,
            "a",
            &Doc::array([null(), int64(1 << 40), double(1.0)]),
        ),
        Doc::new().raw(0x04, "a", &Doc::array([null(), null()])),
        Doc::new().raw(0x04, "b", &nested(int(1))),
        Doc::new().raw(0x04, "b", &nested(double(-0.0))),
        Doc::new().raw(
            0x04,
            "c",
            &Doc::array([null(), (0x06, vec![]), (0xff, vec![])]),
        ),
    ];
    let columns = assert_round_trip(&documents.map(|document| document.bytes()), 0);
    assert_eq!(
        column_list(&columns),
        ["a list<double>", "b list<list<double>>", "c list<null>"]
    );
}

#[test]
fn only_the_array_element_that_does_not_fit_becomes_a_leftover() {
    let string = |text: &str| (0x02, [&[2, 0, 0, 0], text.as_bytes(), &[0]].concat());
    let double = |value: f64| (0x01, value.to_le_bytes().to_vec());
    let mut documents: Vec<_> = (0..9)
        .map(|n| {
            Doc::new()
                .raw(0x04, "a", &Doc::array([double(n.into()), double(0.5)]))
                .bytes()
        })
        .collect();
    documents.push(
        Doc::new()
            .raw(
                0x04,
                "a",
                &Doc::array([double(1.0), string("x"), double(2.0)]),
            )
            .bytes(),
    );
    assert_eq!(
        column_list(&assert_round_trip(&documents, 1)),
        ["a list<double>"]
    );
}

#[test]
fn decimals_of_a_few_scales_become_numbers_and_keep_their_zeros() {
    let decimal = |text: &str| {
        let decimal: bson::Decimal128 = text.parse().unwrap();
        Doc::new().raw(0x13, "d", &decimal.bytes()).bytes()
    };
    let texts = [
        "1.50",
        "-2.5",
        "3",
        "0.00",
        "0",
        "1E+3",
        "12345678901234567890.12",
    ];
    let mut documents = vec![texts.map(decimal); 8].concat();
    let columns = assert_round_trip(&documents, 0);
    assert_eq!(column_list(&columns), ["d decimal(2)"]);
    let unfit = ["NaN", "-Infinity", "-0", "1E+40", "0.001"];
    documents.extend(unfit.map(decimal));
    let (file, residual) = write_counting(&columns, &documents, 10, Compression::Auto);
    assert_eq!((read(&file), residual), (documents, 5));
    let text: Vec<_> = ["NaN", "1.5"].map(decimal).into();
    assert_eq!(column_list(&assert_round_trip(&text, 0)), ["d decimal128"]);
}

#[test]
fn documents_whose_names_are_data_become_maps() {
    let book = |n: u32| {
        let side = (0..10).fold(Doc::new(), |side, level| {
            side.double(&format!("{}_5", n * 7 + level), f64::from(level) + 0.5)
        });
        let document = Doc::new()
            .int32("_id", n as i32)
            .raw(0x03, "bids", &side.bytes());
        match n % 5 {
            0 => Doc::new().raw(0x03, "bids", &Doc::new().bytes()),
            1 => document.null("bids"),
            2 => Doc::new().raw(0x03, "bids", &Doc::new().null("1").int32("2", 2).bytes()),
            _ => document,
        }
    };
    let mut documents: Vec<_> = (0..40).map(|n| book(n).bytes()).collect();
    let columns = propose(&documents);
    assert_eq!(column_list(&columns), ["_id int64", "bids map<double>"]);
    let twice = Doc::new()
        .double("1", 1.0)
        .double("1", 2.0)
        .raw_name(0x0a, b"\xff", b"");
    documents.push(Doc::new().raw(0x03, "bids", &twice.bytes()).bytes());
    documents.push(
        Doc::new()
            .raw(0x03, "bids", &Doc::new().string("1", "x").bytes())
            .bytes(),
    );
    let (file, residual) = write_counting(&columns, &documents, 10, Compression::Auto);
    assert_eq!((read(&file), residual), (documents, 10));
}

#[test]
fn prices_of_a_calm_market_become_a_map_and_recurring_names_a_struct() {
    // The middle moves so little that some prices are in every book.
    let book = |n: u32| {
        let middle = 100 + n % 10;
        let bids = (0..12).fold(Doc::new(), |side, level| {
            side.double(&format!("{}_25", middle - level), f64::from(level))
        });
        let horizons = ["1", "5", "10"]
            .into_iter()
            .fold(Doc::new(), |all, name| all.double(name, 0.5));
        let document = Doc::new().raw(0x03, "bids", &bids.bytes());
        document.raw(0x03, "returns", &horizons.bytes()).bytes()
    };
    let documents: Vec<_> = (0..100).map(book).collect();
    let columns = propose(&documents);
    let deep = |n: u32| {
        let bids = (0..500).fold(Doc::new(), |side, level| {
            side.double(&format!("{}.01", 1000 + n % 7 - level), 0.5)
        });
        Doc::new().raw(0x03, "bids", &bids.bytes()).bytes()
    };
    let deep: Vec<_> = (0..50).map(deep).collect();
    assert_eq!(column_list(&propose(&deep)), ["bids map<double>"]);
    let returns = "returns struct<1: double, 5: double, 10: double>";
    assert_eq!(column_list(&columns), ["bids map<double>", returns]);
}

#[test]
fn rare_fields_of_a_sparse_top_level_share_one_map() {
    let sparse = |n: usize| {
        let document = Doc::new().int32("_id", n as i32).int32("first", 1);
        let document = (0..5).fold(document, |document, k| {
            document.double(&format!("f{}", (n * 37 + k * 101) % 900), k as f64)
        });
        match n % 4 {
            0 => document.string("last", "x"),
            1 => document
                .int32("second", 2)
                .double("f1000", 0.5)
                .null("f1001"),
            2 => document.string("f2000", "not a number"),
            _ => document,
        }
    };
    let documents: Vec<_> = (0..400).map(|n| sparse(n).bytes()).collect();
    let columns = propose(&documents);
    let list = column_list(&columns);
    assert_eq!(list.last().unwrap(), "_lob_fields map<double>");
    assert!(list.len() < 10, "{list:?}");
    let (file, residual) = write_counting(&columns, &documents, 70, Compression::Auto);
    assert!(read(&file) == documents);
    assert_eq!(residual, 0);
}

#[test]
fn any_field_order_comes_back_without_residual_rows() {
    let names: Vec<_> = (0..40).map(|n| format!("f{n}")).collect();
    let rotated = |by: usize| {
        let names = names[by % 40..].iter().chain(&names[..by % 40]);
        names.enumerate().fold(Doc::new(), |document, (n, name)| {
            document.int32(name, n as i32)
        })
    };
    let inner =
        |by: usize| Doc::array([(0x03, rotated(by).bytes()), (0x03, rotated(by * 7).bytes())]);
    let swapped = |n: usize| {
        let document = (0..40).fold(Doc::new(), |document, k| {
            let name = (k * 7 + n * 11 * (k + 1)) % 97 % 40;
            document.int32(&format!("f{name}"), k as i32)
        });
        document.raw(0x04, "inner", &inner(n))
    };
    let documents: Vec<_> = (0..300).map(|n| swapped(n).bytes()).collect();
    let columns = propose(&[rotated(0).raw(0x04, "inner", &inner(0)).bytes()]);
    let (file, _) = write_counting(&columns, &documents, 70, Compression::Auto);
    assert!(read(&file) == documents);
    let documents: Vec<_> = (0..300).map(|n| rotated(n * n).bytes()).collect();
    assert_round_trip(&documents, 0);
}

#[test]
fn the_most_frequent_type_gets_the_column_and_others_are_residual() {
    let mut documents = vec![Doc::new().string("x", "first").bytes()];
    documents.extend((0..3).map(|x| Doc::new().int32("x", x).bytes()));
    documents.push(
        Doc::new()
            .raw(0x03, "x", &Doc::new().int32("y", 1).bytes())
            .bytes(),
    );
    assert_eq!(column_list(&assert_round_trip(&documents, 2)), ["x int64"]);
}

#[test]
fn lists_of_documents_and_of_lists_get_columns() {
    let item = |x: i32, tags: &[i32]| {
        let tags = Doc::array(tags.iter().map(|tag| (0x10, tag.to_le_bytes().to_vec())));
        (
            0x03,
            Doc::new()
                .int32("x", x)
                .null("n")
                .raw(0x04, "tags", &tags)
                .bytes(),
        )
    };
    let row = |len: usize| (0x04, Doc::array((0..len).map(|_| (0x01, vec![1; 8]))));
    let documents = [
        Doc::new().raw(0x04, "l", &Doc::array([item(1, &[]), item(2, &[3, 4])])),
        Doc::new().raw(0x04, "l", &Doc::array([])),
        Doc::new().null("l"),
        Doc::new().raw(0x04, "m", &Doc::array([row(0), row(2), row(1)])),
        Doc::new().raw(0x04, "m", &Doc::array([row(0), row(0)])),
    ];
    let columns = assert_round_trip(&documents.map(|document| document.bytes()), 0);
    assert_eq!(
        column_list(&columns),
        [
            "l list<struct<x: int64, n: null, tags: list<int64>>>",
            "m list<list<double>>"
        ]
    );
}

#[test]
fn fields_without_values_need_no_column() {
    let inner = Doc::new().null("b").raw(0x03, "c", b"\x05\0\0\0\0").bytes();
    let documents = [
        Doc::new().raw(0x04, "d", b"\x05\0\0\0\0").null("e"),
        Doc::new().raw(0x03, "d", b"\x05\0\0\0\0"),
        Doc::new().raw(0x7f, "e", b"").null("d"),
    ];
    let documents = documents.map(|document| document.bytes());
    assert!(column_list(&assert_round_trip(&documents, 0)).is_empty());
    let documents = [
        Doc::new().raw(0x03, "a", &inner).bytes(),
        Doc::new().raw(0x03, "a", &Doc::new().bytes()).bytes(),
        Doc::new().null("a").bytes(),
    ];
    let columns = assert_round_trip(&documents, 0);
    assert_eq!(column_list(&columns), ["a struct<b: null, c: null>"]);
}

#[test]
fn files_without_documents_or_without_fitting_documents_are_complete() {
    assert_eq!(
        read(&write(&Columns::default(), &[], 10, Compression::Auto)),
        [[0; 0]; 0]
    );
    let documents = [
        Doc::new().int32("x", 1).bytes(),
        Doc::new().int32("y", 1).bytes(),
    ];
    let (file, residual) = write_counting(&Columns::default(), &documents, 1, Compression::Auto);
    assert_eq!((read(&file), residual), (documents.to_vec(), 2));
}

#[test]
fn ten_thousand_fields_get_ten_thousand_columns() {
    let wide = (0..10_000).fold(Doc::new(), |document, n| {
        document.int32(&format!("f{n}"), n)
    });
    let columns = assert_round_trip(&[wide.bytes(), Doc::new().int32("f9", 1).bytes()], 0);
    assert_eq!(columns.list().count(), 10_000);
}

#[test]
fn a_document_of_16_mib_comes_back() {
    let long = "x".repeat(8 << 20);
    let numbers = Doc::array((0..500_000).map(|n| (0x01, f64::from(n).to_le_bytes().to_vec())));
    let document = Doc::new()
        .string("s", &long)
        .raw(0x04, "n", &numbers)
        .bytes();
    let residual = Doc::new().string("n", &long).bytes();
    assert_round_trip(&[document.clone(), residual, document], 1);
}

/// Parquet pages hold about a megabyte.
#[test]
fn columns_of_many_pages_come_back() {
    let text = |n: usize| format!("{n} ").repeat(n % 97);
    let documents = (0..6000).map(|n| {
        let item = |n| {
            (
                0x03,
                Doc::new()
                    .string("s", &text(n))
                    .int64("n", n as i64)
                    .bytes(),
            )
        };
        let items = Doc::array((0..n % 7).map(|i| item(n + i)));
        let rows = Doc::array((0..n % 3).map(|i| (0x04, Doc::array([item(i), item(n)]))));
        let document = Doc::new()
            .string("s", &text(n))
            .raw(0x04, "items", &items)
            .raw(0x03, "sub", &Doc::new().raw(0x04, "rows", &rows).bytes());
        if n % 11 == 0 {
            document.null("s").bytes()
        } else {
            document.bytes()
        }
    });
    let documents: Vec<_> = documents.collect();
    let columns = propose(&documents);
    for compression in [Compression::Auto, Compression::None] {
        let (file, residual) = write_counting(&columns, &documents, 5000, compression);
        assert!(read(&file) == documents);
        assert_eq!(residual, 546);
    }
}

/// Each of the hundred thousand empty elements would take up the width of all columns of the
/// others.
#[test]
fn lists_that_would_fill_the_memory_with_nulls_are_residual() {
    let wide = (0..1000).fold(Doc::new(), |document, n| {
        document.int32(&format!("f{n}"), n)
    });
    let list = |elements: Vec<Vec<u8>>| {
        let elements = elements.into_iter().map(|element| (0x03, element));
        Doc::new().raw(0x04, "l", &Doc::array(elements)).bytes()
    };
    let documents = [
        list(vec![wide.bytes()]),
        list(vec![Doc::new().bytes(); 300]),
        list(vec![Doc::new().bytes(); 100_000]),
    ];
    assert_round_trip(&documents, 1);
}

#[test]
fn deep_nesting_is_residual_and_never_overflows_the_stack() {
    let nested = |depth| {
        (0..depth).fold(Doc::new().int32("x", 1).bytes(), |inner, _| {
            Doc::new().raw(0x03, "d", &inner).bytes()
        })
    };
    let arrays =
        |depth| (0..depth).fold(Doc::new().bytes(), |inner, _| Doc::array([(0x04, inner)]));
    let documents: Vec<_> = [1, 20, 31, 32, 40, 200, 20_000]
        .map(nested)
        .into_iter()
        .chain([20, 20_000].map(|depth| Doc::new().raw(0x04, "a", &arrays(depth)).bytes()))
        .collect();
    let columns = propose(&documents);
    assert!(columns.list().next().is_some());
    assert_eq!(
        read(&write(&columns, &documents, 100, Compression::Auto)),
        documents
    );
}

#[test]
fn data_files_of_one_split_have_the_same_schema_and_digests_add_up() {
    let documents: Vec<_> = (0..50).map(|n| Doc::new().int32("x", n).bytes()).collect();
    let columns = propose(&documents);
    let text = serde_json::to_string(&columns).unwrap();
    assert_eq!(serde_json::from_str::<Columns>(&text).unwrap(), columns);
    let (mut whole, mut parts) = (Digest::default(), Digest::default());
    for chunk in documents.chunks(7) {
        let file = write(&columns, chunk, 3, Compression::Auto);
        let mut reader = Reader::open(std::io::Cursor::new(&file)).unwrap();
        assert_eq!(reader.columns(), &columns);
        assert_eq!(reader.rows(), chunk.len() as u64);
        for index in 0..reader.row_groups() {
            for document in reader.read_row_group(index).unwrap() {
                parts.add(&document.unwrap());
            }
        }
    }
    documents.iter().for_each(|document| whole.add(document));
    assert_eq!(whole, parts);
}

#[test]
fn a_malformed_document_is_refused_and_leaves_the_encoder_intact() {
    let good = Doc::new().int32("x", 1).bytes();
    let columns = propose(std::slice::from_ref(&good));
    let mut encoder = Encoder::new(&columns);
    encoder.push(&good).unwrap();
    let nested = Doc::new()
        .int32("x", 1)
        .raw(0x03, "d", b"\x07\0\0\0\x99a\0\0"[..7].as_ref())
        .bytes();
    for bad in [&good[..good.len() - 1], b"", &nested] {
        assert!(encoder.push(bad).is_err());
    }
    encoder.push(&good).unwrap();
    assert_eq!((encoder.rows(), encoder.pending_rows()), (2, 2));
    let mut writer = ParquetWriter::new(Vec::new(), &columns).unwrap();
    writer
        .write(encoder.take_row_group().encode(Compression::None).unwrap())
        .unwrap();
    assert!(writer.bytes_written() > 0);
    let file = writer.finish(encoder.finish()).unwrap();
    assert_eq!(read(&file), [good.clone(), good]);
}
