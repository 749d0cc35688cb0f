//! What the tools that read a connection string must never say: the password in it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::bed::Bed;
use crate::command_line::{finish, nowhere};

/// Runs with these arguments and this connection string, and looks for the password and for the
/// secret key in what is said. Everything that can be logged is logged.
///
/// # Panics
/// Where one of them is said, or the status is another.
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

/// No connection string is said, whatever is wrong with it, by a tool beside the MongoDB server of
/// the address `uri`.
///
/// # Panics
/// Where one is.
pub async fn assert_connection_strings_unsaid(bed: &Bed, uri: &str) {
    let host = host(uri);
    let nowhere = nowhere();
    for (uri, status) in [
        // The server of the testkit knows no log-in.
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

/// A password is not said that the server of the address `uri` refuses.
///
/// # Panics
/// Where it is.
pub async fn assert_wrong_password_unsaid(bed: &Bed, uri: &str) {
    let uri = format!("mongodb://user:opensesame-9@{}/", host(uri));
    assert_unsaid(bed, &uri, &[], 1).await;
}

/// A password that was typed is not said, beside the connection string `uri` of the environment.
///
/// # Panics
/// Where it is.
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

/// Who types a password is told who else can read it.
///
/// # Panics
/// Where nothing is told.
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

/// A password is not said that stands in a settings file which is broken, in or above the tool's
/// `section`.
///
/// # Panics
/// Where it is.
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
    uri.split('/').nth(2).unwrap()
}
