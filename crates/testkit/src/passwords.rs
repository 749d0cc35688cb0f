//! Checks that tools never print the password in a connection string.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::bed::Bed;
use crate::command_line::{finish, nowhere};

/// Runs with these arguments and this connection string at the most verbose log level, and checks
/// that neither the password nor the secret key is printed.
///
/// # Panics
/// If one of them is printed, or the exit status differs.
pub async fn assert_unsaid(bed: &Bed, uri: &str, args: &[&str], status: i32) {
    let common = [
        "--run-id",
        "run-1",
        "--log-level",
        "trace",
        "--mongodb-server-selection-timeout",
        "300ms",
    ];
    let mut command = bed.command(&[&common, args].concat());
    let child = command.env("MONGODB_URI", uri).spawn().unwrap();
    let finished = finish(child).await;
    let shown = finished.shown();
    assert_eq!(finished.status.code(), Some(status), "{uri}\n{shown}");
    for secret in ["opense", "same-9", bed.s3.secret_key()] {
        let line = shown.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{uri}: {secret}");
    }
}

/// Checks that no connection string is printed, however malformed, by a tool that works with the
/// MongoDB server at `uri`.
///
/// # Panics
/// If one is.
pub async fn assert_connection_strings_unsaid(bed: &Bed, uri: &str) {
    let host = host(uri);
    let nowhere = nowhere();
    for (uri, status) in [
        // No server here has this user.
        (format!("mongodb://user:opensesame-9@{host}/"), 1),
        (format!("mongodb://user:opensesame-9@{nowhere}/"), 1),
        (format!("mongodb://user:opense?same-9@{host}/"), 2),
        (format!("mongodb://user:opense/same-9@{host}/"), 2),
        (format!("mongodb://user:opense@same-9@{host}/"), 2),
        (format!("mongodb://user:opense%same-9@{host}/"), 2),
        (format!("mongodb://user:opense:same-9@{host}/"), 2),
        (format!("mongo://user:opensesame-9@{host}/"), 2),
        (format!("mongodb://user:opensesame-9@{host}/?authSource"), 2),
        (format!("mongodb://user:opensesame-9@{host}:99999/"), 2),
        ("user:opensesame-9".to_owned(), 2),
        (format!("mongodb://user:opense\nsame-9@{host}/"), 2),
        (format!("\"mongodb://user:opensesame-9@{host}/"), 2),
        (format!("'mongodb://user:opensesame-9@{host}/'"), 1),
    ] {
        assert_unsaid(bed, &uri, &[], status).await;
        assert_unsaid(bed, &uri, &["--show-settings"], 0).await;
        assert_unsaid(bed, &uri, &["--show-settings", "--json"], 0).await;
    }
}

/// Checks that a password that the MongoDB server at `uri` rejects is not printed.
///
/// # Panics
/// If it is.
pub async fn assert_wrong_password_unsaid(bed: &Bed, uri: &str) {
    let uri = format!("mongodb://user:opensesame-9@{}/", host(uri));
    assert_unsaid(bed, &uri, &[], 1).await;
}

/// Checks that a password on the command line is not printed when the environment holds the
/// connection string `uri`.
///
/// # Panics
/// If it is.
pub async fn assert_typed_unsaid(bed: &Bed, uri: &str) {
    let typed = [
        "--mongodb-uri",
        "mongodb://user:opensesame-9@nowhere.invalid/",
    ];
    assert_unsaid(bed, uri, &typed, 1).await;
    let wrong = [&typed[..], &["--split", "first"]].concat();
    assert_unsaid(bed, uri, &wrong, 2).await;
    let twice = [typed, typed].concat();
    assert_unsaid(bed, uri, &twice, 2).await;
}

/// Checks that a password on the command line gets a warning that others can read it.
///
/// # Panics
/// If there is no warning.
pub async fn assert_typed_is_told_to_be_seen(bed: &Bed) {
    let args = [
        "--mongodb-uri",
        "mongodb://user:opensesame-9@h/",
        "--show-settings",
    ];
    let stderr = bed.run(&args).await.stderr;
    let warning = "other users can read a password on the command line: set MONGODB_URI\n";
    assert!(stderr.ends_with(warning), "{stderr}");
}

/// Checks that a password in a broken settings file is not printed, whether it is inside the tool's
/// `section` or above it.
///
/// # Panics
/// If it is.
pub async fn assert_unsaid_in_broken_file(bed: &Bed, section: &str) {
    for text in [
        "mongodb_uri = 'mongodb://user:opensesame-9@h/\n",
        "mongodb_uri = mongodb://user:opensesame-9@h/\n",
        &format!("[{section}]\nmongodb_uri = ['mongodb://user:opensesame-9@h/']\n"),
        &format!("[{section}]\nmongo_uri = 'mongodb://user:opensesame-9@h/'\n"),
    ] {
        bed.write("lob.toml", text);
        assert_unsaid(bed, "", &[], 2).await;
    }
}

/// The host and port in a connection string.
fn host(uri: &str) -> &str {
    let place = uri.split('/').nth(2).unwrap();
    place.rsplit('@').next().unwrap()
}
