//! Names chosen by others are shown, but cannot affect a terminal or a reader that parses lines.

use lob_testkit::parquet_files::FeedSize;

use crate::bed::{Bed, Finished};

/// Clears the screen, reverses the text direction and starts lines of its own.
const FORGED: &str = "d\u{1b}[2J\u{9b}1m\u{202e}\nerror: forged\nhint: forged\r\nrun       forged";
const SHOWN: &str =
    "d\\u001b[2J\\u009b1m\\u202e\\nerror: forged\\nhint: forged\\r\\nrun       forged";

/// Asserts that the whole name is on one line and that no line holds anything invisible.
#[track_caller]
fn assert_shown_only(finished: &Finished) {
    let said = [&*finished.stdout, &*finished.stderr].concat();
    assert!(said.contains(SHOWN), "{said}");
    assert!(!said.contains("\u{202e}"), "{said}");
    let unseen = |c: char| c.is_control() && c != '\n';
    assert!(!said.contains(unseen), "{said:?}");
    let forged = |line: &&str| line.ends_with("forged") && !line.contains("\\n");
    assert_eq!(said.lines().find(forged), None, "{said}");
}

#[tokio::test]
async fn a_name_cannot_forge_a_line_of_output() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(10));
    bed.upload(&[]).await.expect(0);

    let restored = bed.run(&["restore", "run-1", FORGED]).await.expect(0);
    assert_shown_only(&restored);
    let json = bed.run(&["restore", "run-1", FORGED, "--json"]).await;
    assert_shown_only(&json);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["directory"], FORGED);

    std::fs::write(bed.path(FORGED).join("a.parquet"), "other").unwrap();
    let refused = bed.run(&["restore", "run-1", FORGED]).await.expect(1);
    assert_shown_only(&refused);

    for format in ["text", "json"] {
        let metrics = format!("{FORGED}/none/metrics");
        let format = ["--log-format", format, "--log-level", "warn"];
        let args = [
            &format[..],
            &["verify", "run-1", "--metrics-file", &metrics],
        ]
        .concat();
        assert_shown_only(&bed.run(&args).await.expect(0));
    }

    assert_shown_only(&bed.run(&["--part-size", FORGED]).await.expect(2));
    assert_shown_only(&bed.run(&["verify", "run-1", FORGED]).await.expect(2));
}
