//! `kill -9` at every request, before and after it is executed: a run is whole or does not exist.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lob_testkit::s3::{Moment, Request, Verdict};
use serde_json::Value;
use tokio::sync::mpsc::unbounded_channel;

use crate::bed::{Bed, finish, writes};

#[tokio::test]
async fn a_run_killed_at_any_request_is_whole_or_does_not_exist() {
    let undisturbed = Bed::new().await;
    undisturbed.feeds();
    undisturbed.upload(&[]).await.expect(0);
    let requests = undisturbed.operations().len();

    let mut published = 0;
    for position in 0..requests {
        for moment in [Moment::Arrived, Moment::Executed] {
            published += usize::from(killed_at(position, moment).await);
        }
    }
    // Only once the manifest was written, which is the last request.
    assert_eq!(published, 1);
}

/// Kills the process at a request; says whether the run exists then.
async fn killed_at(position: usize, at: Moment) -> bool {
    let (reached, mut reaches) = unbounded_channel();
    let count = Arc::new(AtomicUsize::new(0));
    let gate = move |moment: Moment, request: &Request| {
        // Requests are counted as they pass the moment that is looked at.
        if moment == at && count.fetch_add(1, Ordering::Relaxed) == position {
            reached.send(writes(request, "manifest.json")).unwrap();
            return Verdict::Hold;
        }
        Verdict::Pass
    };
    let bed = Bed::gated(gate).await;
    let feeds = bed.feeds();
    let mut child = bed.start(&[]);
    let at_manifest = reaches.recv().await.unwrap();
    child.start_kill().unwrap();
    finish(child).await;

    assert_eq!(bed.has_manifest(), at_manifest && at == Moment::Executed);
    if bed.has_manifest() {
        let manifest: Value = serde_json::from_slice(&bed.object("manifest.json").bytes).unwrap();
        assert_eq!(manifest["num_files"], feeds.len());
        for (name, bytes) in feeds {
            assert_eq!(bed.object(&name).bytes, bytes);
        }
    }
    bed.has_manifest()
}
