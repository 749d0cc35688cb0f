//! Passwords and keys never appear in any output, whatever goes wrong.

use lob_testkit::{left_behind, passwords};

use crate::bed::Bed;

#[tokio::test]
async fn an_export_never_shows_the_password_of_its_connection_string() {
    let bed = Bed::new().await;
    passwords::assert_connection_strings_unsaid(&bed, &bed.mongo.uri()).await;
    bed.assert_nothing_written();
}

#[tokio::test]
async fn an_export_never_shows_a_wrong_password() {
    let bed = Bed::locked().await;
    passwords::assert_wrong_password_unsaid(&bed, &bed.mongo.uri()).await;
}

#[tokio::test]
async fn an_export_never_shows_a_typed_password() {
    let bed = Bed::new().await;
    passwords::assert_typed_unsaid(&bed, &bed.mongo.uri()).await;
}

#[tokio::test]
async fn an_export_warns_that_others_can_see_a_typed_password() {
    let bed = Bed::new().await;
    passwords::assert_typed_is_told_to_be_seen(&bed).await;
    lob_testkit::fault_fired("H3");
}

#[tokio::test]
async fn an_export_never_shows_a_password_in_a_broken_settings_file() {
    let bed = Bed::new().await;
    passwords::assert_unsaid_in_broken_file(&bed, "export").await;
}

#[tokio::test]
async fn a_secret_that_is_an_ordinary_word_or_number_alters_no_output() {
    let bed = Bed::on_double("session tokens that mean nothing").await;
    for (secret, run) in [
        ("1000", "run-1000"),
        ("split", "split-1"),
        ("true", "true-1"),
    ] {
        // It is signed into each request, and the server ignores it.
        let secret = [("AWS_SESSION_TOKEN", secret)];
        let answer = async |args: &[&str]| bed.run_with(args, &secret).await;
        let planned = answer(&["plan", "--run-id", run, "--range-size", "1000", "--json"]).await;
        let plan: serde_json::Value = serde_json::from_str(&planned.stdout).unwrap();
        assert_eq!(plan["run_id"], run);
        assert_eq!(plan["splits"][0]["collection"], "split_0_input");

        let log = ["--log-format", "json", "--log-level", "debug"];
        let early = answer(&[&["commit", "--run-id", run], &log[..]].concat()).await;
        // Connections that end meanwhile are logged after the report.
        let lines = early.stderr.lines();
        let (logged, told): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with('{'));
        let hint = format!("hint: `lob-export work --run-id {run}` exports them");
        assert_eq!(told.last(), Some(&hint.as_str()), "{}", early.stderr);
        for line in logged {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line["level"].is_string(), "{line}");
        }

        let settings = answer(&["--show-settings", "--run-id", run]).await;
        let shown = &settings.stdout;
        assert!(shown.contains(&format!(" = \"{run}\" ")), "{shown}");
        let mut masked = shown.lines().filter(|line| line.contains("***"));
        assert!(
            masked.all(|line| line.starts_with("# mongodb_uri = ")),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn an_export_reads_its_connection_string_from_a_file() {
    let bed = Bed::new().await;
    bed.write("uri", &format!("{}\n", bed.mongo.uri()));
    let arguments = ["--mongodb-uri-file", "uri", "--run-id", "run-1"];
    let both = bed.run(&arguments).await;
    assert_eq!(both.status.code(), Some(2), "{both:?}");
    assert!(both.stderr.contains("both the MongoDB URI and a file"));
    bed.assert_nothing_written();
    let alone = bed.run_without(&arguments, &["MONGODB_URI"]).await;
    alone.expect(0);
}

/// The server takes the AWS keys for a login, so that both servers are sent secrets.
#[tokio::test]
async fn an_export_that_logs_everything_never_shows_or_leaves_its_keys() {
    let bed = Bed::with_mongodb_aws().await;
    let everything = ["--log-level", "trace", "--metrics-file", "metrics.prom"];
    for format in ["text", "json"] {
        let run = ["--run-id", "run-1", "--log-format", format];
        let finished = bed.run(&[&run, &everything[..]].concat()).await.expect(0);
        assert!(finished.stderr.len() > 10_000, "{}", finished.stderr);
    }
    for command in [&["verify", "run-1"][..], &["list"], &["cleanup", "run-1"]] {
        bed.run(&[command, &everything[..]].concat())
            .await
            .expect(0);
    }
    // Two data files with their records, plan, manifest, its local copy and the metrics.
    assert_eq!(left_behind::assert_without_secrets(&bed), 8);
    lob_testkit::fault_fired("H1");
    lob_testkit::fault_fired("H2");
}
