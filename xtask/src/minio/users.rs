//! The users of a MinIO that the tools' tests run on: one with the name of each tool, who may do what
//! OPERATIONS says that the tool needs, and nothing else.

use std::fs;

use anyhow::{Context as _, ensure};
use aws_sdk_s3::primitives::ByteStream;
use lob_testkit::bed::BUCKET;
use lob_testkit::canaries::SECRET_KEY;
use lob_testkit::real::S3_ROOT;
use serde_json::{Map, Value, json};
use xshell::{Shell, cmd};

use crate::{command, s3_client};

/// The buckets that tests name: one that exists, and one that does not, which S3 reveals to all.
const BUCKETS: [&str; 2] = [BUCKET, "missing"];
/// The tools, and the prefixes that their tests work below.
const PREFIXES: [(&str, &[&str]); 3] = [
    (
        "lob-upload",
        &["lob-data", "other", "nightly/lob", "feeds of tonight"],
    ),
    ("lob-export", &["processed-splits", "tonight's"]),
    ("lob-import", &["processed-splits", "processed"]),
];
/// The tool that writes nothing, and what it needs, as OPERATIONS says in a sentence.
const READER: &str = "lob-import";
const OF_READERS: [&str; 2] = ["s3:ListBucket", "s3:GetObject"];
/// Writes the files that `argv[2]` has, as a JSON object of names and texts, into the archive
/// `argv[1]`.
const PACK: &str = r#"
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as archive:
    for name, text in json.loads(sys.argv[2]).items():
        archive.writestr(name, text)
"#;

/// Creates all users at once, through the administration's import of an archive: of its calls that
/// set a secret key, this one alone takes it unencrypted.
pub(super) async fn create(sh: &Shell, endpoint: &str) -> anyhow::Result<()> {
    let (mut policies, mut users, mut mappings) = (Map::new(), Map::new(), Map::new());
    for (tool, prefixes) in PREFIXES {
        policies.insert(tool.to_owned(), policy(sh, tool, prefixes)?);
        let user = json!({ "secretKey": SECRET_KEY, "status": "enabled" });
        users.insert(tool.to_owned(), user);
        let mapping = json!({ "version": 1, "policy": tool });
        mappings.insert(tool.to_owned(), mapping);
    }
    let files = [
        ("policies", policies),
        ("users", users),
        ("user_mappings", mappings),
    ];
    let files = files.map(|(name, content)| {
        let content = Value::Object(content).to_string();
        (format!("iam-assets/{name}.json"), Value::from(content))
    });
    let files = Value::Object(files.into_iter().collect()).to_string();
    let folder = tempfile::tempdir()?;
    let archive = folder.path().join("users.zip");
    command::finish(cmd!(sh, "python3 -c {PACK} {archive} {files}")).await?;

    // To the client, the administration is a bucket.
    let client = s3_client::with_keys(endpoint, S3_ROOT.0, S3_ROOT.1).await;
    let import = client
        .put_object()
        .bucket("minio")
        .key("admin/v3/import-iam");
    let import = import.body(ByteStream::from(fs::read(archive)?));
    import.send().await.context("MinIO takes no users")?;
    Ok(())
}

/// What OPERATIONS says that a tool needs, on the bucket and the prefixes of its tests.
fn policy(sh: &Shell, tool: &str, prefixes: &[&str]) -> anyhow::Result<Value> {
    let operations = sh.read_file("docs/OPERATIONS.md")?;
    let block = operations.split("```json\n").nth(1);
    let block = block.and_then(|block| block.split("```").next());
    let mut policy: Value = serde_json::from_str(block.context("no policy in OPERATIONS")?)?;
    let statements = policy["Statement"].as_array_mut();
    for statement in statements.context("a policy without statements")? {
        let resource = statement["Resource"].as_str().unwrap_or_default();
        statement["Resource"] = match resource {
            "arn:aws:s3:::lob" => BUCKETS.iter().map(|bucket| arn(bucket)).collect(),
            "arn:aws:s3:::lob/processed-splits/*" => {
                let folders = prefixes.iter();
                folders
                    .map(|prefix| arn(&format!("{BUCKET}/{prefix}/*")))
                    .collect()
            }
            other => anyhow::bail!("a policy for `{other}`"),
        };
        if tool == READER {
            let actions = statement["Action"].as_array_mut();
            let actions = actions.context("a statement without actions")?;
            actions.retain(|action| OF_READERS.iter().any(|of_readers| action == of_readers));
            ensure!(!actions.is_empty(), "nothing for {READER} in the policy");
        }
    }
    Ok(policy)
}

fn arn(resource: &str) -> Value {
    format!("arn:aws:s3:::{resource}").into()
}
