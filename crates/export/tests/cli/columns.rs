//! Which columns a run has, and what happens to values that they do not hold.

use bson::{RawDocumentBuf, rawdoc};
use lob_testkit::mongo::MongoOptions;
use serde_json::{Value, json};

use crate::bed::{BUCKET, Bed};
use crate::hints::{self, follow};

/// Integers with so few doubles among them that a small sample misses them.
fn drift() -> impl Iterator<Item = RawDocumentBuf> {
    (0..2000).map(|i| match i {
        1501..=1503 => rawdoc! { "_id": i, "qty": 200.5 },
        _ => rawdoc! { "_id": i, "qty": i % 400 },
    })
}

async fn bed(documents: impl Iterator<Item = RawDocumentBuf>) -> Bed {
    let bed = Bed::with(MongoOptions::default()).await;
    bed.mongo.load("raw", "split_0_input", documents).unwrap();
    bed
}

/// The only split of a run.
fn split(bed: &Bed, run: &str) -> Value {
    let key = format!("processed-splits/{run}/manifest.json");
    let manifest = bed.s3.object(BUCKET, &key).unwrap().bytes;
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest["splits"][0].clone()
}

fn type_of(split: &Value, name: &str) -> Value {
    let columns = split["columns"].as_array().unwrap().iter();
    let column = columns.clone().find(|column| column["name"] == name);
    column.map_or(Value::Null, |column| column["type"].clone())
}

#[tokio::test]
async fn doubles_among_integers_are_reported_and_the_next_run_has_doubles() {
    let bed = bed(drift()).await;
    let sample = ["--columns-sample", "10", "--run-id"];
    let first = bed.run(&[&sample[..], &["first"]].concat()).await.expect(0);
    let told = "qty: 3 double of 2000 values do not fit: the column is int64, and null there; once \
                this run is published, the next one has it as double";
    assert!(first.stdout.contains(told), "{}", first.shown());
    assert_eq!(split(&bed, "first")["residual_rows"], 3);

    let second = bed
        .run(&[&sample[..], &["second"]].concat())
        .await
        .expect(0);
    let told = "the column qty is double and was int64 in run first";
    assert!(second.stderr.contains(told), "{}", second.shown());
    let split = split(&bed, "second");
    assert_eq!(
        (&split["residual_rows"], type_of(&split, "qty")),
        (&json!(0), json!("double"))
    );
}

#[tokio::test]
async fn too_many_misfits_publish_nothing_and_the_hinted_command_succeeds() {
    let bed = bed(drift()).await;
    let sample = ["--columns-sample", "10"];
    let args = [&sample[..], &["--max-misfits", "0"]].concat();
    let refused = bed.export(&args).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.shown());
    bed.assert_nothing_published();
    let command = follow(&args, &refused, "exports everything into columns that fit");
    hints::run(&bed, &command).await.expect(0);
    assert_eq!(split(&bed, "another")["residual_rows"], 0);
}

#[tokio::test]
async fn the_hinted_command_gives_columns_to_what_the_sample_missed() {
    let late = (0..2000).map(|i| match i {
        1501 => rawdoc! { "_id": i, "note": "late", "rare": 1.5 },
        _ => rawdoc! { "_id": i, "note": bson::RawBson::Null },
    });
    let bed = bed(late).await;
    let args = ["--max-misfits", "0", "--columns-sample", "10"];
    let refused = bed.run(&args).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.shown());
    let command = follow(
        &args,
        &refused,
        "looks at every document to choose the columns",
    );
    hints::run(&bed, &command).await.expect(0);
    assert_eq!(split(&bed, "another")["residual_rows"], 0);
}

#[tokio::test]
async fn names_that_look_like_data_are_reported_if_the_last_run_has_a_struct() {
    let side = |from: i32, i: i32| {
        let mut side = RawDocumentBuf::new();
        for level in 0..40 {
            let name = format!("{}.25", from + i % 7 + level);
            side.append(bson::raw::CString::try_from(name).unwrap(), 1.5);
        }
        rawdoc! { "_id": i, "bids": side }
    };
    let bed = bed((0..50).map(|i| side(100, i))).await;
    bed.run(&["--run-id", "first", "--struct", "bids"])
        .await
        .expect(0);
    let second = bed.run(&["--run-id", "second"]).await.expect(0);
    let told = "names in the column bids look like data, but it stays a STRUCT as in run first";
    assert!(second.stderr.contains(told), "{}", second.shown());
    bed.run(&["--run-id", "third", "--columns-from", "none"])
        .await
        .expect(0);
    assert_eq!(type_of(&split(&bed, "third"), "bids"), "map<double>");
}

#[tokio::test]
async fn the_hinted_command_publishes_misfits_that_no_column_could_hold() {
    let text_among_numbers = (0..2000).map(|i| match i {
        1501 => rawdoc! { "_id": i, "qty": "many" },
        _ => rawdoc! { "_id": i, "qty": i },
    });
    let bed = bed(text_among_numbers).await;
    let args = ["--columns-sample", "10", "--max-misfits", "0.01"];
    let refused = bed.export(&args).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.shown());
    bed.assert_nothing_published();
    let command = follow(&args, &refused, "publishes it as it is");
    hints::run(&bed, &command).await.expect(0);
    assert_eq!(split(&bed, "run-1")["residual_rows"], 1);
}

