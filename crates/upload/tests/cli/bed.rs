//! A server, a working directory with feed files, and the binary between them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex};

use lob_testkit::canaries;
use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
use lob_testkit::s3::{
    Checksums, Conditions, Gate, Moment, Operation, Request, S3Options, S3Server, StoredObject,
    Trap, Weaknesses,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

pub(crate) const BUCKET: &str = "lob-test";
/// The folder of the run that [`Bed::upload`] makes.
pub(crate) const RUN: &str = "lob-data/run-1";

/// A server that lacks nothing.
pub(crate) const STRICT: Weaknesses = Weaknesses {
    conditions: Conditions::Kept,
    checksums: Checksums::Kept,
    no_list_parts: false,
    no_list_uploads: false,
    random_etags: false,
    random_part_etags: false,
    length_required: false,
};

/// A feed's seed and size.
type FeedKey = (u64, String);

/// Feeds that were made already: making one takes longer than sending it.
static FEEDS: LazyLock<Mutex<HashMap<FeedKey, Vec<u8>>>> = LazyLock::new(Mutex::default);

pub(crate) struct Bed {
    pub(crate) server: S3Server,
    /// Set it to hold a request; not on a bed with another gate.
    pub(crate) trap: Trap,
    folder: TempDir,
}

/// What a process left behind.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::with(None).await
    }

    /// A bed whose server asks `gate` about each request.
    pub(crate) async fn gated(gate: impl Gate) -> Self {
        Self::with(Some(Box::new(gate))).await
    }

    async fn with(gate: Option<Box<dyn Gate>>) -> Self {
        let gate = gate.map(Into::into);
        Self::on(S3Options {
            gate,
            ..S3Options::default()
        })
        .await
    }

    /// A bed on a server of these options.
    pub(crate) async fn on(mut options: S3Options) -> Self {
        let trap = Trap::default();
        options.buckets = vec![BUCKET.to_owned()];
        options
            .gate
            .get_or_insert_with(|| std::sync::Arc::new(trap.clone()));
        Self {
            server: S3Server::start(options).await.unwrap(),
            trap,
            folder: TempDir::new().unwrap(),
        }
    }

    /// A path in the source directory, whose parents exist.
    pub(crate) fn source(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join("lob_data").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// A path in the working directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a feed file into the source directory and returns its bytes.
    pub(crate) fn feed(&self, name: &str, size: FeedSize) -> Vec<u8> {
        let path = self.source(name);
        let seed = name.len() as u64;
        let key = (seed, format!("{size:?}"));
        let made = FEEDS.lock().unwrap().get(&key).cloned();
        if let Some(bytes) = made {
            std::fs::write(path, &bytes).unwrap();
            return bytes;
        }
        let levels = 2;
        ParquetFeed { seed, size, levels }.write(&path).unwrap();
        let bytes = std::fs::read(path).unwrap();
        FEEDS.lock().unwrap().insert(key, bytes.clone());
        bytes
    }

    /// Two files of one request each and one of two parts.
    pub(crate) fn feeds(&self) -> Vec<(String, Vec<u8>)> {
        [
            ("2025/big.parquet", FeedSize::Bytes(6 << 20)),
            ("2025/small.parquet", FeedSize::Rows(1000)),
            ("none.parquet", FeedSize::Rows(0)),
        ]
        .map(|(name, size)| (name.to_owned(), self.feed(name, size)))
        .into()
    }

    /// The binary in the working directory, with nothing of this process's environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.at_home(Command::new(env!("CARGO_BIN_EXE_lob-upload")), args)
    }

    /// The same, started by a script of the shell, whose `$0` it is.
    pub(crate) fn through_shell(&self, script: &str, args: &[&str]) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script, env!("CARGO_BIN_EXE_lob-upload")]);
        self.at_home(shell, args)
    }

    fn at_home(&self, mut command: Command, args: &[&str]) -> Command {
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("AWS_ENDPOINT_URL", self.server.endpoint())
            .env("AWS_ACCESS_KEY_ID", self.server.access_key())
            .env("AWS_SECRET_ACCESS_KEY", self.server.secret_key())
            .env("AWS_SESSION_TOKEN", canaries::SESSION_TOKEN)
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("LOB_BUCKET", BUCKET)
            .env("LOB_PART_SIZE", "5MiB")
            .env("LOB_MULTIPART_THRESHOLD", "5MiB")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Starts the upload of the run `run-1`.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let args = [&["--run-id", "run-1", "--log-level", "error"], args].concat();
        self.command(&args).spawn().unwrap()
    }

    /// Uploads as the run `run-1`.
    pub(crate) async fn upload(&self, args: &[&str]) -> Finished {
        finish(self.start(args)).await
    }

    /// Runs the binary with exactly these arguments.
    pub(crate) async fn run(&self, args: &[&str]) -> Finished {
        finish(self.command(args).spawn().unwrap()).await
    }

    /// The keys of the run `run-1`, relative to its folder.
    pub(crate) fn keys(&self) -> Vec<String> {
        let keys = self.server.keys(BUCKET);
        keys.iter()
            .map(|key| key.strip_prefix(RUN).unwrap()[1..].to_owned())
            .collect()
    }

    /// Starts the upload of `run-1` and kills it at the first request that is `chosen`; `None` if
    /// it ends before that.
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

    /// The manifest of `run-1`.
    pub(crate) fn manifest(&self) -> Value {
        serde_json::from_slice(&self.object("manifest.json").bytes).unwrap()
    }

    /// The run exists, its objects are these files, and nothing is left open.
    #[track_caller]
    pub(crate) fn assert_whole(&self, feeds: &[(String, Vec<u8>)]) {
        let manifest = self.manifest();
        assert_eq!(manifest["num_successful"], feeds.len());
        for (name, bytes) in feeds {
            assert!(self.object(name).bytes == *bytes, "{name}");
        }
        assert_eq!(self.server.open_uploads(BUCKET), []);
        assert_eq!(self.keys().len(), feeds.len() + 2, "{:?}", self.keys());
    }

    /// The requests of one operation for the object `name` of `run-1`, from the `from`th on.
    pub(crate) fn asked(&self, operation: Operation, name: &str, from: usize) -> Vec<Request> {
        let key = format!("{RUN}/{name}");
        let requests = self.server.requests().into_iter().skip(from);
        requests
            .filter(|request| request.operation == operation && request.key == key)
            .collect()
    }

    pub(crate) fn object(&self, name: &str) -> StoredObject {
        self.server
            .object(BUCKET, &format!("{RUN}/{name}"))
            .unwrap()
    }

    pub(crate) fn has_manifest(&self) -> bool {
        self.keys().contains(&"manifest.json".to_owned())
    }

    /// What was asked of the server, in the order of arrival.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.server
            .requests()
            .iter()
            .map(|request| request.operation)
            .collect()
    }

    /// Nothing is published and nothing is left open.
    pub(crate) fn assert_nothing_published(&self) {
        assert!(!self.has_manifest(), "{:?}", self.keys());
        assert_eq!(self.server.open_uploads(BUCKET), []);
    }
}

