//! Rights on S3: MinIO's keys for exactly the documented policy, or for it without one action.

use aws_sdk_sts::config::Credentials;
use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
use lob_testkit::split_documents::SplitDocuments;
use lob_tests::servers::Servers;
use lob_tests::tool::Ended;
use serde_json::{Value, json};
use tempfile::TempDir;

const OPERATIONS: &str = include_str!("../../../docs/OPERATIONS.md");
/// What an import and `verify` need, as OPERATIONS says in a sentence.
const OF_READERS: [&str; 2] = ["s3:ListBucket", "s3:GetObject"];

/// The real servers, a collection to export, and a folder to upload.
struct Bed {
    servers: Servers,
    folder: TempDir,
}

impl Bed {
    /// `None` without real servers.
    async fn new() -> Option<Self> {
        let servers = Servers::start().await;
        if servers.doubles.is_some() {
            return None;
        }
        let documents: Vec<_> = SplitDocuments::new(7, 20).take(200).collect();
        servers.insert("split_0_input", &documents).await;
        let folder = TempDir::new().unwrap();
        for (name, size) in [("a", FeedSize::Bytes(6 << 20)), ("b", FeedSize::Rows(10))] {
            let feed = ParquetFeed {
                seed: 7,
                size,
                levels: 2,
            };
            feed.write(&folder.path().join(format!("{name}.parquet")))
                .unwrap();
        }
        Some(Self { servers, folder })
    }

    /// The policy of OPERATIONS, for this bed's bucket and this prefix.
    fn documented(&self, prefix: &str) -> Value {
        let block = OPERATIONS.split("```json\n").nth(1).unwrap();
        let block = block.split("```").next().unwrap();
        let bucket = format!("arn:aws:s3:::{}", self.servers.bucket);
        let block = block
            .replace(
                "arn:aws:s3:::lob/processed-splits",
                &format!("{bucket}/{prefix}"),
            )
            .replace("\"arn:aws:s3:::lob\"", &format!("\"{bucket}\""));
        assert!(
            block.contains(prefix) && !block.contains(":::lob\""),
            "{block}"
        );
        serde_json::from_str(&block).unwrap()
    }

    /// Keys that may do what this policy says.
    async fn keys(&self, policy: &Value) -> Credentials {
        let root = Credentials::new(
            &self.servers.access_key,
            &self.servers.secret_key,
            None,
            None,
            "test",
        );
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(aws_sdk_sts::config::BehaviorVersion::v2026_01_12())
            .http_client(lob_testkit::http_client())
            .endpoint_url(&self.servers.s3_endpoint)
            .region(aws_sdk_sts::config::Region::from_static("us-east-1"))
            .credentials_provider(root)
            .build();
        let role = aws_sdk_sts::Client::from_conf(config)
            .assume_role()
            .role_arn("arn:aws:iam:::role/any")
            .role_session_name("test")
            .policy(policy.to_string())
            .send()
            .await
            .unwrap();
        let keys = role.credentials().unwrap();
        let token = Some(keys.session_token().to_owned());
        Credentials::new(
            keys.access_key_id(),
            keys.secret_access_key(),
            token,
            None,
            "test",
        )
    }

    /// Runs a tool with only these rights.
    async fn run(&self, policy: &Value, tool: &str, arguments: &[&str]) -> Ended {
        let keys = self.keys(policy).await;
        let mut command = self.servers.tool(tool, arguments);
        command
            .env("AWS_ACCESS_KEY_ID", keys.access_key_id())
            .env("AWS_SECRET_ACCESS_KEY", keys.secret_access_key())
            .env("AWS_SESSION_TOKEN", keys.session_token().unwrap())
            .env("LOB_SOURCE_DIR", self.folder.path())
            .env("LOB_PART_SIZE", "5MiB")
            .env("LOB_MULTIPART_THRESHOLD", "5MiB");
        let ended = Ended::from(command.output().await.unwrap());
        for secret in [keys.secret_access_key(), keys.session_token().unwrap()] {
            let said = [&*ended.stdout, &*ended.stderr].concat();
            assert!(!said.contains(secret), "{tool} says a secret");
        }
        ended
    }
}

/// All actions of a policy.
fn actions(policy: &Value) -> Vec<String> {
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|statement| statement["Action"].as_array().unwrap());
    actions
        .map(|action| action.as_str().unwrap().to_owned())
        .collect()
}

