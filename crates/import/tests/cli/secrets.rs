//! Passwords and keys are in no output, whatever goes wrong.

use lob_testkit::mongo::MongoOptions;

use crate::bed::{Bed, finish, nowhere};

/// Runs with these arguments and this connection string, and looks for the password in what is
/// said. Everything that can be logged is logged.
async fn assert_secret(bed: &Bed, uri: &str, args: &[&str], status: i32) {
    let args = [
        &[
            "--run-id",
            "run-1",
            "--log-level",
            "trace",
            "--mongodb-server-selection-timeout",
            "300ms",
        ],
        args,
    ];
    let mut command = bed.command(&args.concat());
    let child = command.env("MONGODB_URI", uri).spawn().unwrap();
    let output = finish(child).await;
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    assert_eq!(
        output.status.code(),
        Some(status),
        "{uri}\n{stdout}\n{stderr}"
    );
    for secret in ["opense", "same-9", bed.s3.secret_key()] {
        assert!(!stdout.contains(secret), "{uri}: {secret} in {stdout}");
        let line = stderr.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{uri}: {secret}");
    }
}

#[tokio::test]
async fn a_password_in_the_connection_string_is_said_nowhere() {
    let bed = Bed::new().await;
    let host = bed.mongo.uri().split('/').nth(2).unwrap().to_owned();
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
    ] {
        assert_secret(&bed, &uri, &[], status).await;
        assert_secret(&bed, &uri, &["--show-settings"], 0).await;
        assert_secret(&bed, &uri, &["--show-settings", "--json"], 0).await;
    }
    assert_eq!(bed.collections(), [""; 0]);
}

#[tokio::test]
async fn a_wrong_password_is_said_nowhere() {
    let bed = Bed::with(MongoOptions {
        require_auth: true,
        ..MongoOptions::default()
    })
    .await;
    bed.publish("run-1", "2025-11-15T09:30:00Z");
    let host = bed.mongo.uri().split('/').nth(2).unwrap().to_owned();
    assert_secret(
        &bed,
        &format!("mongodb://user:opensesame-9@{host}/"),
        &[],
        1,
    )
    .await;
}

#[tokio::test]
async fn a_password_that_was_typed_is_said_nowhere() {
    let bed = Bed::new().await;
    let uri = "mongodb://user:opensesame-9@nowhere.invalid/";
    let typed = ["--mongodb-uri", uri];
    assert_secret(&bed, &bed.mongo.uri(), &typed, 1).await;
    let wrong = [&typed[..], &["--split", "first"]].concat();
    assert_secret(&bed, &bed.mongo.uri(), &wrong, 2).await;
    let twice = [typed, typed].concat();
    assert_secret(&bed, &bed.mongo.uri(), &twice, 2).await;
}

#[tokio::test]
async fn a_password_that_was_typed_is_told_to_be_seen_by_others() {
    let bed = Bed::new().await;
    let args = [
        "--mongodb-uri",
        "mongodb://user:opensesame-9@h/",
        "--show-settings",
    ];
    let output = bed.run(&args).await;
    let stderr = &output.stderr;
    let warning = "other users can read a password on the command line: set MONGODB_URI\n";
    assert!(stderr.ends_with(warning), "{stderr}");
}

#[tokio::test]
async fn a_password_in_a_broken_settings_file_is_said_nowhere() {
    for text in [
        "mongodb_uri = 'mongodb://user:opensesame-9@h/\n",
        "mongodb_uri = mongodb://user:opensesame-9@h/\n",
        "[import]\nmongodb_uri = ['mongodb://user:opensesame-9@h/']\n",
        "[import]\nmongo_uri = 'mongodb://user:opensesame-9@h/'\n",
    ] {
        let bed = Bed::new().await;
        bed.write("lob.toml", text);
        assert_secret(&bed, "", &[], 2).await;
    }
}
