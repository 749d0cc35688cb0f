//! Plans and records made to do harm to whoever resumes an export: each is refused within little
//! memory, and nothing is published.

use lob_testkit::s3::Operation;
use serde_json::Value;

use crate::bed::{BUCKET, Bed, RUN, SMALL, arrives};

const PLAN: &str = "_progress/plan.json";
const RECORD: &str = "_progress/split_0/00000-00000.json";
/// What a debug build takes besides what it reads.
const LITTLE: u64 = 96;
/// The large ones, in bytes.
const LARGE: usize = 16 << 20;
/// What these may take: the text, and what is read of it.
const WITH_LARGE: u64 = LITTLE + 3 * 16;

/// A run whose first data file has its record, and whose second was never sent.
async fn begun() -> Bed {
    let bed = Bed::new().await;
    let second = "split_0.parquet/part-00000-00001.parquet";
    let sending = arrives(Operation::UploadPart, second);
    bed.kill_at(&SMALL, sending).await.unwrap();
    bed
}

fn text(bed: &Bed, name: &str) -> String {
    String::from_utf8(bed.object(name).bytes.to_vec()).unwrap()
}

/// `honest` with many more of these entries in one of its lists, or in a field that nobody knows.
fn grown(honest: &str, list: Option<&str>, entry: &str) -> String {
    let entries = vec![entry; LARGE / (entry.len() + 1)].join(",");
    let grown = match list {
        Some(list) => {
            let begin = format!("\"{list}\":[");
            honest.replacen(&begin, &format!("{begin}{entries},"), 1)
        }
        None => honest.replacen('{', &format!(r#"{{"x":[{entries}],"#), 1),
    };
    assert!(grown.len() > LARGE, "{list:?}");
    grown
}

/// Asserts that an export with this text in place of an object is refused, and puts it back.
async fn refused(
    bed: &Bed,
    what: &str,
    name: &str,
    status: i32,
    text: impl Into<Vec<u8>>,
    most: u64,
) {
    let key = format!("{RUN}/{name}");
    let honest = bed.object(name).bytes;
    bed.s3.put_raw(BUCKET, &key, text.into());
    let export = [&["--run-id", "run-1", "--log-level", "error"], &SMALL[..]].concat();
    let measured = bed.measure(&export).await;
    let ended = measured.finished.status.code();
    assert_eq!(ended, Some(status), "{what}: {}", measured.finished.shown());
    measured.expect(status, most);
    bed.assert_no_manifest();
    bed.s3.put_raw(BUCKET, &key, honest);
}

/// What is wrong in the form of JSON, made of an honest text.
fn forms(honest: &str) -> Vec<(&'static str, Vec<u8>)> {
    let utf16 = honest.encode_utf16().flat_map(u16::to_le_bytes);
    vec![
        ("nothing", Vec::new()),
        ("half of it", honest.as_bytes()[..honest.len() / 2].to_vec()),
        (
            "a byte order mark",
            format!("\u{feff}{honest}").into_bytes(),
        ),
        ("UTF-16", utf16.collect()),
        ("a million levels", "[".repeat(1_000_000).into_bytes()),
        (
            "a member twice",
            honest
                .replacen('{', r#"{"format_version":2,"#, 1)
                .into_bytes(),
        ),
        (
            "another version",
            honest
                .replacen(": 2,", ": 3,", 1)
                .replacen(":2,", ":3,", 1)
                .into_bytes(),
        ),
    ]
}

#[tokio::test]
async fn a_plan_or_record_that_is_not_json_of_its_form_is_refused() {
    let bed = begun().await;
    for (name, status) in [(PLAN, 1), (RECORD, 3)] {
        for (what, text) in forms(&text(&bed, name)) {
            refused(&bed, what, name, status, text, LITTLE).await;
        }
    }
    bed.export(&SMALL).await.expect(0);
    lob_testkit::fault_fired("C10");
}

#[tokio::test]
async fn a_record_that_lies_about_its_place_or_documents_is_refused() {
    let bed = begun().await;
    let honest: Value = serde_json::from_str(&text(&bed, RECORD)).unwrap();
    for (place, status, lie) in [
        ("/split_id", 3, 1.into()),
        ("/range", 3, 1.into()),
        ("/sequence", 3, 7.into()),
        ("/after", 3, honest["last"].clone()),
        ("/last", 3, Value::Null),
        ("/descriptions/0/size_bytes", 1, 1.into()),
        ("/descriptions/0/sha256", 3, "0".repeat(63).into()),
        ("/descriptions/0/crc64nvme", 1, "AAAAAAAAAAA=".into()),
        ("/descriptions/0/statistics/num_documents", 3, (-1).into()),
    ] {
        let mut lying = honest.clone();
        *lying
            .pointer_mut(place)
            .unwrap_or_else(|| panic!("{place}: {honest:#}")) = lie;
        refused(&bed, place, RECORD, status, lying.to_string(), LITTLE).await;
    }
    lob_testkit::fault_fired("C10");
}

#[tokio::test]
async fn millions_of_entries_take_little_more_than_their_text() {
    let bed = begun().await;
    let plan = text(&bed, PLAN);
    for (list, entry) in [
        (Some("ranges"), r#"{"from":null,"to":null}"#),
        (Some("indexes"), r#""""#),
        (Some("splits"), "{}"),
        (None, "0"),
    ] {
        // One that can be read belongs to another run.
        let text = grown(&plan, list, entry).replacen(r#""run-1""#, r#""run-2""#, 1);
        let what = list.unwrap_or("unknown fields");
        refused(&bed, what, PLAN, 1, text, WITH_LARGE).await;
    }
    let record = serde_json::from_str::<Value>(&text(&bed, RECORD)).unwrap();
    let part = r#"{"number":1,"etag":"","size_bytes":0}"#;
    for (list, entry) in [
        (Some("parts"), part),
        (Some("descriptions"), "{}"),
        (None, "0"),
    ] {
        let text = grown(&record.to_string(), list, entry);
        let text = text.replacen(r#""split_id":0"#, r#""split_id":1"#, 1);
        let what = list.unwrap_or("unknown fields");
        refused(&bed, what, RECORD, 3, text, WITH_LARGE).await;
    }
    lob_testkit::fault_fired("C10");
}