/// The end of every process of these tests.
pub(crate) async fn finish(child: Child) -> Finished {
    let output = canaries::assert_clean(child.wait_with_output().await.unwrap());
    Finished {
        status: output.status,
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Finished {
    /// Fails the test with all that the process said unless it ended with `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}", self.shown());
        self
    }

    /// Status and output as a snapshot shows them.
    pub(crate) fn shown(&self) -> String {
        let Self {
            status,
            stdout,
            stderr,
        } = self;
        format!("{status}\n----- stdout -----\n{stdout}----- stderr -----\n{stderr}")
    }
}

/// Whether a request puts or completes the object `name` of the run `run-1`.
pub(crate) fn writes(request: &Request, name: &str) -> bool {
    let write = matches!(
        request.operation,
        Operation::PutObject | Operation::CompleteMultipartUpload
    );
    write && request.key == format!("{RUN}/{name}")
}

/// Compares what a process said with a snapshot, without what differs from run to run.
macro_rules! assert_shown {
    ($finished:expr, @$snapshot:literal) => {
        let finished = $finished;
        insta::with_settings!({
            filters => [
                (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
                (r"127\.0\.0\.1:\d+", "[SERVER]"),
                (r"(?m) +$", ""),
                (r"\d+\.\d+ s\b", "[SECONDS] s"),
                (r"\d+\.\d+s\b", "[SECONDS]s"),
                (r"\d+\.\d+ MiB/s", "[SPEED] MiB/s"),
                (r"\d+\.\d+MB/s", "[SPEED]MB/s"),
                (r"seconds=\S+", "seconds=[SECONDS]"),
                (r"request id [^\]]+", "request id [ID]"),
            ]
        }, {
            insta::assert_snapshot!(finished.shown(), @$snapshot);
        });
    };
}
pub(crate) use assert_shown;
