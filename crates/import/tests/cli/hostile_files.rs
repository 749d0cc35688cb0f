//! Data files whose footers, pages and values lie, with manifests that match: each is refused as
//! damage, in little memory, and the target stays as it was.

use bson::rawdoc;
use lob_testkit::hostile_parquet::{Page, levels, run};
use polars_parquet_format::{ColumnMetaData, CompressionCodec, Encoding};

use crate::hostile::{Hostile, LITTLE, damage, honest, one, parts};

/// The end of a file, as it should not be.
fn with_tail(len: u32, magic: &[u8]) -> Vec<u8> {
    let mut file = honest(&one());
    file.truncate(file.len() - 8);
    [&file[..], &len.to_le_bytes(), magic].concat()
}

#[tokio::test]
async fn a_footer_whose_length_or_magic_lies_is_damage() {
    let hostile = Hostile::new().await;
    let len = honest(&one()).len() as u32;
    let mut cases = vec![
        ("an empty file", damage("begin with PAR1", Vec::new())),
        (
            "a magic number alone",
            damage("begin with PAR1", b"PAR1".to_vec()),
        ),
        (
            "an encrypted footer",
            damage("end with PAR1", with_tail(100, b"PARE")),
        ),
        ("an encrypted file", {
            let file = honest(&one());
            damage("begin with PAR1", [&b"PARE"[..], &file[4..]].concat())
        }),
    ];
    for length in [0, 1, len - 8, len, 1 << 31, u32::MAX] {
        cases.push((
            "a footer of another length",
            damage("", with_tail(length, b"PAR1")),
        ));
    }
    for (what, case) in cases {
        hostile.refused(what, case, &one()).await;
    }
    lob_testkit::fault_fired("G12");
}

#[tokio::test]
async fn claims_about_chunks_and_rows_that_do_not_hold_are_damage() {
    let hostile = Hostile::new().await;
    let documents: Vec<_> = (0..3)
        .map(|n| rawdoc! { "_id": f64::from(n) + 0.5 })
        .collect();
    let whole = parts(&documents);
    let size = honest(&documents).len() as i64;
    let of_chunk = |lie: fn(&mut ColumnMetaData)| {
        whole.lying(|footer| lie(footer.row_groups[0].columns[0].meta_data.as_mut().unwrap()))
    };
    let outside = whole.lying(|footer| {
        let column = footer.row_groups[0].columns[0].meta_data.as_mut().unwrap();
        (column.data_page_offset, column.dictionary_page_offset) = (size, None);
    });
    let overlapping = whole.lying(|footer| {
        let columns = &mut footer.row_groups[0].columns;
        let first = columns[0].meta_data.clone().unwrap();
        let second = columns[1].meta_data.as_mut().unwrap();
        second.data_page_offset = first.data_page_offset;
        second.dictionary_page_offset = first.dictionary_page_offset;
    });
    let cases = [
        (
            "an offset below zero",
            damage(
                "damaged",
                of_chunk(|c| {
                    (c.data_page_offset, c.dictionary_page_offset) = (-1, None);
                }),
            ),
        ),
        (
            "an offset outside the file",
            damage("outside the file", outside),
        ),
        ("two chunks in one place", damage("overlaps", overlapping)),
        (
            "a size below zero",
            damage("", of_chunk(|c| c.total_compressed_size = -1)),
        ),
        (
            "a size of 2^63",
            damage("", of_chunk(|c| c.total_compressed_size = i64::MAX)),
        ),
        (
            "an uncompressed size below zero",
            damage(
                "",
                of_chunk(|c| {
                    c.total_uncompressed_size = -1;
                }),
            ),
        ),
        (
            "an uncompressed size of 2^63",
            damage(
                "",
                of_chunk(|c| {
                    c.total_uncompressed_size = i64::MAX;
                }),
            ),
        ),
        (
            "a billion values",
            damage("larger than", of_chunk(|c| c.num_values = 1_000_000_000)),
        ),
        (
            "values below zero",
            damage("", of_chunk(|c| c.num_values = -1)),
        ),
        (
            "one value more",
            damage("do not match the footer", of_chunk(|c| c.num_values += 1)),
        ),
        (
            "an unknown codec",
            damage("", of_chunk(|c| c.codec = CompressionCodec(99))),
        ),
        (
            "rows that are not in the columns",
            damage("rows", {
                whole.lying(|footer| {
                    (footer.num_rows, footer.row_groups[0].num_rows) = (4, 4);
                })
            }),
        ),
        (
            "fewer rows than are in the columns",
            damage("rows", {
                whole.lying(|footer| {
                    (footer.num_rows, footer.row_groups[0].num_rows) = (2, 2);
                })
            }),
        ),
        (
            "rows below zero",
            damage("", whole.lying(|f| f.row_groups[0].num_rows = -3)),
        ),
        (
            "row groups that do not add up",
            damage("do not add up", {
                whole.lying(|footer| footer.num_rows = 4)
            }),
        ),
        (
            "a file of no row group",
            damage("", whole.lying(|f| f.row_groups.clear())),
        ),
        (
            "a row group of no column",
            damage(
                "",
                whole.lying(|f| {
                    f.row_groups[0].columns.clear();
                }),
            ),
        ),
        (
            "a column less than in the schema",
            damage(
                "",
                whole.lying(|f| {
                    f.row_groups[0].columns.pop();
                }),
            ),
        ),
    ];
    for (what, mut case) in cases {
        // The manifest believes the file.
        case.rows = match what {
            "rows that are not in the columns" => 4,
            "fewer rows than are in the columns" => 2,
            _ => 3,
        };
        hostile.refused(what, case, &documents).await;
    }
    lob_testkit::fault_fired("G13");
    lob_testkit::fault_fired("G15");
    lob_testkit::fault_fired("G18");
}

