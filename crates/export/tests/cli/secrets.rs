//! Passwords and keys are in no output, whatever goes wrong.

use lob_testkit::mongo::MongoOptions;

use crate::bed::{Bed, finish, nowhere};

/// Runs with these arguments and this connection string, and looks for the password in what is
/// said. Everything that can be logged is logged.
async fn assert_secret(bed: &Bed, uri: &str, args: &[&str], status: i32) {
    let args = [
        &[
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
        (format!("mongodb://user:opense\nsame-9@{host}/"), 2),
        (format!("\"mongodb://user:opensesame-9@{host}/"), 2),
        (format!("'mongodb://user:opensesame-9@{host}/'"), 1),
    ] {
        assert_secret(&bed, &uri, &[], status).await;
        assert_secret(&bed, &uri, &["--show-settings"], 0).await;
        assert_secret(&bed, &uri, &["--show-settings", "--json"], 0).await;
    }
    bed.assert_nothing_written();
}

#[tokio::test]
async fn a_wrong_password_is_said_nowhere() {
    let bed = Bed::with(MongoOptions {
        require_auth: true,
        ..MongoOptions::default()
    })
    .await;
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
async fn a_secret_that_is_a_number_or_a_word_of_a_result_changes_no_result_and_no_command() {
    let bed = Bed::new().await;
    for (secret, run) in [
        ("1000", "run-1000"),
        ("split", "split-1"),
        ("true", "true-1"),
    ] {
        let run_with = async |args: &[&str]| {
            let mut command = bed.command(args);
            // It is signed into each request, and the server has no use for it.
            let command = command.env("AWS_SESSION_TOKEN", secret);
            finish(command.spawn().unwrap()).await
        };
        let planned = run_with(&["plan", "--run-id", run, "--range-size", "1000", "--json"]).await;
        let plan: serde_json::Value = serde_json::from_str(&planned.stdout).unwrap();
        assert_eq!(plan["run_id"], run);
        assert_eq!(plan["splits"][0]["collection"], "split_0_input");

        let log = ["--log-format", "json", "--log-level", "debug"];
        let early = run_with(&[&["commit", "--run-id", run], &log[..]].concat()).await;
        let hint = format!("hint: `lob-export work --run-id {run}` exports them\n");
        assert!(early.stderr.ends_with(&hint), "{}", early.stderr);
        let logged = early.stderr.lines().filter(|line| line.starts_with('{'));
        for line in logged {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line["level"].is_string(), "{line}");
        }

        let settings = run_with(&["--show-settings", "--run-id", run]).await;
        let shown = &settings.stdout;
        assert!(shown.contains(&format!(" = \"{run}\" ")), "{shown}");
        let mut masked = shown.lines().filter(|line| line.contains("***"));
        assert!(
            masked.all(|line| line.starts_with("# mongodb_uri = ")),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_password_in_a_broken_settings_file_is_said_nowhere() {
    for text in [
        "mongodb_uri = 'mongodb://user:opensesame-9@h/\n",
        "mongodb_uri = mongodb://user:opensesame-9@h/\n",
        "[export]\nmongodb_uri = ['mongodb://user:opensesame-9@h/']\n",
        "[export]\nmongo_uri = 'mongodb://user:opensesame-9@h/'\n",
    ] {
        let bed = Bed::new().await;
        bed.write("lob.toml", text);
        assert_secret(&bed, "", &[], 2).await;
    }
}

#[tokio::test]
async fn an_export_finds_mongodb_by_the_file_of_its_connection_string() {
    let bed = Bed::new().await;
    bed.write("uri", &format!("{}\n", bed.mongo.uri()));
    let arguments = ["--mongodb-uri-file", "uri", "--run-id", "run-1"];
    let both = bed.run(&arguments).await;
    assert_eq!(both.status.code(), Some(2), "{both:?}");
    assert!(both.stderr.contains("so is a file that holds it"));
    bed.assert_nothing_written();
    let mut command = bed.command(&arguments);
    let command = command.env_remove("MONGODB_URI");
    finish(command.spawn().unwrap()).await.expect(0);
}
