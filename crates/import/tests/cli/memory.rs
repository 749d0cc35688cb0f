//! Memory is bounded by the settings, not by what is imported.

use bson::rawdoc;
use lob_testkit::peak_memory::assert_no_more_for_eight_times;

use crate::bed::{BUCKET, Bed, data_file, manifest, split_of};

/// Documents of a kilobyte in a data file, of one row group.
const OF_A_FILE: i32 = 1_000;

/// The peak of an import of this many data files.
async fn peak(files: i32) -> u64 {
    let bed = Bed::with(<_>::default()).await;
    let file = |number: i32| {
        let ids = number * OF_A_FILE..(number + 1) * OF_A_FILE;
        let documents: Vec<_> = ids
            .map(|id| rawdoc! { "_id": id, "s": format!("{id:01000}") })
            .collect();
        let file = data_file(
            format!("split_0.parquet/part-00000-{number:05}.parquet"),
            &documents,
        );
        let key = format!("processed-splits/run-1/{}", file.key);
        bed.s3.put_raw(BUCKET, &key, file.bytes.clone());
        file
    };
    let files: Vec<_> = (0..files).map(file).collect();
    let manifest = manifest("run-1", "2025-11-15T09:30:00Z", vec![split_of(0, &files)]);
    bed.put_manifest("run-1", &manifest.to_string());
    let import = [
        "--run-id",
        "run-1",
        "--insert-batch-size",
        "256KiB",
        "--jobs",
        "2",
    ];
    let measured = bed.measure(&import).await;
    let peak = measured.peak;
    measured.finished.expect(0);
    peak
}

#[tokio::test]
async fn an_import_of_eight_times_as_much_takes_no_more_memory() {
    assert_no_more_for_eight_times(peak(8).await, peak(64).await);
    lob_testkit::fault_fired("C7");
}
