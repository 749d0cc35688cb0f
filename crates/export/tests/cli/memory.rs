//! Memory is bounded by the settings, not by what is exported.

use bson::rawdoc;
use lob_testkit::peak_memory::assert_no_more_for_eight_times;

use crate::bed::Bed;

/// The peak of an export of this many documents of a kilobyte.
async fn peak(documents: u32) -> u64 {
    let bed = Bed::with(<_>::default()).await;
    let text = |number: u32| format!("{number:01000}");
    let documents =
        (0..documents).map(|number| rawdoc! { "_id": number as i32, "s": text(number) });
    bed.mongo.load("raw", "split_0_input", documents).unwrap();
    // Several files, as what is known of a file's row groups stays until it ends.
    let small = [
        "--file-size",
        "4MiB",
        "--compression",
        "none",
        "--row-group-size",
        "256KiB",
        "--read-ahead",
        "256KiB",
        "--part-size",
        "5MiB",
        "--buffer-size",
        "10MiB",
    ];
    let measured = bed
        .measure(&[&["--run-id", "run-1"], &small[..]].concat())
        .await;
    let peak = measured.peak;
    measured.finished.expect(0);
    peak
}

#[tokio::test]
async fn an_export_of_eight_times_as_much_takes_no_more_memory() {
    assert_no_more_for_eight_times(peak(20_000).await, peak(160_000).await);
    lob_testkit::fault_fired("C7");
}
