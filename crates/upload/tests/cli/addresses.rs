//! Where requests go: the bucket however people write it, endpoints from any source, and path or
//! virtual-host style.

use lob_testkit::http_proxy::HttpProxy;
use lob_testkit::s3::{HomeRegion, Operation, S3Options};
use sha2::Digest as _;

use crate::bed::{BUCKET, Bed, finish};

/// No resolver knows it, so only its name decides the style.
const ENDPOINT: &str = "http://s3.nowhere.invalid:9000";

#[tokio::test]
async fn an_endpoint_of_the_aws_profile_gets_path_style() {
    for config in [
        format!("[profile lob]\nendpoint_url = {ENDPOINT}\n"),
        format!("[profile lob]\nservices = x\n[services x]\ns3 =\n  endpoint_url = {ENDPOINT}\n"),
    ] {
        let bed = Bed::new().await;
        let feeds = bed.feeds();
        std::fs::create_dir_all(bed.path(".aws")).unwrap();
        std::fs::write(bed.path(".aws/config"), config).unwrap();
        let server = bed.s3.endpoint();
        let proxy = HttpProxy::start("s3.nowhere.invalid:9000", &server, None).await;
        let proxy = proxy.unwrap();
        let mut command = bed.command(&["--run-id", "run-1", "--profile", "lob"]);
        command.env_remove("AWS_ENDPOINT_URL");
        command.env("HTTP_PROXY", format!("http://{}", proxy.address()));
        finish(command.spawn().unwrap()).await.expect(0);
        bed.assert_whole(&feeds);
    }
}

#[tokio::test]
async fn a_server_that_knows_only_virtual_hosts_works() {
    let bed = Bed::on(S3Options {
        domain: Some("s3.nowhere.invalid:9000".to_owned()),
        ..S3Options::default()
    })
    .await;
    let feeds = bed.feeds();
    let server = bed.s3.endpoint();
    let authority = format!("{BUCKET}.s3.nowhere.invalid:9000");
    let proxy = HttpProxy::start(&authority, &server, None).await.unwrap();
    let upload = async |style: &str| {
        let args = [
            "--run-id",
            "run-1",
            "--endpoint-url",
            ENDPOINT,
            "--path-style",
            style,
        ];
        let proxy = format!("http://{}", proxy.address());
        bed.run_with(&args, &[("HTTP_PROXY", &proxy)]).await
    };
    upload("auto").await.expect(1);
    upload("virtual").await.expect(0);
    bed.assert_whole(&feeds);
}

#[tokio::test]
async fn a_bucket_url_sets_the_prefix_too() {
    let bed = Bed::new().await;
    bed.feeds();
    let url = format!("s3://{BUCKET}/nightly/lob/");
    bed.upload(&["--bucket", &url]).await.expect(0);
    let key = "nightly/lob/run-1/manifest.json";
    assert!(bed.s3.object(BUCKET, key).is_some());
    let shown = bed.run(&["--bucket", &url, "--show-settings"]).await;
    assert!(
        shown.stdout.contains("prefix = \"nightly/lob\""),
        "{}",
        shown.stdout
    );

    let twice = ["--bucket", &url, "--prefix", "other"];
    let refused = bed.upload(&twice).await.expect(2);
    assert!(refused.stderr.contains("`other`"), "{}", refused.stderr);
}

#[tokio::test]
async fn an_impossible_bucket_or_endpoint_is_a_usage_error_before_any_request() {
    let bed = Bed::new().await;
    bed.feeds();
    for (flag, value) in [
        ("--bucket", "lob/"),
        ("--bucket", "s3://"),
        ("--bucket", "https://lob.s3.amazonaws.com"),
        ("--endpoint-url", "127.0.0.1:9000"),
        ("--endpoint-url", "user:opensesame@localhost:9000"),
        ("--endpoint-url", "http://user:open\nsesame@localhost:9000"),
        ("--bucket", "lo\nb"),
        ("--endpoint-url", "https://user:opensesame@localhost:9000"),
        ("--endpoint-url", "http://[fe80::1%eth0]:9000"),
        (
            "--bucket",
            "arn:aws:s3:eu-central-1:111122223333:accesspoint/lob",
        ),
        ("--region", "eu/central"),
        ("--expected-bucket-owner", "1111\n"),
        ("--storage-class", "STANDARD\r"),
    ] {
        let refused = bed.upload(&[flag, value]).await.expect(2);
        assert!(refused.stderr.contains(flag), "{}", refused.stderr);
        assert!(!refused.stderr.contains("opensesame"), "{}", refused.stderr);
    }
    assert_eq!(bed.operations(), []);
}

