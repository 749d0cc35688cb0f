//! A cluster behind a mongos, as simulated by the test server.

use bson::rawdoc;
use lob_testkit::mongo::{Deployment, MongoOptions};

use crate::bed::{Bed, SMALL, assert_shown};

/// Two sharded splits; the documents in `twins` also exist on a second shard of the first split.
async fn sharded(twins: &[i32]) -> Bed {
    let mongo = MongoOptions {
        deployment: Deployment::Mongos,
        ..MongoOptions::default()
    };
    let bed = Bed::with(mongo).await;
    for split in ["split_0_input", "split_1_input"] {
        let documents = (0..50).map(|id| rawdoc! { "_id": id, "shard": 0 });
        bed.mongo.load("raw", split, documents).unwrap();
        bed.mongo.shard("raw", split, []).unwrap();
    }
    let twins = twins.iter().map(|id| rawdoc! { "_id": *id, "shard": 1 });
    bed.mongo.shard("raw", "split_0_input", twins).unwrap();
    bed
}

#[tokio::test]
async fn a_cluster_is_exported_like_a_replica_set() {
    let bed = sharded(&[]).await;
    bed.export(&SMALL).await.expect(0);
    let manifest = bed.manifest();
    assert_eq!(manifest["total_documents"], 100);
    let commands = bed.mongo.commands();
    let mut finds = commands.iter().filter(|command| command.name == "find");
    assert!(finds.all(|find| find.arguments.get_document("readConcern").is_ok()));
}

#[tokio::test]
async fn an_id_on_several_shards_is_refused_by_name() {
    let whole = sharded(&[24]).await;
    assert_shown!(whole.export(&[]).await, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-1` is not complete
      Caused by: failed to export `raw.split_0_input`
      Caused by: `raw.split_0_input` has documents with the same `_id`, 24, on several shards, which no unsharded collection can hold
    hint: the same command would fail again
    hint: give each of them an `_id` of its own, or choose other splits with --split
    ");
    whole.assert_nothing_published();
    let in_ranges = sharded(&[0, 16, 17, 49]).await;
    let output = in_ranges.export(&SMALL).await;
    assert_eq!(output.status.code(), Some(1));
    let named = "`raw.split_0_input` has documents with the same `_id`, ";
    assert!(output.stderr.contains(named), "{}", output.stderr);
    in_ranges.assert_nothing_published();
}
