//! A missing permission is reported before the first data file, whatever it is needed for.

use std::collections::BTreeSet;
use std::sync::Arc;

use lob_testkit::fault_fired;
use lob_testkit::s3::{
    Conditions, Denied, Moment, Operation, Request, Role, S3Options, Weaknesses,
};

use crate::bed::Bed;

/// Every operation that an upload, its resumption and its cleanup use.
async fn operations() -> BTreeSet<Operation> {
    let bed = Bed::new().await;
    bed.feeds();
    for resumes in [true, false] {
        let sending = |moment: Moment, request: &Request| {
            moment == Moment::Arrived && request.part_number == Some(2)
        };
        bed.kill_at(&[], sending).await.unwrap();
        if resumes {
            bed.upload(&[]).await.expect(0);
            bed.s3.keys("lob-test").iter().for_each(|key| {
                bed.s3.remove("lob-test", key);
            });
        }
    }
    bed.run(&["cleanup", "run-1", "--yes"]).await.expect(0);
    bed.operations().into_iter().collect()
}

#[tokio::test]
async fn a_missing_upload_permission_is_noticed_before_the_first_data_file() {
    let mut operations = operations().await;
    // A client that may not read the bucket may still write to it.
    assert!(operations.remove(&Operation::HeadBucket));
    // It only looks for runs of the legacy scripts.
    assert!(operations.remove(&Operation::ListObjectsV2));
    assert_eq!(operations.len(), 9, "{operations:?}");
    let operations = operations.into_iter().map(Denied::Operation);
    let denials = operations.chain([Denied::ListBucket]);
    for (denied, conditions) in denials.flat_map(|denied| {
        // If conditions are ignored, the probe has no upload to abort.
        [Conditions::Kept, Conditions::Ignored].map(|conditions| (denied, conditions))
    }) {
        let role = Role::default();
        role.set(Some(denied));
        let bed = Bed::on(S3Options {
            gate: Some(Arc::new(role.clone())),
            weaknesses: Weaknesses {
                conditions,
                ..Weaknesses::default()
            },
            ..S3Options::default()
        });
        let bed = bed.await;
        let feeds = bed.feeds();
        for _ in ["a new run", "the same again"] {
            let finished = bed.upload(&[]).await.expect(1);
            let told = finished.stderr;
            assert!(told.contains(denied.permission()), "{denied:?}: {told}");
            let requests = bed.s3.requests();
            let data = requests.iter().find(|r| r.key.ends_with(".parquet"));
            assert!(data.is_none(), "{denied:?}: {data:?}");
        }
        role.set(None);
        bed.upload(&[]).await.expect(0);
        bed.assert_whole(&feeds);
    }
    fault_fired("A15");
    fault_fired("H7");
}
