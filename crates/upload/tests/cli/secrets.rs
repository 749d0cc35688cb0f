//! Passwords and keys never appear in any output, whatever goes wrong. Each of these commands logs
//! everything it can; [`finish`] searches the output for the canaries.

use lob_testkit::canaries::{PASSWORD, SECRET_KEY, SESSION_TOKEN};
use lob_testkit::left_behind;
use lob_testkit::parquet_files::FeedSize;
use tokio::process::Command;

use crate::bed::{Bed, Finished, finish};

async fn bed() -> Bed {
    with_file(Bed::new().await)
}

/// A bed whose server takes any session token.
async fn bed_for_tokens() -> Bed {
    with_file(Bed::on_double("session tokens that mean nothing").await)
}

fn with_file(bed: Bed) -> Bed {
    bed.feed("a.parquet", FeedSize::Rows(10));
    bed
}

/// An upload of `run-1`.
fn upload(bed: &Bed, args: &[&str]) -> Command {
    let common = [
        "--run-id",
        "run-1",
        "--log-level",
        "trace",
        "--retry-timeout",
        "100ms",
    ];
    bed.command(&[&common, args].concat())
}

async fn said(command: &mut Command, status: i32) -> Finished {
    finish(command.spawn().unwrap()).await.expect(status)
}

/// The server's address with a password in it.
fn with_password(bed: &Bed) -> String {
    let host = bed.s3.endpoint().replace("http://", "");
    format!("http://user:{PASSWORD}@{host}")
}

#[tokio::test]
async fn a_file_of_keys_that_is_not_utf_8_is_not_logged_byte_by_byte() {
    let bed = bed().await;
    // As PowerShell's `>` writes it.
    let keys = format!("\u{feff}[default]\naws_secret_access_key={SECRET_KEY}\n");
    let utf_16: Vec<u8> = keys.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(bed.path("credentials"), utf_16).unwrap();
    let bytes: Vec<_> = SECRET_KEY.bytes().take(4).map(|b| b.to_string()).collect();
    for filter in [
        "warn",
        "trace",
        "warn,aws_runtime::env_config::source=trace",
        "warn,[load_config_file]=trace",
    ] {
        let mut upload = bed.command(&["--log-level", filter]);
        upload.env("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let stderr = said(&mut upload, 0).await.stderr;
        assert!(
            stderr.contains("`credentials` is not UTF-8 text"),
            "{stderr}"
        );
        for separator in [", ", ", 0, "] {
            assert!(
                !stderr.contains(&bytes.join(separator)),
                "{filter}: {stderr}"
            );
        }
    }
}

#[tokio::test]
async fn an_upload_never_shows_its_keys() {
    let bed = bed_for_tokens().await;
    for args in [
        &[][..],
        &["--json"],
        &["--log-format", "json"],
        &["--progress", "json"],
    ] {
        said(&mut upload(&bed, args), 0).await;
    }
    said(upload(&bed, &[]).env("AWS_ACCESS_KEY_ID", "other"), 1).await;
    said(upload(&bed, &[]).env("AWS_SESSION_TOKEN", SECRET_KEY), 0).await;
    let wrong = format!("{SECRET_KEY}-2");
    said(upload(&bed, &[]).env("AWS_SECRET_ACCESS_KEY", wrong), 1).await;
    said(&mut upload(&bed, &["--part-size", SESSION_TOKEN]), 2).await;
}

#[tokio::test]
async fn an_upload_never_shows_the_keys_of_a_credentials_file() {
    let bed = bed_for_tokens().await;
    let key = bed.s3.access_key();
    let text = format!(
        "[default]\naws_access_key_id = {key}\naws_secret_access_key = {SECRET_KEY}\n\
         aws_session_token = {SESSION_TOKEN}\n"
    );
    std::fs::create_dir(bed.path(".aws")).unwrap();
    for (text, status) in [(text.as_str(), 0), (&text.replace("=", ""), 1)] {
        std::fs::write(bed.path(".aws/credentials"), text).unwrap();
        let mut command = upload(&bed, &[]);
        for variable in ["ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"] {
            command.env_remove(format!("AWS_{variable}"));
        }
        said(&mut command, status).await;
    }
}

#[tokio::test]
async fn an_upload_never_shows_the_password_of_an_endpoint() {
    let bed = bed().await;
    let url = with_password(&bed);
    std::fs::create_dir(bed.path(".aws")).unwrap();
    let profile = format!("[default]\nendpoint_url = {url}\n");
    let file = format!("endpoint_url = '{url}'\n");
    for args in [
        &[][..],
        &["--show-settings"],
        &["--show-settings", "--json"],
        &["--dry-run"],
    ] {
        let mut typed = upload(&bed, &["--endpoint-url", &url]);
        said(typed.args(args), 2).await;
        said(upload(&bed, args).env("AWS_ENDPOINT_URL", &url), 2).await;
        // The profile is read only when S3 is contacted.
        let of_profile = if args.is_empty() { 2 } else { 0 };
        for (name, text, status) in [
            ("lob.toml", &file, 2),
            (".aws/config", &profile, of_profile),
        ] {
            std::fs::write(bed.path(name), text).unwrap();
            let mut command = upload(&bed, args);
            said(command.env_remove("AWS_ENDPOINT_URL"), status).await;
            std::fs::remove_file(bed.path(name)).unwrap();
        }
    }
}

#[tokio::test]
async fn an_upload_never_shows_a_password_in_a_broken_settings_file() {
    let bed = bed().await;
    for text in [
        "endpoint_url = 'http://user:opensesame-9@h/\n",
        "endpoint_url = http://user:opensesame-9@h/\n",
        "[upload]\nendpoint_url = ['http://user:opensesame-9@h/']\n",
        "[upload]\nendpoint = 'http://user:opensesame-9@h/'\n",
    ] {
        std::fs::write(bed.path("lob.toml"), text).unwrap();
        let mut command = upload(&bed, &[]);
        said(command.env_remove("AWS_ENDPOINT_URL"), 2).await;
    }
}

#[tokio::test]
async fn nothing_that_an_upload_leaves_behind_holds_a_secret() {
    let bed = Bed::new().await;
    bed.feeds();
    let upload_twice = ["--metrics-file", "metrics.prom"];
    for status in [0, 0] {
        said(&mut upload(&bed, &upload_twice), status).await;
    }
    for command in ["verify", "cleanup", "list"] {
        let run = if command == "list" {
            None
        } else {
            Some("run-1")
        };
        let args = [command].into_iter().chain(run);
        let args: Vec<_> = args
            .chain([
                "--log-level",
                "trace",
                "--metrics-file",
                "m.json",
                "--metrics-format",
                "emf",
            ])
            .collect();
        bed.run(&args).await.expect(0);
    }
    // Three files, the plan and the manifest; its local copy, the metrics twice, and the sources.
    assert_eq!(left_behind::assert_without_secrets(&bed), 5 + 3 + 3);
    lob_testkit::fault_fired("H1");
    lob_testkit::fault_fired("H2");
}