/// The policy without some of its actions.
fn without(policy: &Value, is_left_out: impl Fn(&str) -> bool) -> Value {
    let mut policy = policy.clone();
    for statement in policy["Statement"].as_array_mut().unwrap() {
        let actions = statement["Action"].as_array_mut().unwrap();
        actions.retain(|action| !is_left_out(action.as_str().unwrap()));
    }
    let statements = policy["Statement"].as_array_mut().unwrap();
    statements.retain(|statement| statement["Action"] != json!([]));
    policy
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tool_works_with_exactly_the_documented_policy() {
    let Some(bed) = Bed::new().await else {
        lob_testkit::skipped("it needs real S3 and MongoDB servers");
        return;
    };
    let [of_export, of_upload] =
        ["processed-splits", "lob-data"].map(|prefix| bed.documented(prefix));
    let reader = without(&of_export, |action| !OF_READERS.contains(&action));
    let run = ["--run-id", "r1"];
    let back = [&run[..], &["--collection-pattern", "back_{N}"]].concat();
    for (policy, tool, arguments) in [
        (&of_export, "lob-export", &run[..]),
        (&of_export, "lob-export", &["cleanup", "r1", "--yes"]),
        (&reader, "lob-export", &["verify", "r1"]),
        (&reader, "lob-import", &["list"]),
        (&reader, "lob-import", &back),
        (
            &reader,
            "lob-import",
            &["verify", "r1", "--collection-pattern", "back_{N}"],
        ),
        (&of_upload, "lob-upload", &run),
        (&of_upload, "lob-upload", &["cleanup", "r1", "--yes"]),
    ] {
        bed.run(policy, tool, arguments).await.with_status(0);
    }
    let reader = without(&of_upload, |action| !OF_READERS.contains(&action));
    bed.run(&reader, "lob-upload", &["verify", "r1", "--full"])
        .await
        .with_status(0);
    // No right reaches beyond its prefix.
    let other = bed.run(&of_upload, "lob-export", &["--run-id", "r2"]).await;
    other.with_status(1);
    lob_testkit::fault_fired("H7");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_missing_right_on_s3_is_named_and_the_same_command_resumes_with_it() {
    let Some(bed) = Bed::new().await else {
        lob_testkit::skipped("it needs real S3 and MongoDB servers");
        return;
    };
    for (tool, prefix) in [
        ("lob-export", "processed-splits"),
        ("lob-upload", "lob-data"),
    ] {
        let whole = bed.documented(prefix);
        for (number, missing) in actions(&whole).into_iter().enumerate() {
            let id = format!("r{number}");
            let run = ["--run-id", id.as_str(), "--retry-timeout", "1s"];
            let policy = without(&whole, |action| action == missing);
            let ended = bed.run(&policy, tool, &run).await;
            if tool == "lob-upload" && missing == "s3:ListBucket" {
                // Needed where a missing object is forbidden to those who may not list.
                ended.with_status(0);
                continue;
            }
            let told = ended.with_status(1).stderr;
            assert!(
                told.contains(&missing) && told.contains("hint: "),
                "{tool} without {missing}: {told}"
            );
            let data = format!("{prefix}/{id}/");
            let keys = bed.servers.keys().await;
            let sent = keys
                .iter()
                .find(|key| key.starts_with(&data) && key.ends_with(".parquet"));
            assert_eq!(sent, None, "{tool} without {missing}");
            bed.run(&whole, tool, &run).await.with_status(0);
        }
    }
    lob_testkit::fault_fired("H7");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_right_that_a_reader_lacks_is_named_and_the_target_stays() {
    let Some(bed) = Bed::new().await else {
        lob_testkit::skipped("it needs real S3 and MongoDB servers");
        return;
    };
    let whole = bed.documented("processed-splits");
    bed.run(&whole, "lob-export", &["--run-id", "r1"])
        .await
        .with_status(0);
    let reader = without(&whole, |action| !OF_READERS.contains(&action));
    let back = ["--run-id", "r1", "--collection-pattern", "back_{N}"];
    let objects = without(&reader, |action| action == "s3:GetObject");
    for arguments in [
        &back[..],
        &["verify", "r1", "--collection-pattern", "back_{N}"],
    ] {
        let told = bed
            .run(&objects, "lob-import", arguments)
            .await
            .with_status(1)
            .stderr;
        assert!(told.contains("s3:GetObject"), "{told}");
    }
    let lists = without(&reader, |action| action == "s3:ListBucket");
    let told = bed
        .run(&lists, "lob-import", &["--latest"])
        .await
        .with_status(1)
        .stderr;
    assert!(told.contains("s3:ListBucket"), "{told}");
    let names = bed.servers.collections(&bed.servers.database).await;
    assert_eq!(names, ["split_0_input"]);
    lob_testkit::fault_fired("H7");
}
