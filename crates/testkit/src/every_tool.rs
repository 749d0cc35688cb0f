//! What every tool answers alike: to a bad command line, to servers that it cannot use, to a stdout
//! that takes nothing, and to `verify`; and what its result consists of.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::assert_shown;
use crate::bed::{BUCKET, Bed};
use crate::command_line::{finish, nowhere};

/// Checks that a mistyped flag is a usage error that shows the `usage` of the one that was meant.
///
/// # Panics
/// If it is not.
pub async fn assert_mistyped_flag_refused(bed: &Bed, mistyped: &str, usage: &str) {
    let refused = bed.run(&[mistyped]).await.expect(2);
    let meant = usage.split(' ').nth(1).unwrap();
    let told = format!(
        "error: unexpected argument '{mistyped}' found\n\n  \
           tip: a similar argument exists: '{meant}'\n\n\
         Usage: {usage}\n\n\
         For more information, try '--help'.\n"
    );
    assert_eq!((&*refused.stdout, &*refused.stderr), ("", &*told));
}

/// Checks that a run id with a slash is a usage error.
///
/// # Panics
/// If it is not.
pub async fn assert_slash_refused(bed: &Bed) {
    assert_shown!(bed.run(&["--run-id", "a/b"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'a/b' for '--run-id <NAME>': `a/b` is not a run id: 1 to 128 letters, digits, `.`, `_` or `-`, the first a letter or a digit

    For more information, try '--help'.
    "#);
}

/// Checks that a command with these arguments asks for a bucket if no setting names one.
///
/// # Panics
/// If it does not.
pub async fn assert_bucket_demanded(bed: &Bed, args: &[&str]) {
    let refused = bed.run_without(args, &["LOB_BUCKET"]).await.expect(2);
    let told = "error: no bucket is set\nhint: set --bucket or LOB_BUCKET\n";
    assert_eq!((&*refused.stdout, &*refused.stderr), ("", told));
}

/// Checks that a bucket that does not exist is named.
///
/// # Panics
/// If it is not.
pub async fn assert_missing_bucket_named(bed: &Bed) {
    assert_shown!(finish(bed.start(&["--bucket", "missing"])).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: HeadBucket of `s3://missing/` failed: NotFound (404) [request id [ID]]
        `bucket`: flag `--bucket`
        `endpoint_url`: environment variable `AWS_ENDPOINT_URL`
    hint: check --bucket, --endpoint-url and --region
    "#);
}

/// Checks that a wrong secret key is told from a missing permission.
///
/// # Panics
/// If it is not.
pub async fn assert_wrong_keys_named(bed: &Bed) {
    let wrong = [("AWS_SECRET_ACCESS_KEY", "not-the-secret-key")];
    assert_shown!(bed.run_with(&["--run-id", "run-1"], &wrong).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: ListObjectsV2 of `s3://lob-test/` failed: SignatureDoesNotMatch (403): The request signature we calculated does not match the signature you provided. Check your key and signing method. [request id [ID]]
    hint: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or --profile
    "#);
}

/// Checks that an S3 server that is down is named.
///
/// # Panics
/// If it is not.
pub async fn assert_s3_down_named(bed: &Bed) {
    let endpoint = format!("http://{}", nowhere());
    assert_shown!(finish(bed.start(&["--endpoint-url", &endpoint])).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: HeadBucket of `s3://lob-test/` failed: no connection
        `endpoint_url`: flag `--endpoint-url`
      Caused by: tcp connect error
      Caused by: Connection refused (os error 111)
    hint: check that the server is running and that --endpoint-url or AWS_ENDPOINT_URL, or without one --region, is right
    "#);
}

/// Checks that a MongoDB server that is down is named.
///
/// # Panics
/// If it is not.
pub async fn assert_mongodb_down_named(bed: &Bed) {
    let uri = format!("mongodb://{}/", nowhere());
    let args = [
        "--run-id",
        "run-1",
        "--mongodb-server-selection-timeout",
        "1s",
    ];
    assert_shown!(bed.run_with(&args, &[("MONGODB_URI", &uri)]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: no usable MongoDB server at [SERVER]
        `mongodb_uri`: environment variable `MONGODB_URI`
      Caused by: [SERVER]: Connection refused (os error 111)
    hint: check that the server is running and that MONGODB_URI or --mongodb-uri is right; --mongodb-server-selection-timeout sets how long to wait
    "#);
}

/// Checks that a MongoDB server that requires other credentials than the tool has is named.
///
/// # Panics
/// If it is not.
pub async fn assert_credentials_refused(bed: &Bed) {
    assert_shown!(finish(bed.start(&[])).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: MongoDB at [SERVER] rejected the credentials
        `mongodb_uri`: environment variable `MONGODB_URI`
      Caused by: command listCollections requires authentication
    hint: check user name, password and `authSource` in MONGODB_URI or --mongodb-uri
    "#);
}

/// Two kinds of stdout that accept nothing: a full disk, and a pipe that nobody reads.
///
/// # Panics
/// If this machine has neither.
pub fn unwritable() -> [Stdio; 2] {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (_, unread) = std::io::pipe().unwrap();
    [full.into(), unread.into()]
}

/// Checks that run `run-1` succeeds and logs its result if `stdout` does not take it.
///
/// # Panics
/// If it fails, or does not log its result.
pub async fn assert_result_logged(bed: &Bed, args: &[&str], stdout: Stdio) {
    let mut command = bed.command(&[&["--run-id", "run-1"], args].concat());
    let child = command.stdout(stdout).spawn().unwrap();
    let stderr = finish(child).await.expect(0).stderr;
    for told in [
        "WARN done, but the result cannot be written to stdout",
        r#""run_id":"run-1""#,
    ] {
        assert!(stderr.contains(told), "{stderr}");
    }
}

/// Checks that the result in JSON has the members that every tool's has, and besides exactly `own`.
///
/// # Panics
/// If it has not.
#[track_caller]
pub fn assert_members(result: &Value, own: &[&str]) {
    let of_all = [
        "bytes",
        "files",
        "local_copy",
        "manifest",
        "metrics",
        "mib_per_second",
        "moved_bytes",
        "retries",
        "run_id",
        "seconds",
    ];
    let mut expected = [&of_all[..], own].concat();
    expected.sort_unstable();
    assert_eq!(members(result), expected);
}

/// The names of the members of a JSON object, in their order.
///
/// # Panics
/// If it is none.
pub fn members(object: &Value) -> Vec<&str> {
    let members = object.as_object().unwrap();
    members.keys().map(String::as_str).collect()
}

/// Checks that a full verification of `run-1` finds as many data files, of as many bytes in all, and
/// returns the result.
///
/// # Panics
/// If it finds others, or fails.
pub async fn assert_verified(bed: &Bed, files: usize, bytes: usize) -> Value {
    let finished = bed.run(&["verify", "run-1", "--full", "--json"]).await;
    let result: Value = serde_json::from_str(&finished.expect(0).stdout).unwrap();
    for (field, value) in [
        ("run_id", json!("run-1")),
        ("files", json!(files)),
        ("bytes", json!(bytes)),
        ("full", json!(true)),
        ("verified", json!(true)),
    ] {
        assert_eq!(result[field], value, "{field}");
    }
    result
}

/// Checks that a flipped bit of a data file of `run-1` is found by a full verification, and only by
/// one.
///
/// # Panics
/// If it is not.
pub async fn assert_flipped_bit_found(bed: &Bed, key: &str, bit: usize) {
    assert!(bed.s3.corrupt(BUCKET, key, bit));
    bed.run(&["verify", "run-1"]).await.expect(0);
    let args = ["--log-level", "error", "verify", "run-1", "--full"];
    let found = bed.run(&args).await.expect(3);
    let told = format!(
        "error: run `run-1` does not match its manifest:\n    \
           `s3://{BUCKET}/{key}` has the wrong SHA-256, after 4 downloads\n"
    );
    assert_eq!((&*found.stdout, &*found.stderr), ("", &*told));
}