#[tokio::test]
async fn columns_come_from_the_latest_run_a_named_run_or_none() {
    let documents = (0..50).map(|i| rawdoc! { "_id": i, "b": i, "a": i });
    let bed = bed(documents).await;
    bed.run(&["--run-id", "first"]).await.expect(0);
    // The columns of the first documents come first, whatever today's order.
    let documents = (0..50).map(|i| rawdoc! { "_id": i, "c": i, "a": i, "b": i });
    bed.mongo
        .run(&rawdoc! { "drop": "split_0_input", "$db": "raw" });
    bed.mongo.load("raw", "split_0_input", documents).unwrap();
    let names = |run: &str| {
        let split = split(&bed, run);
        let columns = split["columns"].as_array().unwrap().iter();
        columns
            .map(|column| column["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    bed.run(&["--run-id", "kept"]).await.expect(0);
    assert_eq!(names("kept"), ["_id", "b", "a", "c"]);
    bed.run(&["--run-id", "anew", "--columns-from", "none"])
        .await
        .expect(0);
    assert_eq!(names("anew"), ["_id", "c", "a", "b"]);
    bed.run(&["--run-id", "named", "--columns-from", "first"])
        .await
        .expect(0);
    assert_eq!(names("named"), ["_id", "b", "a", "c"]);

    let missing = bed
        .run(&["--run-id", "lost", "--columns-from", "nowhere"])
        .await;
    let stderr = &missing.stderr;
    assert_eq!(missing.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("the columns of run `nowhere` cannot be reused"),
        "{stderr}"
    );
    assert!(stderr.contains("there is no such run"), "{stderr}");
}

#[tokio::test]
async fn an_unreadable_earlier_run_is_skipped_with_a_warning() {
    let bed = bed((0..50).map(|i| rawdoc! { "_id": i })).await;
    bed.run(&["--run-id", "first"]).await.expect(0);
    let key = "processed-splits/first/manifest.json";
    let manifest = bed.s3.object(BUCKET, key).unwrap().bytes;
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest["splits"][0]["column_tree"] = json!([{ "name": "x", "type": "nothing" }]);
    bed.s3
        .put_raw(BUCKET, key, serde_json::to_vec(&manifest).unwrap());
    let output = bed.run(&["--run-id", "second"]).await.expect(0);
    assert!(
        output.stderr.contains("its columns are not reused"),
        "{}",
        output.shown()
    );
}

#[tokio::test]
async fn map_and_struct_decide_how_documents_are_stored() {
    let documents = (0..50).map(|i| rawdoc! { "_id": i, "bids": { "a": 1.5, "b": 2.5 } });
    let bed = bed(documents).await;
    bed.run(&["--run-id", "sampled"]).await.expect(0);
    assert_eq!(
        type_of(&split(&bed, "sampled"), "bids"),
        "struct<a: double, b: double>"
    );
    let told = bed
        .run(&["--run-id", "told", "--map", "bids", "--struct", "asks"])
        .await
        .expect(0);
    assert_eq!(type_of(&split(&bed, "told"), "bids"), "map<double>");
    let warned = "--struct asks has no effect";
    assert!(told.stderr.contains(warned), "{}", told.shown());

    let both = bed.run(&["--map", "bids", "--struct", "bids"]).await;
    assert_eq!(both.status.code(), Some(2));
    assert!(
        both.stderr
            .contains("`bids` cannot be both in `map` and in `struct`"),
        "{}",
        both.shown()
    );
}

#[tokio::test]
async fn values_without_a_column_are_reported_with_the_reason() {
    let documents = (0..100).map(|i| match i {
        97 => rawdoc! { "_id": i, "Price": 1.5, "day": bson::DateTime::from_millis(0), "px": 1 },
        98 => rawdoc! { "_id": i, "_lob_x": 1, "day": bson::DateTime::from_millis(i64::MAX / 2) },
        99 => rawdoc! { "_id": i, "px": "99.125".parse::<bson::Decimal128>().unwrap() },
        _ => rawdoc! {
            "_id": i, "price": 2.5, "day": bson::DateTime::from_millis(0),
            "px": "1.5".parse::<bson::Decimal128>().unwrap(),
        },
    });
    let bed = bed(documents).await;
    let output = bed.run(&["--columns-sample", "5"]).await.expect(0);
    for told in [
        "3 of 100 documents have values that fit no column",
        "day: 1 date of 100 values do not fit: the column is date, and null there: readers support \
         only the years 1 to 9999",
        "px: 1 decimal128 and 1 int32 of 100 values do not fit: the column is decimal(1), and null \
         there\n",
        "readers would confuse: Price for price (1); if the column comes from an earlier run, \
         `--columns-from none` gives it",
        "begin with `_lob_`, as our own columns do: _lob_x (1)\n",
    ] {
        assert!(output.stdout.contains(told), "{told}: {}", output.shown());
    }
}
