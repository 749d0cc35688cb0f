//! Manifests made to do harm: each is refused as damage, within little memory, and neither the
//! target nor any object outside the run's folder is touched. A list of runs takes no more.

use lob_testkit::s3::Operation;
use serde_json::{Value, json};

use crate::bed::{BUCKET, Bed};

/// What a debug build takes, whatever the size of the manifest.
const LITTLE: u64 = 68;
/// The size of manifests of many entries, in bytes.
const LARGE: usize = 8 << 20;

/// A committed run whose manifest is replaced, and a target.
async fn bed() -> Bed {
    let bed = Bed::new().await;
    bed.put_old();
    bed
}

/// Asserts that an import of a manifest of these bytes is refused, and a list is not.
async fn refused(bed: &Bed, what: &str, manifest: impl Into<Vec<u8>>, most: u64) {
    ends(bed, what, manifest, most, 3).await;
}

/// The same, with this exit status.
async fn ends(bed: &Bed, what: &str, manifest: impl Into<Vec<u8>>, most: u64, status: i32) {
    let key = "processed-splits/run-1/manifest.json";
    bed.s3.put_raw(BUCKET, key, manifest.into());
    let import = ["--run-id", "run-1", "--log-level", "error"];
    let measured = bed.measure(&import).await;
    let finished = measured.expect(status, most);
    let told = &finished.stderr;
    assert!(!told.contains("panic"), "{what}: {told}");
    bed.assert_target_untouched();
    bed.measure(&["list"]).await.expect(0, most);
}

/// A manifest changed at one place.
fn changed(bed: &Bed, place: &str, value: Value) -> String {
    let mut manifest = bed.manifest();
    *manifest.pointer_mut(place).unwrap() = value;
    manifest.to_string()
}

/// The text of a manifest in which `from` is replaced by `to`, once.
fn replaced(bed: &Bed, from: &str, to: &str) -> String {
    let text = bed.manifest().to_string();
    assert!(text.contains(from), "{from}: {text}");
    text.replacen(from, to, 1)
}

#[tokio::test]
async fn no_name_of_a_data_file_leads_out_of_its_split() {
    let bed = bed().await;
    for name in [
        "split_0.parquet/../../run-2/split_0.parquet/a",
        "split_0.parquet/..",
        "split_0.parquet/%2e%2e/%2e%2e/run-2/split_0.parquet/a",
        "split_0.parquet/..%2f..%2frun-2",
        "split_0.parquet\\..\\..\\run-2",
        "split_0.parquet/..\\..\\run-2",
        "split_0.parquet/a\0b",
        "split_0.parquet/\u{1b}[2J",
        "split_0.parquet/\u{9b}2J",
        "split_0.parquet/a\nb",
        "split_0.parquet//a",
        "split_0.parquet/./a",
        "/split_0.parquet/a",
        "split_1.parquet/part-00000-00000.parquet",
        "SPLIT_0.PARQUET/part-00000-00000.parquet",
        "split_0.parquet/PART-00000-00000.PARQUET",
        "split_0.parquet/u\u{308}.parquet",
        "arn:aws:s3:::elsewhere/split_0.parquet/a",
        "s3://elsewhere/split_0.parquet/a",
        "file:///split_0.parquet/a",
        "http://127.0.0.1:1/split_0.parquet/a",
        &format!("split_0.parquet/{}", "x".repeat(2000)),
        "",
    ] {
        let from = bed.s3.requests().len();
        let manifest = changed(&bed, "/splits/0/files/0/key", name.into());
        let unchanged = bed.manifest();
        // S3 has no such object; MinIO refuses such a key.
        let status = match name.contains("/..\\") {
            true => bed.s3.either(3, 1),
            false => 3,
        };
        let shown = name.escape_debug().to_string();
        ends(&bed, &shown, manifest, LITTLE, status).await;
        bed.put_manifest("run-1", &unchanged.to_string());
        let requests = bed.s3.requests().split_off(from);
        let outside = requests.iter().find(|request| {
            request.operation != Operation::ListObjectsV2
                && !request.key.is_empty()
                && !request.key.starts_with("processed-splits/run-1/")
        });
        assert!(outside.is_none(), "{name}: {outside:?}");
        assert!(
            requests.iter().all(|request| request.bucket == BUCKET),
            "{name}"
        );
    }
    lob_testkit::fault_fired("G1");
}

