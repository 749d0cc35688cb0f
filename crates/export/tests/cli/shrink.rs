//! What happens if a split has lost most of its documents since the last run.

use bson::rawdoc;
use lob_testkit::split_documents::SplitDocuments;

use crate::bed::{BUCKET, Bed};
use crate::hints::{self, follow};

/// Replaces the contents of `split_0_input` with this many documents.
fn replace(bed: &Bed, count: usize) {
    bed.mongo
        .run(&rawdoc! { "drop": "split_0_input", "$db": "raw" });
    let documents = SplitDocuments::new(0, 4).take(count);
    bed.mongo.load("raw", "split_0_input", documents).unwrap();
}

fn is_published(bed: &Bed, run: &str) -> bool {
    let key = format!("processed-splits/{run}/manifest.json");
    bed.s3.object(BUCKET, &key).is_some()
}

#[tokio::test]
async fn only_the_hinted_command_publishes_a_split_that_lost_most_documents() {
    let bed = Bed::new().await;
    bed.run(&["--run-id", "before"]).await.expect(0);
    for (count, run, told, needed) in [
        (10, "few", "10 documents, run `before` has 30", "66.67%"),
        (0, "empty", "0 documents, run `few` has 10", "100%"),
    ] {
        replace(&bed, count);
        let refused = bed.run(&["--run-id", run]).await;
        let stderr = &refused.stderr;
        assert_eq!(refused.status.code(), Some(1), "{stderr}");
        assert!(!is_published(&bed, run));
        let told = format!("`split_0_input` would have {told}");
        assert!(stderr.contains(&told), "{stderr}");
        let command = follow(&["--run-id", run], &refused, "if this is intended");
        assert_eq!(command, ["--run-id", run, "--max-shrink", needed]);
        hints::run(&bed, &command).await.expect(0);
        assert!(is_published(&bed, run));
    }
}

#[tokio::test]
async fn a_separate_commit_guards_against_loss_too() {
    let bed = Bed::new().await;
    bed.run(&["--run-id", "before"]).await.expect(0);
    replace(&bed, 10);
    for step in ["plan", "work"] {
        bed.run(&[step, "--run-id", "after"]).await.expect(0);
    }
    let commit = ["commit", "--run-id", "after"];
    let refused = bed.run(&commit).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.shown());
    assert!(!is_published(&bed, "after"));
    bed.run(&[&commit[..], &["--max-shrink", "100%"]].concat())
        .await
        .expect(0);
    assert!(is_published(&bed, "after"));
}

#[tokio::test]
async fn a_small_loss_or_another_databases_run_does_not_stop_an_export() {
    let bed = Bed::new().await;
    bed.run(&["--run-id", "before", "--columns-from", "none"])
        .await
        .expect(0);
    replace(&bed, 24);
    bed.run(&["--run-id", "a-fifth-less"]).await.expect(0);
    let one = SplitDocuments::new(0, 4).take(1);
    bed.mongo.load("small", "split_0_input", one).unwrap();
    bed.run(&["--run-id", "other", "--database", "small"])
        .await
        .expect(0);
}

#[tokio::test]
async fn only_the_hinted_command_leaves_out_a_split_that_is_gone() {
    let bed = Bed::new().await;
    bed.run(&["--run-id", "before"]).await.expect(0);
    bed.mongo
        .run(&rawdoc! { "drop": "split_1_input", "$db": "raw" });
    // Naming splits explicitly means the others are not missed.
    bed.run(&["--run-id", "one", "--split", "0"])
        .await
        .expect(0);
    let args = ["--run-id", "after"];
    let refused = bed.run(&args).await;
    let told = "`split_1_input` would have 0 documents, run `before` has 20";
    assert!(refused.stderr.contains(told), "{}", refused.shown());
    assert!(!is_published(&bed, "after"));
    let command = follow(&args, &refused, "if this is intended");
    hints::run(&bed, &command).await.expect(0);
    // From then on, nothing is missed.
    bed.run(&["--run-id", "next"]).await.expect(0);
}
