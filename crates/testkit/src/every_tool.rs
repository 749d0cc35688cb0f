//! What every tool answers alike: to a bad command line, to servers that it cannot use, and to a
//! stdout that takes nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::process::Stdio;

use crate::assert_shown;
use crate::bed::Bed;
use crate::command_line::{finish, nowhere};

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
    error: ListObjectsV2 of `s3://lob-test/` failed: SignatureDoesNotMatch (403) [request id [ID]]
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
      Caused by: tcp connect error
      Caused by: Connection refused (os error 111)
    hint: check that the server is running and that --endpoint-url is right
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