#[tokio::test]
async fn claims_of_pages_that_do_not_hold_are_damage() {
    let hostile = Hostile::new().await;
    let number = 1.5_f64.to_le_bytes();
    let body = || [levels(&run(1, 1)), number.to_vec()].concat();
    let with_page = |page: Page| {
        let mut file = parts(&one());
        file.set(0, 0, None, &[page]);
        file.bytes()
    };
    let plain = || Page::data(body(), 1, Encoding::PLAIN);
    // Pages of our own are read, unless they lie.
    let unchanged = Hostile::new().await;
    let imported = unchanged.import(with_page(plain()), 1, &one()).await;
    imported.expect(0, LITTLE);

    let endless = |level: u8, indices: u8| {
        let body = [
            levels(&run(u32::MAX, level)),
            vec![1],
            run(u32::MAX, indices),
        ]
        .concat();
        let mut file = parts(&one());
        let dictionary = Page::dictionary(number.to_vec(), 1);
        file.set(
            0,
            0,
            Some(dictionary),
            &[Page::data(body, 1, Encoding::RLE_DICTIONARY)],
        );
        file.bytes()
    };
    let cases = [
        (
            "2 GiB uncompressed",
            damage(
                "larger than",
                with_page(Page {
                    claims_uncompressed: i32::MAX,
                    ..plain()
                }),
            ),
        ),
        (
            "2 GiB compressed",
            damage(
                "outside its chunk",
                with_page(Page {
                    claims_compressed: Some(i32::MAX),
                    ..plain()
                }),
            ),
        ),
        (
            "sizes below zero",
            damage(
                "header",
                with_page(Page {
                    claims_uncompressed: -1,
                    ..plain()
                }),
            ),
        ),
        (
            "a billion values",
            damage(
                "larger than",
                with_page(Page {
                    values: 1_000_000_000,
                    ..plain()
                }),
            ),
        ),
        (
            "values below zero",
            damage(
                "",
                with_page(Page {
                    values: -1,
                    ..plain()
                }),
            ),
        ),
        (
            "an unknown encoding",
            damage(
                "",
                with_page(Page {
                    encoding: Encoding(99),
                    ..plain()
                }),
            ),
        ),
        (
            "levels longer than the page",
            damage(
                "",
                with_page(Page::data(
                    [&u32::MAX.to_le_bytes()[..], &number].concat(),
                    1,
                    Encoding::PLAIN,
                )),
            ),
        ),
        (
            "more levels and indices than values",
            damage("", endless(1, 1)),
        ),
        (
            "no values at all",
            damage(
                "",
                with_page(Page::data(levels(&run(1, 1)), 1, Encoding::PLAIN)),
            ),
        ),
        (
            "a page of more than it says",
            damage(
                "",
                with_page(Page {
                    claims_uncompressed: body().len() as i32,
                    ..Page::data(vec![0; 300 << 20], 1, Encoding::PLAIN).zstd()
                }),
            ),
        ),
    ];
    for (what, case) in cases {
        hostile.refused(what, case, &one()).await;
    }
    lob_testkit::fault_fired("G13");
    lob_testkit::fault_fired("G15");
}

#[tokio::test]
async fn frames_of_another_compression_than_the_footer_names_are_damage() {
    let hostile = Hostile::new().await;
    let frame = Page::data(
        [levels(&run(1, 1)), 1.5_f64.to_le_bytes().to_vec()].concat(),
        1,
        Encoding::PLAIN,
    );
    for codec in [
        CompressionCodec::SNAPPY,
        CompressionCodec::GZIP,
        CompressionCodec::LZO,
        CompressionCodec::BROTLI,
        CompressionCodec::LZ4,
        CompressionCodec::ZSTD,
        CompressionCodec::LZ4_RAW,
    ] {
        let mut file = parts(&one());
        file.set(0, 0, None, std::slice::from_ref(&frame));
        file.column(0, 0).codec = codec;
        hostile
            .refused(&format!("{codec:?}"), damage("", file.bytes()), &one())
            .await;
    }
    lob_testkit::fault_fired("G15");
}
