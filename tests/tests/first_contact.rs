//! A server that accepts connections and never answers is reported quickly by every tool, with a
//! hint that is true.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::time::{Duration, Instant};

use bson::rawdoc;
use futures::future::join_all;
use lob_tests::servers::{Gates, Servers};
use lob_tests::tool::Ended;

#[tokio::test]
async fn a_server_that_accepts_and_never_answers_is_reported_within_30_seconds() {
    let servers = Servers::doubles(Gates::default()).await;
    servers
        .insert("split_0_input", &[rawdoc! { "_id": 1 }])
        .await;
    let export = ["--run-id", "run-1"];
    servers.run("lob-export", &export).await.with_status(0);

    // The kernel accepts connections that no program takes.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    let s3 = ("AWS_ENDPOINT_URL", format!("http://{silent}"));
    let tls = ("AWS_ENDPOINT_URL", format!("https://{silent}"));
    let mongodb = ("MONGODB_URI", format!("mongodb://{silent}/"));
    // The driver does not check this one before using it.
    let balanced = (
        "MONGODB_URI",
        format!("mongodb://{silent}/?loadBalanced=true"),
    );
    let cases = [
        ("lob-upload", &["verify", "run-1"][..], &s3),
        ("lob-export", &[], &s3),
        ("lob-upload", &["verify", "run-1"][..], &tls),
        ("lob-import", &export, &s3),
        ("lob-export", &[], &mongodb),
        ("lob-import", &export, &mongodb),
        ("lob-export", &[], &balanced),
    ];
    let begin = Instant::now();
    let ended = join_all(cases.map(async |(tool, args, (variable, value))| {
        let output = servers.tool(tool, args).env(variable, value).output();
        (Ended::from(output.await.unwrap()), begin.elapsed())
    }));
    for ((tool, _, (variable, _)), (ended, time)) in cases.into_iter().zip(ended.await) {
        assert!(
            time < Duration::from_secs(30),
            "{tool}, {variable}: {time:?}"
        );
        let told = ended.with_status(1).stderr;
        let option = match *variable {
            "MONGODB_URI" => "--mongodb-uri",
            _ => "--endpoint-url",
        };
        assert!(told.contains(option), "{tool}, {variable}: {told}");
        assert!(!told.contains("--part-size"), "{tool}, {variable}: {told}");
    }
}
