//! What manifests say is shown, but cannot affect a terminal or a reader that parses lines.

use serde_json::json;

use crate::bed::Bed;

const FORGED: &str = "x\u{1b}[2J\u{9d}\u{202e}\nerror: forged\nhint: forged";
const SHOWN: &str = "x\\u001b[2J\\u009d\\u202e\\nerror: forged\\nhint: forged";

#[tokio::test]
async fn a_manifest_cannot_forge_a_line_of_the_list_or_an_error() {
    let bed = Bed::new().await;
    let manifest = json!({ "format_version": 1, "tool": FORGED, "run_id": "run-1" }).to_string();
    bed.put_manifest("run-1", &manifest);
    for (args, status) in [
        (&["list"][..], 0),
        (&["list", "--json"], 0),
        (&["--run-id", "run-1"], 1),
        (&["--run-id", "run-1", "--json", "--log-format", "json"], 1),
    ] {
        let output = bed.run(args).await;
        let said = output.stdout + &output.stderr;
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains(SHOWN), "{args:?}: {said}");
        assert!(
            !said.contains(|c: char| c.is_control() && c != '\n'),
            "{said:?}"
        );
        assert!(
            !said
                .lines()
                .any(|line| line.ends_with(": forged") && !line.contains("\\n"))
        );
    }
    lob_testkit::fault_fired("G23");
}
