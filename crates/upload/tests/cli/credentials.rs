//! Keys that expire during a run: those of a provider are renewed, and the run goes on.

use lob_testkit::fault_fired;
use lob_testkit::parquet_files::FeedSize;

use crate::bed::Bed;

/// Prints the keys with a token that counts the calls. It says that they expire in 20 s.
fn provider(bed: &Bed) -> String {
    let (key, secret) = (bed.s3.access_key(), bed.s3.secret_key());
    let calls = bed.path("calls").display().to_string();
    format!(
        "echo >> {calls}\n\
         expiry=$(date -u -d '+20 seconds' +%Y-%m-%dT%H:%M:%SZ)\n\
         echo '{{\"Version\": 1, \"AccessKeyId\": \"{key}\", \"SecretAccessKey\": \"{secret}\",'\n\
         echo \"\\\"SessionToken\\\": \\\"token-$(wc -l < {calls})\\\",\"\n\
         echo \"\\\"Expiration\\\": \\\"$expiry\\\"}}\"\n"
    )
}

#[tokio::test]
async fn a_run_goes_on_with_the_keys_that_a_provider_renews() {
    let bed = Bed::on_double("session tokens that mean nothing").await;
    // The tool asks for other keys 30 s after the first; this takes longer.
    // 45 files of 100 KB, at 100 KiB/s.
    let feeds: Vec<_> = (10..55)
        .map(|number| {
            let name = format!("{number}.parquet");
            let bytes = bed.feed(&name, FeedSize::Rows(1000));
            (name, bytes)
        })
        .collect();
    bed.write("provider.sh", &provider(&bed));
    std::fs::create_dir(bed.path(".aws")).unwrap();
    let script = bed.path("provider.sh").display().to_string();
    let config = format!("[default]\ncredential_process = /bin/sh {script}\n");
    bed.write(".aws/config", &config);
    let args = [
        "--run-id",
        "run-1",
        "--jobs",
        "1",
        "--max-bandwidth",
        "100KiB",
    ];
    let fixed = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ];
    bed.run_without(&args, &fixed).await.expect(0);
    bed.assert_whole(&feeds);
    let requests = bed.s3.requests();
    let tokens = requests.iter().map(|r| r.header("x-amz-security-token"));
    let mut tokens: Vec<_> = tokens.flatten().collect();
    tokens.dedup();
    // Each token replaces the one before it for good.
    assert!(tokens.len() >= 2, "{tokens:?}");
    let calls = (1..=tokens.len()).map(|call| format!("token-{call}"));
    assert_eq!(tokens, calls.collect::<Vec<_>>());
    fault_fired("A16");
}
