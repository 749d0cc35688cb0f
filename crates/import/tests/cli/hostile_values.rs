//! Data files whose values are not those of the manifest: residual BSON that lies, text that is none,
//! rows of one `_id`. They are damage, and the target stays as it was.

use bson::rawdoc;
use lob_testkit::hostile_parquet::{Page, levels, run};
use polars_parquet_format::Encoding;

use crate::hostile::{Case, Hostile, damage, honest, parts};

#[tokio::test]
async fn bson_that_lies_in_a_residual_column_is_damage() {
    let hostile = Hostile::new().await;
    // The second document fits no column.
    let documents = [
        rawdoc! { "_id": 1.5, "a": 1.5 },
        rawdoc! { "_id": 2.5, "a": { "b": "text" } },
    ];
    let whole = parts(&documents);
    let leaf = whole.chunks[0].len() - 1;
    let nested = (0..5000).fold(vec![5, 0, 0, 0, 0], |inner, _| {
        let len = (inner.len() + 8) as i32;
        [&len.to_le_bytes()[..], b"\x03d\0", &inner, b"\0"].concat()
    });
    let document = |len: i32| [&len.to_le_bytes()[..], b"\x10a\0\x01\0\0\0\0"].concat();
    let lies: [(&str, Vec<u8>); 8] = [
        ("nothing", Vec::new()),
        ("a length of 0", document(0)),
        ("a length of 4", document(4)),
        ("a length below zero", document(-1)),
        ("a length beyond the cell", document(13)),
        ("a length of 2 GiB", document(i32::MAX)),
        ("no end", document(12)[..11].to_vec()),
        ("5,000 levels", nested),
    ];
    for (what, lie) in lies {
        let mut file = whole.clone();
        let cell = [&(lie.len() as u32).to_le_bytes()[..], &lie].concat();
        let runs = [run(1, 0), run(1, 1)].concat();
        let page = Page::data([levels(&runs), cell].concat(), 2, Encoding::PLAIN);
        file.set(0, leaf, None, &[page]);
        let case = Case {
            rows: 2,
            ..damage("", file.bytes())
        };
        hostile.refused(what, case, &documents).await;
    }
    lob_testkit::fault_fired("G19");
    lob_testkit::fault_fired("G20");
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_not_taken_for_the_text_of_the_manifest() {
    let hostile = Hostile::new().await;
    let documents = [rawdoc! { "_id": 1.5, "s": "abc" }];
    let mut file = parts(&documents);
    let text = [&3_u32.to_le_bytes()[..], &[0xff, 0xfe, 0xed]].concat();
    let page = Page::data([levels(&run(1, 1)), text].concat(), 1, Encoding::PLAIN);
    file.set(0, 1, None, &[page]);
    hostile
        .refused("text", damage("", file.bytes()), &documents)
        .await;
    lob_testkit::fault_fired("G17");
}

#[tokio::test]
async fn rows_of_one_id_are_damage_whether_or_not_they_are_equal() {
    let hostile = Hostile::new().await;
    for (what, other) in [
        ("equal", rawdoc! { "_id": 1, "a": 1 }),
        ("different", rawdoc! { "_id": 1, "a": 2 }),
    ] {
        let documents = [rawdoc! { "_id": 1, "a": 1 }, other];
        let case = Case {
            rows: 2,
            ..damage("", honest(&documents))
        };
        hostile.refused(what, case, &documents).await;
    }
    lob_testkit::fault_fired("E16");
}
