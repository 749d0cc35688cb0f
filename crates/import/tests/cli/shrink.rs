//! What happens if a target would lose most of its documents.

use bson::rawdoc;

use crate::bed::Bed;
use crate::hints::{self, follow};

fn load(bed: &Bed, count: i32) {
    let documents = (0..count).map(|id| rawdoc! { "_id": id });
    bed.mongo.load("raw", "split_0_input", documents).unwrap();
}

#[tokio::test]
async fn only_the_hinted_command_replaces_a_target_with_far_fewer_documents() {
    let bed = Bed::new().await;
    load(&bed, 1000);
    let before = bed.mongo.documents("raw", "split_0_input");
    for args in [&["--run-id", "run-1"][..], &["--latest", "--keep-previous"]] {
        let refused = bed.run(args).await;
        let stderr = &refused.stderr;
        assert_eq!(refused.status.code(), Some(1), "{stderr}");
        let told = "`raw.split_0_input` would have 30 documents, and has 1000";
        assert!(stderr.contains(told), "{stderr}");
        assert_eq!(bed.mongo.documents("raw", "split_0_input"), before);
        assert_eq!(bed.collections(), ["split_0_input"]);
        assert_eq!(bed.fetched(), [""; 0]);
        assert!(!stderr.contains("will be"), "{stderr}");
    }
    let refused = bed.run(&["--latest"]).await;
    let command = follow(&["--latest"], &refused, "if this is intended");
    assert_eq!(
        command,
        ["--latest", "--run-id", "run-1", "--max-shrink", "97%"]
    );
    hints::run(&bed, &command).await.expect(0);
    bed.assert_imported();
}

#[tokio::test]
async fn a_target_that_loses_few_documents_is_replaced() {
    let bed = Bed::new().await;
    load(&bed, 37);
    bed.import(&[]).await.expect(0);
    bed.assert_imported();
}
