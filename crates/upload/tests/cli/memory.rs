//! Memory is bounded by the settings, not by what is uploaded.

use lob_testkit::parquet_files::FeedSize;
use lob_testkit::peak_memory::assert_no_more_for_eight_times;

use crate::bed::Bed;

/// The peak of an upload of three files of this size.
async fn peak(mebibytes: u64) -> u64 {
    let bed = Bed::new().await;
    for name in ["1.parquet", "2.parquet", "3.parquet"] {
        bed.feed(name, FeedSize::Bytes(mebibytes << 20));
    }
    let upload = ["--run-id", "run-1", "--buffer-size", "10MiB"];
    let measured = bed.measure(&upload).await;
    let peak = measured.peak;
    measured.finished.expect(0);
    assert_eq!(bed.manifest()["num_successful"], 3);
    peak
}

#[tokio::test]
async fn an_upload_of_eight_times_as_much_takes_no_more_memory() {
    assert_no_more_for_eight_times(peak(8).await, peak(64).await);
    lob_testkit::fault_fired("C7");
}

#[tokio::test]
async fn an_upload_takes_its_buffer_and_little_else() {
    // A debug build takes 38 MiB for nothing.
    let peak = peak(8).await;
    assert!(peak < (38 + 2 * 10) << 20, "{} MiB", peak >> 20);
}