#[tokio::test]
async fn a_line_break_in_a_key_or_a_region_never_panics() {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    let keys = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ];
    for name in keys {
        for value in ["opensesame\n", "opensesame\r", "open\nsesame"] {
            let refused = bed.run_with(&[], &[(name, value)]).await;
            let stderr = refused.expect(2).stderr;
            assert!(stderr.contains(&format!("`{name}`")), "{stderr}");
            assert!(!stderr.contains("sesame"), "{stderr}");
        }
    }
    let given = |id: &str| {
        let key = bed.s3.secret_key();
        format!(r#"{{"Version":1,"AccessKeyId":"{id}","SecretAccessKey":"{key}"}}"#)
    };
    let from_process = async |id: &str| {
        std::fs::create_dir_all(bed.path(".aws")).unwrap();
        std::fs::write(bed.path("keys.json"), given(id)).unwrap();
        let profile = "[default]\ncredential_process = cat keys.json\n";
        std::fs::write(bed.path(".aws/config"), profile).unwrap();
        let mut command = bed.command(&["--run-id", "run-1"]);
        for name in keys {
            command.env_remove(name);
        }
        command.env("AWS_REGION", "eu-central-1\n");
        finish(command.spawn().unwrap()).await
    };
    let refused = from_process("opensesame\\n").await.expect(2).stderr;
    assert!(refused.contains("access key id"), "{refused}");
    assert!(!refused.contains("sesame"), "{refused}");
    assert_eq!(bed.operations(), []);
    from_process(bed.s3.access_key()).await.expect(0);
    bed.assert_whole(&feeds);
}

#[tokio::test]
async fn a_request_that_cannot_be_built_is_not_reported_as_a_server_outage() {
    let bed = Bed::new().await;
    bed.feeds();
    let args = ["--region", "eu_central"];
    let refused = bed.run_without(&args, &["AWS_ENDPOINT_URL"]).await;
    let refused = refused.expect(2).stderr;
    assert!(refused.contains("--region"), "{refused}");
    assert!(!refused.contains("server is running"), "{refused}");
}

#[tokio::test]
async fn quotes_from_an_env_file_are_stripped_from_addresses() {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    let endpoint = format!("'{}'\n", bed.s3.endpoint());
    let bucket = format!("\"{BUCKET}\"");
    let quoted = [("AWS_ENDPOINT_URL", &*endpoint), ("LOB_BUCKET", &bucket)];
    let finished = bed.run_with(&["--run-id", "run-1"], &quoted).await;
    finished.expect(0);
    bed.assert_whole(&feeds);
}

#[tokio::test]
async fn plain_http_to_another_machine_warns_once() {
    let warning = "data is sent and received unencrypted";
    let home = HomeRegion {
        name: "ap-south-2",
        refusal: ("PermanentRedirect", 301),
    };
    let bed = Bed::on(S3Options {
        region: Some(home),
        ..S3Options::default()
    })
    .await;
    bed.feeds();
    let server = bed.s3.endpoint();
    let proxy = HttpProxy::start("s3.nowhere.invalid:9000", &server, None).await;
    let proxy = proxy.unwrap();
    let proxy = format!("http://{}", proxy.address());
    let args = ["--run-id", "run-1", "--endpoint-url", ENDPOINT];
    let told = bed.run_with(&args, &[("HTTP_PROXY", &proxy)]).await;
    let told = told.expect(0).stderr;
    assert_eq!(told.matches(warning).count(), 1, "{told}");
    let near = bed.run(&["verify", "run-1"]).await.expect(0).stderr;
    assert!(!near.contains(warning), "{near}");
    lob_testkit::fault_fired("H6");
}

#[tokio::test]
async fn the_signature_of_plan_and_manifest_covers_their_bytes() {
    let bed = Bed::new().await;
    bed.feeds();
    bed.upload(&[]).await.expect(0);
    for name in ["_progress/plan.json", "manifest.json"] {
        let hash = hex::encode(sha2::Sha256::digest(&bed.object(name).bytes));
        let puts = bed.asked(Operation::PutObject, name, 0);
        assert!(!puts.is_empty());
        for put in puts {
            assert_eq!(
                put.header("x-amz-content-sha256"),
                Some(hash.as_str()),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn https_to_a_plain_http_port_is_named() {
    let bed = Bed::new().await;
    bed.feeds();
    let endpoint = bed.s3.endpoint().replace("http://", "https://");
    let finished = bed.upload(&["--endpoint-url", &endpoint]).await.expect(1);
    let told = "does not speak TLS";
    assert!(finished.stderr.contains(told), "{}", finished.stderr);
}

#[tokio::test]
async fn an_empty_variable_does_not_set_the_endpoint() {
    let bed = Bed::new().await;
    bed.feeds();
    let variables = [
        ("AWS_ENDPOINT_URL", ""),
        ("AWS_ENDPOINT_URL_S3", ""),
        ("HTTPS_PROXY", "http://127.0.0.1:9"),
    ];
    let failed = bed.run_with(&["--run-id", "run-1"], &variables).await;
    let failed = failed.expect(1);
    assert!(failed.stderr.contains("proxy"), "{}", failed.stderr);
    assert!(!failed.stderr.contains("endpoint ``"), "{}", failed.stderr);
}
