//! Two servers, a working directory, and the binary between them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Output, Stdio};
use std::sync::Arc;

use bson::RawDocument;
use lob_testkit::canaries;
use lob_testkit::mongo::{MongoOptions, MongoServer};
use lob_testkit::s3::{
    Gate, Moment, Operation, Request, S3Options, S3Server, StoredObject, Trap, Weaknesses,
};
use lob_testkit::split_documents::SplitDocuments;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

pub(crate) const BUCKET: &str = "lob-test";
/// The folder of the run that [`Bed::export`] makes.
pub(crate) const RUN: &str = "processed-splits/run-1";
/// Several ranges and data files of the few documents that a bed has.
pub(crate) const SMALL: [&str; 6] = [
    "--ranges",
    "3",
    "--file-size",
    "1KiB",
    "--row-group-size",
    "400B",
];

pub(crate) struct Bed {
    pub(crate) s3: S3Server,
    pub(crate) mongo: MongoServer,
    /// Set it to hold a request; not on a bed with another gate.
    pub(crate) trap: Trap,
    folder: TempDir,
}

impl Bed {
    /// Two splits of 30 and 20 documents in the database `raw`.
    pub(crate) async fn new() -> Self {
        Self::with(MongoOptions::default()).await.loaded()
    }

    /// [`Bed::new`] on an S3 server that asks `gate` about each request.
    pub(crate) async fn gated(gate: impl Gate) -> Self {
        let s3 = S3Options {
            gate: Some(Arc::new(gate)),
            ..S3Options::default()
        };
        Self::on(s3, MongoOptions::default()).await.loaded()
    }

    /// [`Bed::new`] on an S3 server that lacks something.
    pub(crate) async fn weak(weaknesses: Weaknesses) -> Self {
        let s3 = S3Options {
            weaknesses,
            ..S3Options::default()
        };
        Self::on(s3, MongoOptions::default()).await.loaded()
    }

    /// Empty servers.
    pub(crate) async fn with(mongo: MongoOptions) -> Self {
        Self::on(S3Options::default(), mongo).await
    }

    fn loaded(self) -> Self {
        for (split, count) in [(0, 30), (1, 20)] {
            let documents = SplitDocuments::new(split, 4).take(count);
            let collection = format!("split_{split}_input");
            self.mongo.load("raw", &collection, documents).unwrap();
        }
        self
    }

    async fn on(mut s3: S3Options, mongo: MongoOptions) -> Self {
        let trap = Trap::default();
        s3.buckets = vec![BUCKET.to_owned()];
        s3.gate.get_or_insert_with(|| Arc::new(trap.clone()));
        Self {
            s3: S3Server::start(s3).await.unwrap(),
            mongo: MongoServer::start(mongo).unwrap(),
            trap,
            folder: TempDir::new().unwrap(),
        }
    }

    /// Writes a file into the working directory.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Writes the keys of S3 where the SDK looks for them.
    pub(crate) fn write_keys(&self) {
        let aws = self.folder.path().join(".aws");
        let (id, secret) = (self.s3.access_key(), self.s3.secret_key());
        let text =
            format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        std::fs::create_dir(&aws).unwrap();
        std::fs::write(aws.join("credentials"), text).unwrap();
    }

    /// The binary in the working directory, with nothing of this process's environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lob-export"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("AWS_ENDPOINT_URL", self.s3.endpoint())
            .env("AWS_ACCESS_KEY_ID", self.s3.access_key())
            .env("AWS_SECRET_ACCESS_KEY", self.s3.secret_key())
            .env("AWS_SESSION_TOKEN", canaries::SESSION_TOKEN)
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("MONGODB_URI", self.mongo.uri())
            .env("LOB_BUCKET", BUCKET)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the binary with exactly these arguments.
    pub(crate) async fn run(&self, args: &[&str]) -> Output {
        finish(self.command(args).spawn().unwrap()).await
    }

    /// Exports as the run `run-1`, and logs what went wrong alone.
    pub(crate) async fn export(&self, args: &[&str]) -> Output {
        self.run(&[&["--run-id", "run-1", "--log-level", "error"], args].concat())
            .await
    }

