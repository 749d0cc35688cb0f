//! Data files of a few bytes that stand for a lot of memory, with manifests that match: they are
//! refused before they take it, and the target stays as it was.

use bson::{RawDocumentBuf, rawdoc};
use lob_testkit::hostile_parquet::{Page, levels, run};
use polars_parquet_format::{Encoding, KeyValue};

use crate::hostile::{ALLOWED, Case, DAMAGE, Hostile, LITTLE, damage, one, parts, too_large};

#[tokio::test]
async fn a_file_of_two_kilobytes_cannot_stand_for_twelve_million_rows() {
    let hostile = Hostile::new().await;
    for rows in [6_000_000, 12_000_000] {
        let mut file = parts(&one());
        file.repeat(rows);
        let bytes = file.bytes();
        assert!(bytes.len() < 2500, "{}", bytes.len());
        hostile
            .refused("equal rows", too_large(rows.into(), bytes), &one())
            .await;
    }
    lob_testkit::fault_fired("G14");
}

#[tokio::test]
async fn equal_rows_that_fit_into_the_memory_take_no_more() {
    let hostile = Hostile::new().await;
    let mut file = parts(&one());
    file.repeat(3_000_000);
    let documents: Vec<_> = (0..2).map(|n| rawdoc! { "_id": n }).collect();
    // Stops at the first document, which is none.
    let code = file.chunks[0].len() - 2;
    let body = [levels(&run(3_000_000, 1)), vec![1], run(3_000_000, 0)].concat();
    let dictionary = Page::dictionary(vec![1, 0, 0, 0, 0xff], 1);
    file.set(
        0,
        code,
        Some(dictionary),
        &[Page::data(body, 3_000_000, Encoding::RLE_DICTIONARY)],
    );
    let case = Case {
        status: DAMAGE,
        said: "contradicts itself",
        most: ALLOWED,
        rows: 3_000_000,
        bytes: file.bytes(),
    };
    hostile.refused("rows that fit", case, &documents).await;
    lob_testkit::fault_fired("G14");
}

#[tokio::test]
async fn a_few_kilobytes_cannot_stand_for_a_gigabyte_of_text() {
    let hostile = Hostile::new().await;
    let documents = [rawdoc! { "_id": 1.5, "s": "text" }];
    let size = 300_u32 << 20;
    let text = [&size.to_le_bytes()[..], &vec![0; size as usize]].concat();
    let mut file = parts(&documents);
    let page = Page::data(
        [levels(&run(1, 1)), text.clone()].concat(),
        1,
        Encoding::PLAIN,
    );
    file.set(0, 1, None, &[page.zstd()]);
    hostile
        .refused("a page", too_large(1, file.bytes()), &documents)
        .await;
    let indices = [levels(&run(1, 1)), vec![1], run(1, 0)].concat();
    let data = Page::data(indices, 1, Encoding::RLE_DICTIONARY).zstd();
    file.set(0, 1, Some(Page::dictionary(text, 1).zstd()), &[data]);
    hostile
        .refused("a dictionary", too_large(1, file.bytes()), &documents)
        .await;
    lob_testkit::fault_fired("G14");
}

#[tokio::test]
async fn a_dictionary_of_one_long_text_takes_its_size_once() {
    let hostile = Hostile::new().await;
    let (documents, rows) = ([rawdoc! { "_id": 1.5, "s": "text" }], 48);
    let text = [&(1_u32 << 20).to_le_bytes()[..], &[b'x'; 1 << 20]].concat();
    let mut file = parts(&documents);
    let mut numbers = levels(&run(rows, 1));
    numbers.extend((0..rows).flat_map(|row| f64::from(row).to_le_bytes()));
    file.set(
        0,
        0,
        None,
        &[Page::data(numbers, rows as i32, Encoding::PLAIN)],
    );
    let indices = [levels(&run(rows, 1)), vec![1], run(rows, 0)].concat();
    let data = Page::data(indices, rows as i32, Encoding::RLE_DICTIONARY).zstd();
    file.set(0, 1, Some(Page::dictionary(text, 1).zstd()), &[data]);
    for own in [2, 3] {
        file.set(
            0,
            own,
            None,
            &[Page::data(
                levels(&run(rows, 0)),
                rows as i32,
                Encoding::PLAIN,
            )],
        );
    }
    (file.footer.num_rows, file.footer.row_groups[0].num_rows) = (rows.into(), rows.into());
    let case = Case {
        status: DAMAGE,
        said: "have the digest",
        most: ALLOWED,
        rows: rows.into(),
        bytes: file.bytes(),
    };
    hostile.refused("a dictionary", case, &documents).await;
    lob_testkit::fault_fired("G14");
}

#[tokio::test]
async fn lists_of_lists_cannot_multiply_what_a_page_takes() {
    let hostile = Hostile::new().await;
    let deep = (0..30).fold(bson::Bson::from(1.5), |inner, _| vec![inner].into());
    let documents = [RawDocumentBuf::try_from(&bson::doc! { "_id": 1.5, "l": deep }).unwrap()];
    let mut file = parts(&documents);
    let (count, most) = (1_u32 << 20, 61);
    let repetitions = [run(1, 0), run(count - 1, 1)].concat();
    let levels = [levels(&repetitions), levels(&run(count, most))].concat();
    let body = [levels, vec![1], run(count, 0)].concat();
    let dictionary = Page::dictionary(1.5_f64.to_le_bytes().to_vec(), 1);
    file.set(
        0,
        1,
        Some(dictionary),
        &[Page::data(body, count as i32, Encoding::RLE_DICTIONARY)],
    );
    hostile
        .refused("lists", too_large(1, file.bytes()), &documents)
        .await;
    lob_testkit::fault_fired("G14");
}

#[tokio::test]
async fn a_footer_cannot_stand_for_more_than_its_own_size() {
    let hostile = Hostile::new().await;
    let whole = parts(&one());
    let columns = whole.lying(|footer| {
        let column = footer.schema[1].clone();
        footer.schema[0].num_children = Some(1_000_003);
        footer.schema.extend(vec![column; 1_000_000]);
    });
    let groups = whole.lying(|footer| {
        let mut empty = footer.row_groups[0].clone();
        (empty.num_rows, empty.columns) = (0, Vec::new());
        footer.row_groups.extend(vec![empty; 1_000_000]);
    });
    let chunks = whole.lying(|footer| {
        let mut bare = footer.row_groups[0].columns[0].clone();
        let column = bare.meta_data.as_mut().unwrap();
        (column.encodings, column.path_in_schema) = (Vec::new(), Vec::new());
        (column.statistics, column.encoding_stats) = (None, None);
        footer.row_groups[0].columns.extend(vec![bare; 1_000_000]);
    });
    let pairs = whole.lying(|footer| {
        let (key, value) = (String::new(), None);
        let pair = KeyValue { key, value };
        let pairs = footer.key_value_metadata.as_mut().unwrap();
        pairs.extend(vec![pair; 1_000_000]);
    });
    let deep = whole.lying(|footer| {
        let mut level = footer.schema[0].clone();
        level.num_children = Some(1);
        footer.schema.splice(1..1, vec![level; 10_000]);
    });
    for (what, bytes) in [
        ("a million columns", columns),
        ("a million row groups", groups),
        ("a million chunks", chunks),
        ("a million key-value pairs", pairs),
        ("ten thousand levels", deep),
    ] {
        // The file itself has some megabytes.
        let case = Case {
            most: LITTLE + 64,
            ..damage("", bytes)
        };
        hostile.refused(what, case, &one()).await;
    }
    lob_testkit::fault_fired("G14");
    lob_testkit::fault_fired("G16");
}
