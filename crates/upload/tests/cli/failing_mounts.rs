//! A mount that fails while files on it are read, as a network file system does when its server
//! vanishes: the upload ends, and no file is left out as if it were its own fault.

use lob_testkit::preload::{FAULT, Preload, SystemFault};
use lob_testkit::s3::Operation;

use crate::bed::{Bed, finish};

#[tokio::test]
async fn a_mount_that_fails_ends_the_upload_and_is_blamed_on_no_file() {
    let Some(preload) = Preload::compile() else {
        lob_testkit::skipped("there is no C compiler");
        return;
    };
    // EIO and ESTALE, while footers are read for the plan and while the file is sent.
    for (errno, said) in [(5, "Input/output error"), (116, "Stale file handle")] {
        for (after, is_planned) in [(0, false), (5, true)] {
            for args in [&[][..], &["--allow-partial"]] {
                let bed = Bed::new().await;
                let feeds = bed.feeds();
                let fault = SystemFault {
                    call: "read",
                    errno,
                    after,
                    path: "lob_data/2025/big.parquet",
                    ..FAULT
                };
                let mut command = bed.command(&[&["--run-id", "run-1"], args].concat());
                command.envs(preload.environment(fault));
                let finished = finish(command.spawn().unwrap()).await.expect(1);
                assert!(preload.faults() > 0, "{}", finished.shown());
                assert!(finished.stderr.contains(said), "{}", finished.stderr);
                assert_eq!(bed.keys().is_empty(), !is_planned, "{:?}", bed.keys());
                assert!(!bed.has_manifest());
                // The mount is back, and what was sent is not sent again.
                bed.upload(args).await.expect(0);
                let aborted = bed.asked(Operation::AbortMultipartUpload, "2025/big.parquet", 0);
                assert_eq!(aborted.len(), 0);
                bed.assert_whole(&feeds);
            }
        }
    }
    lob_testkit::fault_fired("D7");
}
