//! Collections with `_id`s of every type, cut into ranges within and between the types.

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{
    Binary, Bson, DateTime, Decimal128, RawDocumentBuf, Timestamp, doc,
    serialize_to_raw_document_buf,
};
use lob_testkit::bson_samples;
use lob_tests::servers::Servers;

use super::IMPORT;

/// How many documents there are for each type of `_id` that has many values.
const OF_EACH_TYPE: i32 = 40;

/// The `number`th `_id` of each type. The server sees all of them as different, even though it
/// compares numbers across types.
fn of_every_type(number: i32) -> Vec<Bson> {
    let (byte, long) = (number as u8, i64::from(number));
    let binary = |subtype, length: usize| {
        let bytes = vec![byte; length];
        Bson::Binary(Binary { subtype, bytes })
    };
    let decimal = format!("{number}.75").parse::<Decimal128>().unwrap();
    vec![
        number.into(),
        (long + (1 << 40)).into(),
        (f64::from(number) + 0.5).into(),
        (-f64::from(number + 1) * 1e300).into(),
        Bson::Decimal128(decimal),
        format!("text {number}").into(),
        Bson::Symbol(format!("symbol {number}")),
        doc! { "a": number, "b": { "c": [number, "x"] } }.into(),
        doc! { "b": long, "a": number }.into(),
        binary(
            BinarySubtype::Generic,
            1 + number as usize % 5 * 7 + 1000 * number as usize,
        ),
        binary(BinarySubtype::Uuid, 16),
        ObjectId::from_bytes([byte; 12]).into(),
        DateTime::from_millis(long * 1_000_000_007 - 9_000_000_000).into(),
        Timestamp {
            time: number as u32 + 1,
            increment: 1,
        }
        .into(),
        Bson::JavaScriptCode(format!("f({number})")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_every_type_come_back_byte_for_byte_over_many_ranges() {
    let servers = Servers::start().await;
    let ids = (0..OF_EACH_TYPE).flat_map(of_every_type);
    let mut documents: Vec<RawDocumentBuf> = ids
        .map(|id| serialize_to_raw_document_buf(&doc! { "_id": id, "role": "train" }).unwrap())
        .collect();
    // One of each type, including those with few values.
    let samples = bson_samples::one_of_each_id_type().into_iter();
    let singular = samples.filter(|sample| {
        [
            "min key",
            "null",
            "bool",
            "pointer",
            "code with scope",
            "max key",
        ]
        .contains(&sample.name)
    });
    documents.extend(singular.map(|sample| sample.document));
    servers.insert("split_0_input", &documents).await;
    let source = servers.documents(&servers.database, "split_0_input").await;
    assert_eq!(source.len(), documents.len());

    for ranges in ["8", "100"] {
        let run = format!("ranges-{ranges}");
        let export = ["--run-id", &run, "--ranges", ranges];
        servers.run("lob-export", &export).await.with_status(0);
        let import = [&["--run-id", &run], &IMPORT[2..]].concat();
        servers.run("lob-import", &import).await.with_status(0);
        let back = servers.documents(&servers.database, "back_0").await;
        assert!(back == source, "{ranges} ranges");
        // Each range that has documents has its own data files.
        let manifest = servers.manifest(&run).await;
        let files = manifest["splits"][0]["files"].as_array().unwrap();
        assert!(files.len() > 4, "{} files of {ranges} ranges", files.len());
    }
    lob_testkit::fault_fired("F1");
}
