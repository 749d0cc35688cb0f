//! Servers that lack something S3 has: a process still tells its own records from another's, and a
//! run is resumed.

use futures::future::join_all;
use lob_testkit::s3::{Checksums, Conditions, Moment, Operation, Request, Weaknesses};

use crate::bed::{Bed, SMALL};

#[tokio::test]
async fn an_export_killed_on_a_weaker_server_is_completed_too() {
    let weaknesses = [
        Weaknesses {
            conditions: Conditions::IgnoredOnComplete,
            ..Weaknesses::default()
        },
        Weaknesses {
            checksums: Checksums::Ignored,
            ..Weaknesses::default()
        },
        Weaknesses {
            checksums: Checksums::Ignored,
            random_etags: true,
            ..Weaknesses::default()
        },
    ];
    join_all(weaknesses.map(killed_and_completed)).await;
}

async fn killed_and_completed(weak: Weaknesses) {
    let whole = {
        let bed = Bed::weak(weak).await;
        bed.export(&SMALL).await.expect(0);
        bed.totals()
    };
    for (operation, nth) in [
        (Operation::PutObject, 5),
        (Operation::CompleteMultipartUpload, 3),
        (Operation::CompleteMultipartUpload, 6),
    ] {
        for moment in [Moment::Arrived, Moment::Executed] {
            let bed = Bed::weak(weak).await;
            let mut count = 0;
            let killed = bed.kill_at(&SMALL, move |at: Moment, request: &Request| {
                count += usize::from(at == moment && request.operation == operation);
                count == nth && at == moment
            });
            assert!(killed.await.is_some());
            bed.export(&SMALL).await.expect(0);
            assert_eq!(bed.totals(), whole, "{weak:?} {operation:?} {moment:?}");
        }
    }
}
