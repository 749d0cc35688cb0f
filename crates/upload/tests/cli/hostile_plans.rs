//! Plans and manifests made to do harm to whoever resumes, verifies or lists an upload: each is
//! refused within little memory, and nothing is published.

use serde_json::Value;

use crate::bed::{BUCKET, Bed, RUN};

/// What a debug build takes besides what it reads.
const LITTLE: u64 = 64;
/// The large ones, in bytes.
const LARGE: usize = 16 << 20;
/// What these may take: the text, and what is read of entries of thirty bytes.
const WITH_LARGE: u64 = LITTLE + 5 * 16;

/// A planned run that was never sent.
async fn planned() -> (Bed, String) {
    let bed = Bed::new().await;
    bed.feeds();
    let first = bed.kill_at(&[], |_, request| request.key.ends_with(".parquet"));
    first.await.unwrap();
    let plan = bed.object("_progress/plan.json").bytes;
    (bed, String::from_utf8(plan.to_vec()).unwrap())
}

/// `text`, repeated to fill a large plan.
fn many(entry: &str) -> String {
    vec![entry; LARGE / (entry.len() + 1)].join(",")
}

/// Asserts that neither an upload nor a list is harmed by this plan.
async fn refused(bed: &Bed, what: &str, plan: impl Into<Vec<u8>>, most: u64) {
    bed.s3
        .put_raw(BUCKET, &format!("{RUN}/_progress/plan.json"), plan.into());
    let upload = ["--run-id", "run-1", "--log-level", "error"];
    let measured = bed.measure(&upload).await;
    measured.expect(1, most);
    bed.measure(&["list"]).await.expect(0, most);
    assert!(!bed.has_manifest(), "{what}");
}

#[tokio::test]
async fn a_plan_that_is_not_json_of_its_form_is_refused() {
    let (bed, plan) = planned().await;
    let utf16: Vec<_> = plan.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let levels = format!(r#""work":{}"#, "[".repeat(1_000_000));
    for (what, plan) in [
        ("nothing", Vec::new()),
        ("a byte order mark", format!("\u{feff}{plan}").into_bytes()),
        ("UTF-16", utf16),
        (
            "1e400",
            plan.replacen(r#""size_bytes":"#, r#""size_bytes":1e400,"x":"#, 1)
                .into_bytes(),
        ),
        (
            "below zero",
            plan.replacen(r#""size_bytes":"#, r#""size_bytes":-"#, 1)
                .into_bytes(),
        ),
        (
            "a member twice",
            plan.replacen('{', r#"{"tool":"lob-upload","#, 1)
                .into_bytes(),
        ),
        (
            "a million levels",
            plan.replacen(r#""work":{"#, &levels, 1).into_bytes(),
        ),
    ] {
        refused(&bed, what, plan, LITTLE).await;
    }
    lob_testkit::fault_fired("C10");
}

#[tokio::test]
async fn a_plan_that_names_files_outside_the_directory_sends_none_of_them() {
    let (bed, plan) = planned().await;
    std::fs::write(bed.path("secret.parquet"), "PAR1").unwrap();
    let path = bed.path("secret.parquet").display().to_string();
    for name in [
        "../secret.parquet",
        "2025/../../secret.parquet",
        path.as_str(),
    ] {
        let mut plan: Value = serde_json::from_str(&plan).unwrap();
        plan["work"]["files"][0]["relative_path"] = name.into();
        refused(&bed, name, plan.to_string(), LITTLE).await;
        let keys = bed.s3.keys(BUCKET);
        assert_eq!(keys, [format!("{RUN}/_progress/plan.json")], "{name}");
    }
    lob_testkit::fault_fired("C10");
}

#[tokio::test]
async fn millions_of_entries_in_a_plan_take_little_more_than_their_text() {
    let (bed, plan) = planned().await;
    for (what, from, to) in [
        (
            "files",
            r#""files":["#,
            format!(r#""files":[{},"#, many("{}")),
        ),
        ("small files", r#""files":["#, {
            let file =
                r#"{"relative_path":"","size_bytes":0,"modified_nanoseconds":0,"row_count":0}"#;
            format!(r#""files":[{},"#, many(file))
        }),
        ("failures", r#""failed":["#, {
            format!(
                r#""failed":[{}"#,
                many(r#"{"relative_path":"","error":""}"#)
            )
        }),
        ("unknown fields", "{", format!(r#"{{"x":[{}],"#, many("0"))),
    ] {
        let text = plan.replacen(from, &to, 1);
        assert!(text.len() > LARGE, "{what}");
        // One that can be read differs from the settings.
        let text = text.replacen(r#""hash":"sha256""#, r#""hash":"md5""#, 1);
        refused(&bed, what, text, WITH_LARGE).await;
    }
    lob_testkit::fault_fired("C10");
}

#[tokio::test]
async fn a_plan_beyond_the_size_limit_is_not_read() {
    let (bed, _) = planned().await;
    refused(&bed, "a plan", vec![b' '; (256 << 20) + 1], LITTLE).await;
    lob_testkit::fault_fired("C10");
}
