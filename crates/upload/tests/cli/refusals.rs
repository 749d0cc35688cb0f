//! Bad input and unusable servers: the error is named, and nothing is published.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Command;

use lob_testkit::every_tool;
use lob_testkit::fault_fired;
use lob_testkit::parquet_files::FeedSize;

use crate::bed::{BUCKET, Bed, assert_shown};

/// A folder with one file.
async fn with_file() -> Bed {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(10));
    bed
}

#[tokio::test]
async fn a_run_of_the_legacy_scripts_is_not_written_into() {
    let bed = Bed::new().await;
    bed.feeds();
    let manifest = "lob-data/run-1/manifest.json/part-00000.json";
    bed.s3.put_raw(BUCKET, manifest, "{}");
    let stderr = bed.run(&["--run-id", "run-1"]).await.expect(1).stderr;
    assert!(stderr.contains("the legacy scripts wrote it"), "{stderr}");
    assert_eq!(bed.s3.keys(BUCKET), [manifest]);
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let bed = Bed::new().await;
    assert_shown!(bed.run(&["--source-dir", "nowhere"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: source directory `nowhere` cannot be read
      Caused by: No such file or directory (os error 2)
    "#);
    assert_eq!(bed.operations(), []);
}

#[tokio::test]
async fn an_empty_directory_is_named() {
    let bed = Bed::new().await;
    bed.source("nothing.txt");
    assert_shown!(bed.run(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: source directory `lob_data` holds no `*.parquet` file
    "#);
    assert_eq!(bed.operations(), []);
}

#[tokio::test]
async fn a_file_that_is_not_parquet_is_named_before_anything_is_sent() {
    let bed = with_file().await;
    std::fs::write(bed.source("b.parquet"), "time,price\n1,2\n").unwrap();
    assert_shown!(bed.run(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `lob_data/b.parquet` is not a whole Parquet file
      Caused by: it does not begin with `PAR1`
    "#);
    assert_eq!(bed.operations(), []);
    lob_testkit::fault_fired("D8");
}

#[tokio::test]
async fn a_truncated_parquet_file_is_named_before_anything_is_sent() {
    let bed = Bed::new().await;
    let bytes = bed.feed("a.parquet", FeedSize::Rows(10));
    std::fs::write(bed.source("a.parquet"), &bytes[..bytes.len() - 1]).unwrap();
    assert_shown!(bed.run(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `lob_data/a.parquet` is not a whole Parquet file
      Caused by: it does not end with `PAR1`; it is cut off or not Parquet
    "#);
    assert_eq!(bed.operations(), []);
}

#[tokio::test]
async fn a_pipe_in_the_source_directory_does_not_block() {
    let bed = with_file().await;
    let made = Command::new("mkfifo")
        .arg(bed.source("b.parquet"))
        .status()
        .unwrap();
    assert!(made.success());
    assert_shown!(bed.upload(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `lob_data/b.parquet` is neither a regular file nor a directory
    "#);
}

#[tokio::test]
async fn an_upload_names_a_missing_bucket() {
    let bed = with_file().await;
    every_tool::assert_missing_bucket_named(&bed).await;
    fault_fired("A20");
}

#[tokio::test]
async fn an_upload_tells_wrong_keys_from_missing_permissions() {
    let bed = with_file().await;
    every_tool::assert_wrong_keys_named(&bed).await;
    bed.assert_nothing_published();
    fault_fired("A18");
}

#[tokio::test]
async fn a_server_that_is_down_is_named_after_a_few_attempts() {
    let bed = with_file().await;
    every_tool::assert_s3_down_named(&bed).await;
    fault_fired("B1");
}

#[tokio::test]
async fn a_run_id_that_is_taken_is_refused_and_its_objects_stay() {
    let bed = with_file().await;
    bed.upload(&[]).await.expect(0);
    let before = (
        bed.keys(),
        bed.object("a.parquet"),
        bed.object("manifest.json"),
    );
    bed.feed("a.parquet", FeedSize::Rows(11));
    assert_shown!(bed.upload(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-1` is committed
      Caused by: it does not contain the current `a.parquet`
    hint: use another --run-id
    "#);
    assert_eq!(
        (
            bed.keys(),
            bed.object("a.parquet"),
            bed.object("manifest.json")
        ),
        before
    );
}

#[tokio::test]
async fn a_key_taken_by_another_process_fails_the_run() {
    let bed = Bed::new().await;
    for name in ["a.parquet", "b.parquet"] {
        bed.feed(name, FeedSize::Rows(10));
    }
    bed.s3
        .put_raw("lob-test", "lob-data/run-1/b.parquet", "another's");
    assert_shown!(bed.upload(&["--jobs", "1"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-1` is not complete
      Caused by: `lob_data/b.parquet` is not uploaded
      Caused by: PutObject of `s3://lob-test/lob-data/run-1/b.parquet` failed: PreconditionFailed (412): At least one of the pre-conditions you specified did not hold [request id [ID]]
    hint: `lob-upload cleanup run-1 --yes` aborts the uploads that it left open
    hint: another run or process wrote this object; use a new --run-id
    "#);
    bed.assert_nothing_published();
    assert_eq!(bed.object("b.parquet").bytes, "another's");
}

/// A server that answers every request with a 200 MB error.
fn talkative() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            std::thread::spawn(move || talk(connection.unwrap()));
        }
    });
    format!("http://{address}")
}

/// Answers the requests of a connection until the client disconnects.
fn talk(mut connection: std::net::TcpStream) -> std::io::Result<()> {
    const SIZE: usize = 200_000_000;
    let text = vec![b'x'; 1 << 20];
    let mut requests = BufReader::new(connection.try_clone()?);
    loop {
        let mut line = String::new();
        requests.read_line(&mut line)?;
        let is_head = line.starts_with("HEAD");
        while line != "\r\n" {
            line.clear();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        write!(
            connection,
            "HTTP/1.1 403 Forbidden\r\ncontent-length: {SIZE}\r\n\r\n"
        )?;
        let mut left = if is_head { 0 } else { SIZE };
        while left > 0 {
            let size = text.len().min(left);
            connection.write_all(&text[..size])?;
            left -= size;
        }
    }
}

#[tokio::test]
async fn a_huge_error_takes_up_neither_memory_nor_log_space() {
    let bed = with_file().await;
    let args = ["--endpoint-url", &talkative(), "--metrics-file", "metrics"];
    let failed = bed.upload(&args).await.expect(1);
    assert!(failed.stderr.len() < 100_000, "{}", failed.stderr.len());
    let peak = bed.peak_memory("metrics");
    assert!(peak < 100e6, "{peak}");
}
