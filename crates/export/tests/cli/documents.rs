//! Unusual documents: very large, very wide, or unlike those that the columns were chosen by.

use bson::spec::BinarySubtype;
use bson::{Binary, RawDocumentBuf, rawdoc};
use lob_testkit::mongo::MongoOptions;

use crate::bed::{BUCKET, Bed};

async fn export(documents: Vec<RawDocumentBuf>, args: &[&str]) -> serde_json::Value {
    let bed = Bed::with(MongoOptions::default()).await;
    let count = documents.len();
    bed.mongo.load("raw", "split_0_input", documents).unwrap();
    bed.export(args).await.expect(0);
    let manifest = bed.manifest();
    assert_eq!(manifest["total_documents"], count);
    manifest
}

#[tokio::test]
async fn a_16_mb_document_is_exported_even_with_a_small_read_ahead() {
    let large = |id: i32| {
        let subtype = BinarySubtype::Generic;
        let bytes = vec![id as u8; (16 << 20) - 100];
        rawdoc! { "_id": id, "bytes": Binary { subtype, bytes } }
    };
    let small = ["--read-ahead", "1MiB", "--row-group-size", "1MiB"];
    let args = [
        &small[..],
        &["--part-size", "5MiB", "--buffer-size", "10MiB"],
    ]
    .concat();
    export((0..3).map(large).collect(), &args).await;
}

#[tokio::test]
async fn ranges_whose_row_groups_exceed_the_buffer_never_wait_for_each_other() {
    // Bytes that do not compress, so that each row group takes more than two parts.
    let mut state = 1_u64;
    let mut random = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    let mut document = |id: i32| {
        let subtype = BinarySubtype::Generic;
        let bytes = (0..1 << 20).map(&mut random).collect();
        rawdoc! { "_id": id, "bytes": Binary { subtype, bytes } }
    };
    let ranges = ["--ranges", "3", "--jobs", "3", "--row-group-size", "12MiB"];
    let parts = ["--part-size", "5MiB", "--buffer-size", "10MiB"];
    let args = [&ranges[..], &parts].concat();
    let manifest = export((0..36).map(&mut document).collect(), &args).await;
    let files = manifest["splits"][0]["files"].as_array().unwrap();
    let sizes = files.iter().map(|file| file["size_bytes"].as_u64());
    assert!(sizes.flatten().all(|size| size > 10 << 20), "{files:?}");
}

#[tokio::test]
async fn documents_with_10000_fields_are_exported() {
    let wide = |id: i32| {
        let mut document = rawdoc! { "_id": id };
        for field in 0..10_000 {
            let name = bson::raw::CString::try_from(format!("f{field}")).unwrap();
            document.append(name, f64::from(field * id));
        }
        document
    };
    let manifest = export((0..20).map(wide).collect(), &[]).await;
    let split = &manifest["splits"][0];
    assert_eq!(split["columns"].as_array().unwrap().len(), 10_001);
    assert_eq!(split["residual_rows"], 0);
}

/// Each document but the first has a field of its own.
fn unlike() -> Vec<RawDocumentBuf> {
    let document = |id: i32| {
        let mut document = rawdoc! { "_id": id };
        if id > 0 {
            let name = bson::raw::CString::try_from(format!("f{id}")).unwrap();
            document.append(name, id);
        }
        document
    };
    (0..100).map(document).collect()
}

#[tokio::test]
async fn fields_without_a_column_are_counted_with_advice() {
    let bed = Bed::with(MongoOptions::default()).await;
    bed.mongo.load("raw", "split_0_input", unlike()).unwrap();
    let output = bed.export(&["--columns-sample", "1"]).await.expect(0);
    let stdout = &output.stdout;
    for told in [
        "of 100 documents have values that fit no column",
        "fields without a column: f",
        "; a larger `--columns-sample` may find rare ones, `--map` turns names into the keys of a \
         MAP",
    ] {
        assert!(stdout.contains(told), "{}", output.shown());
    }
    let residual = bed.manifest()["splits"][0]["residual_rows"].clone();
    // One of them may have been in the sample.
    assert!(residual == 98 || residual == 99, "{residual}");
}

#[tokio::test]
async fn sampling_all_documents_gives_every_field_a_column() {
    let manifest = export(unlike(), &["--columns-sample", "all"]).await;
    let split = &manifest["splits"][0];
    assert_eq!(split["residual_rows"], 0);
    assert_eq!(split["columns"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn an_unchanged_collection_is_exported_to_the_same_bytes_every_time() {
    // Some numbers and fields are so rare that another sample would choose other columns.
    let document = |i: i32| match i % 97 {
        13 => rawdoc! { "_id": i, "qty": 200.5, "note": "late" },
        _ => rawdoc! { "_id": i, "qty": i % 400 },
    };
    let bed = Bed::with(MongoOptions::default()).await;
    let documents = (0..4000).map(document);
    bed.mongo.load("raw", "split_0_input", documents).unwrap();
    for ranges in ["1", "4"] {
        let mut first = None;
        for attempt in 0..4 {
            let run = format!("ranges-{ranges}-{attempt}");
            let args = ["--ranges", ranges, "--columns-sample", "50"];
            let output = bed.run(&[&["--run-id", &run], &args[..]].concat()).await;
            assert!(output.status.success(), "{output:?}");
            let folder = format!("processed-splits/{run}/");
            let keys = bed.s3.keys(BUCKET).into_iter();
            let keys = keys.filter(|key| key.starts_with(&folder) && key.ends_with(".parquet"));
            let files = keys.map(|key| {
                let bytes = bed.s3.object(BUCKET, &key).unwrap().bytes;
                (key[folder.len()..].to_owned(), bytes)
            });
            let files: Vec<_> = files.collect();
            assert_eq!(files.len().to_string(), ranges);
            assert!(
                *first.get_or_insert_with(|| files.clone()) == files,
                "{run}"
            );
            let plan = bed
                .s3
                .object(BUCKET, &format!("{folder}_progress/plan.json"));
            let plan: serde_json::Value = serde_json::from_slice(&plan.unwrap().bytes).unwrap();
            let plan = plan.to_string();
            assert!(plan.contains(r#""sample_choice":"index-walk""#), "{plan}");
        }
    }
}
