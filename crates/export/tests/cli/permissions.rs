//! A missing permission is reported before the first data file, whatever it is needed for.

use std::collections::BTreeSet;

use lob_testkit::s3::{Denied, Moment, Operation, Request, Role};

use crate::bed::{Bed, SMALL};

/// Every operation that an export, its resumption and its cleanup use.
async fn operations() -> BTreeSet<Operation> {
    let bed = Bed::new().await;
    for resumes in [true, false] {
        let sending = |moment: Moment, request: &Request| {
            let sends = request.operation == Operation::UploadPart;
            moment == Moment::Arrived && sends && request.key.ends_with("00001.parquet")
        };
        bed.kill_at(&SMALL, sending).await.unwrap();
        if resumes {
            bed.export(&SMALL).await.expect(0);
            bed.s3.keys("lob-test").iter().for_each(|key| {
                bed.s3.remove("lob-test", key);
            });
        }
    }
    bed.run(&["cleanup", "run-1", "--yes"]).await.expect(0);
    let requests = bed.s3.requests().into_iter();
    requests.map(|request| request.operation).collect()
}

#[tokio::test]
async fn a_missing_export_permission_is_noticed_before_the_first_data_file() {
    let mut operations = operations().await;
    // A client that may not read the bucket may still list it.
    assert!(operations.remove(&Operation::HeadBucket));
    assert_eq!(operations.len(), 10, "{operations:?}");
    let operations = operations.into_iter().map(Denied::Operation);
    for denied in operations.chain([Denied::ListBucket]) {
        let role = Role::default();
        role.set(Some(denied));
        let bed = Bed::gated(role.clone()).await;
        for _ in ["a new run", "the same again"] {
            let output = bed.export(&SMALL).await;
            assert_eq!(output.status.code(), Some(1), "{denied:?}");
            let told = &output.stderr;
            assert!(told.contains(denied.permission()), "{denied:?}: {told}");
            let requests = bed.s3.requests();
            let data = requests.iter().find(|r| r.key.ends_with(".parquet"));
            assert!(data.is_none(), "{denied:?}: {data:?}");
        }
        role.set(None);
        let output = bed.export(&SMALL).await;
        assert!(output.status.success(), "{denied:?}: {}", output.shown());
        assert_eq!(bed.s3.open_uploads("lob-test"), [], "{denied:?}");
    }
    lob_testkit::fault_fired("H7");
}