    /// Starts the binary as the run `run-1`, logging what went wrong alone.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let args = [args, &["--run-id", "run-1", "--log-level", "error"]].concat();
        self.command(&args).spawn().unwrap()
    }

    /// Starts the binary as [`Bed::start`] does and kills it at the first request that is `chosen`;
    /// `None` if it ends before that.
    pub(crate) async fn kill_at(
        &self,
        args: &[&str],
        chosen: impl FnMut(Moment, &Request) -> bool + Send + 'static,
    ) -> Option<Request> {
        let mut catch = self.trap.set(chosen);
        let mut child = self.start(args);
        let request = tokio::select! {
            request = catch.request() => Some(request),
            _ = child.wait() => None,
        };
        let _ = child.start_kill();
        finish(child).await;
        request
    }

    /// The manifest of `run-1`, without what differs between two runs of the same documents.
    #[track_caller]
    pub(crate) fn manifest(&self) -> Value {
        let mut manifest: Value =
            serde_json::from_slice(&self.object("manifest.json").bytes).unwrap();
        let fields = manifest.as_object_mut().unwrap();
        for of_the_run in [
            "export_timestamp",
            "started",
            "finished",
            "write_token",
            "metrics",
        ] {
            assert!(fields.remove(of_the_run).is_some(), "{of_the_run}");
        }
        manifest
    }

    /// What the manifest says of all splits, whatever the server says of their objects.
    #[track_caller]
    pub(crate) fn totals(&self) -> Vec<Value> {
        let manifest = self.manifest();
        let splits = manifest["splits"].as_array().unwrap().iter();
        let total = |split: &Value| serde_json::json!([split["num_documents"], split["digest"]]);
        splits.map(total).collect()
    }

    /// The object `name` of `run-1`.
    #[track_caller]
    pub(crate) fn object(&self, name: &str) -> StoredObject {
        self.s3.object(BUCKET, &format!("{RUN}/{name}")).unwrap()
    }

    /// The run exists and is what `manifest` says, each split's folder holds what is listed and
    /// nothing else, and nothing is left open.
    #[track_caller]
    pub(crate) fn assert_whole(&self, manifest: &Value) {
        assert_eq!(self.manifest(), *manifest);
        let splits = manifest["splits"].as_array().unwrap().iter();
        let listed: Vec<String> = splits
            .flat_map(|split| split["files"].as_array().unwrap())
            .map(|file| format!("{RUN}/{}", file["key"].as_str().unwrap()))
            .collect();
        let keys = self.s3.keys(BUCKET);
        let there = keys.into_iter().filter(|key| key.ends_with(".parquet"));
        assert_eq!(there.collect::<Vec<_>>(), listed);
        assert_eq!(self.s3.open_uploads(BUCKET), []);
    }

    /// The requests of one operation, from the `from`th request on, whose key ends with `end`.
    pub(crate) fn asked(&self, operation: Operation, end: &str, from: usize) -> Vec<Request> {
        let requests = self.s3.requests().into_iter().skip(from);
        requests
            .filter(|request| request.operation == operation && request.key.ends_with(end))
            .collect()
    }

    /// Runs a command on the MongoDB server, for what `load` cannot make.
    pub(crate) fn mongo_command(&self, command: &RawDocument) {
        let uri = self.mongo.uri();
        let address = uri.split('/').nth(2).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        // OP_MSG: length, request id, response to, opcode, flags, and one section of kind 0.
        let body = command.as_bytes();
        let header = [21 + body.len() as i32, 1, 0, 2013, 0];
        let header: Vec<u8> = header.into_iter().flat_map(i32::to_le_bytes).collect();
        stream
            .write_all(&[&header, &[0][..], body].concat())
            .unwrap();
        stream.read_exact(&mut [0; 21]).unwrap();
    }

    /// Nothing is published and nothing is left open.
    #[track_caller]
    pub(crate) fn assert_nothing_published(&self) {
        let keys = self.s3.keys(BUCKET);
        assert!(
            keys.iter().all(|key| !key.ends_with("manifest.json")),
            "{keys:?}"
        );
        assert_eq!(self.s3.open_uploads(BUCKET), []);
    }

    /// Not even a plan was written.
    #[track_caller]
    pub(crate) fn assert_nothing_written(&self) {
        assert_eq!(self.s3.keys(BUCKET), [""; 0]);
    }
}

/// The end of every process of these tests.
pub(crate) async fn finish(child: Child) -> Output {
    canaries::assert_clean(child.wait_with_output().await.unwrap())
}

/// Ends with success, or fails the test with all that was said.
#[track_caller]
pub(crate) fn succeeded(output: Output) -> Output {
    assert!(output.status.success(), "{}", shown(&output));
    output
}

/// An address that nothing listens at.
pub(crate) fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Status and output as a snapshot shows them.
pub(crate) fn shown(output: &Output) -> String {
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    let status = output.status;
    format!("{status}\n----- stdout -----\n{stdout}----- stderr -----\n{stderr}")
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Compares what a process said with a snapshot, without what differs from run to run.
macro_rules! assert_shown {
    ($output:expr, @$snapshot:literal) => {
        let output = $output;
        insta::with_settings!({
            filters => [
                (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
                (r"\b\d{8}_\d{6}\b", "[RUN]"),
                (r"127\.0\.0\.1:\d+", "[SERVER]"),
                (r"(?m) +$", ""),
                (r"\d+\.\d+ s\b", "[SECONDS] s"),
                (r"[\d.]+ KiB (in|of) ", "[SIZE] $1 "),
                (r"labels: \{[^}]*\}", "labels: {}"),
                (r"[\d.]+ [KM]?i?B(/s|, )", "[SIZE]$1"),
                (r"request id [^\]]+", "request id [ID]"),
                (r"\b[0-9a-f]{32}\b", "[DIGEST]"),
                (r"\b[0-9a-f]{64}\b", "[HASH]"),
                (r"__lob_[0-9a-f]{8}", "__lob_[HASH]"),
            ]
        }, {
            insta::assert_snapshot!(crate::bed::shown(&output), @$snapshot);
        });
    };
}
pub(crate) use assert_shown;
