//! Which files are uploaded, as selected by flags, variables and the settings file.

use lob_testkit::parquet_files::FeedSize;

use crate::bed::{Bed, assert_shown};

async fn bed_with(names: &[&str]) -> Bed {
    let bed = Bed::new().await;
    for name in names {
        bed.feed(name, FeedSize::Rows(1));
    }
    bed
}

/// The data files of the run.
fn sent(bed: &Bed) -> Vec<String> {
    let mut keys = bed.keys();
    keys.retain(|key| key.ends_with(".parquet"));
    keys
}

#[tokio::test]
async fn included_files_are_uploaded_except_for_excluded_ones() {
    let bed = bed_with(&[
        "a.parquet",
        "b.parquet",
        "2025/a.parquet",
        "2025/old/a.parquet",
    ])
    .await;
    let patterns = [
        "--include",
        "a*",
        "--include",
        "2025/**",
        "--exclude",
        "**/old/*",
    ];
    bed.upload(&patterns).await.expect(0);
    assert_eq!(sent(&bed), ["2025/a.parquet", "a.parquet"]);
}

#[tokio::test]
async fn patterns_come_from_the_settings_file_and_from_variables() {
    let bed = bed_with(&[
        "bids-1.parquet",
        "asks-1.parquet",
        "trades-1.parquet",
        "x.parquet",
    ])
    .await;
    bed.write("lob.toml", "[upload]\nexclude = ['x*', 'trades*']\n");
    let include = [("LOB_INCLUDE", "{bids,trades}-*,x*")];
    let finished = bed.run_with(&["--run-id", "run-1"], &include).await;
    finished.expect(0);
    assert_eq!(sent(&bed), ["bids-1.parquet"]);
}

#[tokio::test]
async fn patterns_that_select_nothing_are_reported_with_the_number_of_files() {
    let bed = bed_with(&["a.parquet", "d/b.parquet"]).await;
    assert_shown!(bed.run(&["--include", "*.parq"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: source directory `lob_data` holds 2 `*.parquet` files, and --include and --exclude select none of them
    "#);
    assert_eq!(bed.operations(), []);
}

#[tokio::test]
async fn a_pattern_that_cannot_match_is_a_usage_error() {
    let bed = bed_with(&["a.parquet"]).await;
    assert_shown!(bed.run(&["--include", "{a,b"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the pattern `{a,b` cannot be used: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)
        `include`: flag `--include`
    "#);
    assert_shown!(bed.run(&["--exclude", "secret/"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the pattern `secret/` cannot be used: paths below the source directory have no empty, `.` or `..` name
        `exclude`: flag `--exclude`
    "#);
    assert_eq!(bed.operations(), []);
}
