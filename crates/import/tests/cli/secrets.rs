//! Passwords and keys never appear in any output, whatever goes wrong.

use lob_testkit::{left_behind, passwords};

use crate::bed::{BUCKET, Bed};

#[tokio::test]
async fn an_import_never_shows_the_password_of_its_connection_string() {
    let bed = Bed::new().await;
    passwords::assert_connection_strings_unsaid(&bed, &bed.mongo.uri()).await;
    assert_eq!(bed.collections(), [""; 0]);
}

#[tokio::test]
async fn an_import_never_shows_a_wrong_password() {
    let bed = Bed::locked().await;
    passwords::assert_wrong_password_unsaid(&bed, &bed.mongo.uri()).await;
}

#[tokio::test]
async fn an_import_never_shows_a_typed_password() {
    let bed = Bed::new().await;
    passwords::assert_typed_unsaid(&bed, &bed.mongo.uri()).await;
}

#[tokio::test]
async fn an_import_warns_that_others_can_see_a_typed_password() {
    let bed = Bed::new().await;
    passwords::assert_typed_is_told_to_be_seen(&bed).await;
}

#[tokio::test]
async fn an_import_never_shows_a_password_in_a_broken_settings_file() {
    let bed = Bed::new().await;
    passwords::assert_unsaid_in_broken_file(&bed, "import").await;
}

/// The server takes the AWS keys for a login, so that both servers are sent secrets.
#[tokio::test]
async fn an_import_that_logs_everything_never_shows_or_leaves_its_keys() {
    let bed = Bed::with_mongodb_aws().await;
    let before = bed.s3.keys(BUCKET).len();
    let everything = ["--log-level", "trace", "--metrics-file", "metrics.prom"];
    for format in ["text", "json"] {
        let run = ["--run-id", "run-1", "--log-format", format];
        let finished = bed.run(&[&run, &everything[..]].concat()).await.expect(0);
        assert!(finished.stderr.len() > 10_000, "{}", finished.stderr);
    }
    for command in [
        &["verify", "run-1"][..],
        &["list"],
        &["--run-id", "run-1", "--dry-run"],
    ] {
        bed.run(&[command, &everything[..]].concat())
            .await
            .expect(0);
    }
    assert_eq!(left_behind::assert_without_secrets(&bed), before + 1);
    bed.assert_imported();
    lob_testkit::fault_fired("H1");
    lob_testkit::fault_fired("H2");
}
