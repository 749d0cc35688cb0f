//! What an undisturbed upload leaves behind, and what it asked of the server.

use crate::bed::{Bed, assert_shown};

#[tokio::test]
async fn the_summary_names_the_run_and_its_manifest() {
    let bed = Bed::new().await;
    bed.feeds();
    let finished = bed.run(&["--run-id", "run-1", "--concurrency", "1"]).await;
    assert_shown!(finished, @"");
    panic!("{:?}", bed.operations());
}
