//! Bytes damaged in transit, data files that are damaged or missing, and what remains of the intact
//! splits.

use std::sync::Arc;

use lob_testkit::s3::{Moment, Operation, Verdict, first};

use crate::bed::{BUCKET, Bed, assert_shown};

const FIRST: &str = "split_0.parquet/part-00000-00001.parquet";
const LAST: &str = "split_1.parquet/part-00000-00001.parquet";

fn key(name: &str) -> String {
    format!("processed-splits/run-1/{name}")
}

/// A run whose data file `FIRST` is damaged in transit this many times.
async fn damaged_on_the_way(times: usize) -> Bed {
    let gate = first(times, Moment::Executed, Verdict::Damage, |request| {
        request.operation == Operation::GetObject && request.key.ends_with(FIRST)
    });
    let bed = Bed::with_gate(<_>::default(), Some(Arc::new(gate))).await;
    bed.publish("run-1", "2025-11-15T09:30:00Z");
    bed
}

fn times_fetched(bed: &Bed, name: &str) -> usize {
    bed.fetched().iter().filter(|key| *key == name).count()
}

#[tokio::test]
async fn a_data_file_damaged_in_transit_is_fetched_up_to_four_times() {
    let bed = damaged_on_the_way(3).await;
    bed.import(&[]).await.expect(0);
    assert_eq!(times_fetched(&bed, FIRST), 4);
    assert_eq!(bed.fetched().len(), 4 + 3);
    bed.assert_imported();
}

#[tokio::test]
async fn a_data_file_that_always_arrives_damaged_fails_as_damage() {
    let bed = damaged_on_the_way(4).await;
    let output = bed.import(&["--split", "0"]).await;
    assert_shown!(output, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: failed to import split 0 for `split_0_input`
      Caused by: `s3://lob-test/processed-splits/run-1/split_0.parquet/part-00000-00001.parquet` has the SHA-256 [HASH], the manifest says [HASH], after 4 downloads
    "#);
    assert_eq!(times_fetched(&bed, FIRST), 4);
    assert_eq!(bed.collections(), [""; 0]);
}

#[tokio::test]
async fn only_a_damaged_split_loses_its_staging() {
    let bed = Bed::new().await;
    bed.put_old();
    assert!(bed.s3.corrupt(BUCKET, &key(LAST), 1000));
    let damaged = bed.import(&[]).await.expect(3);
    let hint = "the same command with `--run-id run-1 --split 0` imports the other splits";
    assert!(damaged.stderr.contains(hint), "{}", damaged.stderr);
    bed.assert_given_up(1);
    bed.assert_target_untouched();
    let before = bed.fetched().len();

    // Follow the hint.
    let output = bed.import(&["--split", "0"]).await.expect(0);
    let kept = "not fetched again: 2 data files";
    assert!(output.stdout.contains(kept), "{}", output.stdout);
    assert_eq!(bed.fetched().len(), before);
    assert_eq!(bed.collections(), ["split_0_input"]);
}

#[tokio::test]
async fn every_data_file_is_checked_for_before_the_first_insert() {
    let bed = Bed::new().await;
    bed.put_old();
    assert!(bed.s3.remove(BUCKET, &key(FIRST)));
    bed.s3.put_raw(BUCKET, &key(LAST), "another's");
    assert_shown!(bed.import(&[]).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: run `run-1` does not match its manifest:
        `s3://lob-test/processed-splits/run-1/split_0.parquet/part-00000-00001.parquet` is missing, but the manifest lists it
        `s3://lob-test/processed-splits/run-1/split_1.parquet/part-00000-00001.parquet` has 9 bytes, the manifest says 3315
    "#);
    assert_eq!(bed.fetched(), [""; 0]);
    bed.assert_untouched();
}

#[tokio::test]
async fn a_complete_split_is_kept_if_another_lacks_a_data_file() {
    let bed = Bed::new().await;
    assert!(bed.s3.remove(BUCKET, &key(LAST)));
    let refused = bed.import(&[]).await;
    assert_eq!(refused.status.code(), Some(3), "{}", refused.stderr);
    bed.assert_given_up(1);
    bed.import(&["--split", "0"]).await.expect(0);
    assert_eq!(bed.collections(), ["split_0_input"]);
}