#[tokio::test]
async fn what_a_manifest_lists_twice_is_damage() {
    let bed = bed().await;
    let honest = bed.manifest();
    let mut twice = honest.clone();
    let file = twice["splits"][0]["files"][0].clone();
    twice["splits"][0]["files"][1] = file;
    let mut split = honest.clone();
    split["splits"][1]["split_id"] = 0.into();
    let text = honest.to_string();
    for (what, manifest) in [
        ("a key", twice.to_string()),
        ("a split", split.to_string()),
        (
            "a member",
            text.replacen('{', r#"{"total_documents":50,"#, 1),
        ),
        (
            "a member of another value",
            text.replacen('{', r#"{"run_id":"run-2","#, 1),
        ),
        (
            "a member of a split",
            text.replacen(r#""split_id":0"#, r#""split_id":0,"split_id":1"#, 1),
        ),
        (
            "a member of a file",
            text.replacen(r#""rows":15"#, r#""rows":15,"rows":15"#, 1),
        ),
    ] {
        assert_ne!(manifest, text, "{what}");
        refused(&bed, what, manifest, LITTLE).await;
    }
    lob_testkit::fault_fired("G4");
    lob_testkit::fault_fired("G6");
}

#[tokio::test]
async fn what_is_not_json_in_utf_8_is_damage() {
    let bed = bed().await;
    let text = bed.manifest().to_string();
    let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    let with_bom = |bom: &[u8], rest: Vec<u8>| [bom, &rest].concat();
    for (what, manifest) in [
        ("nothing", Vec::new()),
        (
            "a byte order mark",
            with_bom(b"\xef\xbb\xbf", text.clone().into_bytes()),
        ),
        ("UTF-16", with_bom(b"\xff\xfe", utf16(u16::to_le_bytes))),
        (
            "UTF-16 of the other order",
            with_bom(b"\xfe\xff", utf16(u16::to_be_bytes)),
        ),
        (
            "a NUL before it",
            with_bom(b"\0", text.clone().into_bytes()),
        ),
        ("something after it", [text.as_bytes(), b"{}"].concat()),
        ("half of it", text.as_bytes()[..text.len() / 2].to_vec()),
        ("a name that is not UTF-8", {
            let text = text.replacen("part-00000-00000", "part-00000-0000\u{1}", 1);
            text.bytes()
                .map(|byte| if byte == 1 { 0xff } else { byte })
                .collect()
        }),
    ] {
        refused(&bed, what, manifest, LITTLE).await;
    }
    lob_testkit::fault_fired("G6");
}

#[tokio::test]
async fn numbers_that_no_run_has_are_damage() {
    let bed = bed().await;
    for number in [
        "1e400",
        "-1",
        "50.0",
        "5e1",
        "18446744073709551616",
        "\"50\"",
        "null",
        "NaN",
        "050",
    ] {
        let manifest = replaced(
            &bed,
            r#""total_documents":50"#,
            &format!(r#""total_documents":{number}"#),
        );
        let unchanged = bed.manifest().to_string();
        refused(&bed, number, manifest, LITTLE).await;
        bed.put_manifest("run-1", &unchanged);
    }
    let sizes = json!(u64::MAX);
    let manifest = changed(&bed, "/splits/0/files/0/size_bytes", sizes);
    refused(&bed, "a size of 2^64", manifest, LITTLE).await;
    lob_testkit::fault_fired("G6");
    lob_testkit::fault_fired("G7");
}

/// Each of these fills eight megabytes with entries of a few bytes.
#[tokio::test]
async fn millions_of_entries_take_no_more_memory_than_their_text() {
    let bed = bed().await;
    let many = |entry: &dyn Fn(usize) -> String| {
        let mut text = String::with_capacity(LARGE + 100);
        for number in 0.. {
            if text.len() > LARGE {
                return text;
            }
            if number > 0 {
                text.push(',');
            }
            text.push_str(&entry(number));
        }
        text
    };
    let zeros = many(&|_| "0".to_owned());
    let lists = many(&|_| "[[[[]]]]".to_owned());
    let empty = many(&|_| r#""""#.to_owned());
    let members = many(&|number| format!(r#""{number}":0"#));
    // Found once all of it is read.
    let lie = replaced(&bed, r#""total_documents":50"#, r#""total_documents":51"#);
    for (what, from, to) in [
        (
            "zeros in the settings",
            r#""settings":{}"#,
            format!(r#""settings":[{zeros}]"#),
        ),
        (
            "lists in the settings",
            r#""settings":{}"#,
            format!(r#""settings":[{lists}]"#),
        ),
        (
            "settings",
            r#""settings":{}"#,
            format!(r#""settings":{{{members}}}"#),
        ),
        ("unknown fields", "{", format!("{{{members},")),
        (
            "roles",
            r#""role_distribution":{"#,
            format!(r#""role_distribution":{{{members},"#),
        ),
        (
            "indexes",
            r#""digest""#,
            format!(r#""indexes":[{empty}],"digest""#),
        ),
        ("splits", r#""splits":["#, format!(r#""splits":[{zeros},"#)),
        (
            "files",
            r#""files":["#,
            format!(r#""files":[{},"#, many(&|_| "{}".to_owned())),
        ),
    ] {
        let manifest = lie.replacen(from, &to, 1);
        assert!(manifest.len() > LARGE, "{what}");
        refused(&bed, what, manifest, LITTLE).await;
    }
    lob_testkit::fault_fired("G6");
}

#[tokio::test]
async fn a_text_of_many_megabytes_and_a_million_levels_are_damage() {
    let bed = bed().await;
    let honest = replaced(&bed, r#""total_documents":50"#, r#""total_documents":51"#);
    let text = honest.replacen(
        r#""settings":{}"#,
        &format!(r#""settings":"{}""#, "x".repeat(65 << 20)),
        1,
    );
    refused(&bed, "a text", text, LITTLE).await;
    let levels = format!(
        r#""settings":{}{}"#,
        "[".repeat(1_000_000),
        "]".repeat(1_000_000)
    );
    let deep = honest.replacen(r#""settings":{}"#, &levels, 1);
    refused(&bed, "a million levels", deep, LITTLE).await;
    lob_testkit::fault_fired("G6");
}

#[tokio::test]
async fn an_index_made_to_do_harm_is_refused() {
    let bed = bed().await;
    let deep = |levels: usize| {
        let (open, close) = (r#"{"a":"#.repeat(levels), "}".repeat(levels));
        format!(r#"{{"key":{{"a":1}},"name":"a_1","partialFilterExpression":{open}1{close}}}"#)
    };
    for (what, status, index) in [
        ("5,000 levels", 1, deep(5000)),
        ("a hundred thousand levels", 1, deep(100_000)),
        (
            "a megabyte and more",
            3,
            format!(r#"{{"key":{{"{}":1}},"name":"a"}}"#, "a".repeat(1 << 20)),
        ),
        ("no JSON", 1, "{".to_owned()),
        (
            "a number that is none",
            1,
            r#"{"key":{"a":{"$numberInt":"x"}},"name":"a"}"#.to_owned(),
        ),
        (
            "bytes that are none",
            1,
            r#"{"key":{"a":{"$binary":"!"}},"name":"a"}"#.to_owned(),
        ),
    ] {
        let honest = bed.manifest();
        let mut manifest = honest.clone();
        manifest["splits"][0]["indexes"] = json!([index]);
        ends(&bed, what, manifest.to_string(), LITTLE, status).await;
        bed.put_manifest("run-1", &honest.to_string());
    }
    lob_testkit::fault_fired("G21");
}
