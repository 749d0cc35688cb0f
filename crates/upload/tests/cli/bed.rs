//! The test bed: a server, a working directory with feed files, and the binary between them.

use std::collections::HashMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

pub(crate) use lob_testkit::assert_shown;
use lob_testkit::bed;
pub(crate) use lob_testkit::bed::BUCKET;
pub(crate) use lob_testkit::command_line::{Finished, finish};
use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
use lob_testkit::s3::{Gate, Operation, Request, S3Options, StoredObject};
use serde_json::Value;

/// The folder of the run that [`Bed::upload`] makes.
pub(crate) const RUN: &str = "lob-data/run-1";

/// A feed's seed and size.
type FeedKey = (u64, String);

/// Feeds made so far: making one takes longer than sending it.
static FEEDS: LazyLock<Mutex<HashMap<FeedKey, Vec<u8>>>> = LazyLock::new(Mutex::default);

pub(crate) struct Bed(bed::Bed);

impl Deref for Bed {
    type Target = bed::Bed;

    fn deref(&self) -> &bed::Bed {
        &self.0
    }
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::on(S3Options::default()).await
    }

    /// A bed whose server asks `gate` about each request.
    pub(crate) async fn gated(gate: impl Gate) -> Self {
        Self::on(S3Options {
            gate: Some(Arc::new(gate)),
            ..S3Options::default()
        })
        .await
    }

    /// A bed on the double, wherever it runs, for this reason.
    pub(crate) async fn on_double(reason: &'static str) -> Self {
        Self::on(S3Options {
            double: Some(reason),
            ..S3Options::default()
        })
        .await
    }

    /// A bed on a server with these options.
    pub(crate) async fn on(options: S3Options) -> Self {
        let bed = bed::Bed::new(env!("CARGO_BIN_EXE_lob-upload"), options).await;
        let bed = bed.with_variable("LOB_PART_SIZE", "5MiB");
        Self(bed.with_variable("LOB_MULTIPART_THRESHOLD", "5MiB"))
    }

    /// A path in the source directory; creates its parents.
    pub(crate) fn source(&self, name: &str) -> PathBuf {
        let path = self.path("lob_data").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
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

    /// Two files sent in one request each, and one sent in two parts.
    pub(crate) fn feeds(&self) -> Vec<(String, Vec<u8>)> {
        [
            ("2025/big.parquet", FeedSize::Bytes(6 << 20)),
            ("2025/small.parquet", FeedSize::Rows(1000)),
            ("none.parquet", FeedSize::Rows(0)),
        ]
        .map(|(name, size)| (name.to_owned(), self.feed(name, size)))
        .into()
    }

    /// Uploads as run `run-1`.
    pub(crate) async fn upload(&self, args: &[&str]) -> Finished {
        finish(self.start(args)).await
    }

    /// The keys of run `run-1`, relative to its folder.
    pub(crate) fn keys(&self) -> Vec<String> {
        let keys = self.s3.keys(BUCKET);
        keys.iter()
            .map(|key| key.strip_prefix(RUN).unwrap()[1..].to_owned())
            .collect()
    }

    /// The manifest of `run-1`.
    pub(crate) fn manifest(&self) -> Value {
        serde_json::from_slice(&self.object("manifest.json").bytes).unwrap()
    }

    /// Asserts that the run exists, that its objects are exactly these files, and that no upload is
    /// left open.
    #[track_caller]
    pub(crate) fn assert_whole(&self, feeds: &[(String, Vec<u8>)]) {
        let manifest = self.manifest();
        assert_eq!(manifest["num_successful"], feeds.len());
        for (name, bytes) in feeds {
            assert!(self.object(name).bytes == *bytes, "{name}");
        }
        assert_eq!(self.s3.open_uploads(BUCKET), []);
        assert_eq!(self.keys().len(), feeds.len() + 2, "{:?}", self.keys());
    }

    /// The requests of one operation for object `name` of `run-1`, starting with request number
    /// `from`.
    pub(crate) fn asked(&self, operation: Operation, name: &str, from: usize) -> Vec<Request> {
        let key = format!("{RUN}/{name}");
        let requests = self.s3.requests().into_iter().skip(from);
        requests
            .filter(|request| request.operation == operation && request.key == key)
            .collect()
    }

    pub(crate) fn object(&self, name: &str) -> StoredObject {
        self.s3.object(BUCKET, &format!("{RUN}/{name}")).unwrap()
    }

    pub(crate) fn has_manifest(&self) -> bool {
        self.keys().contains(&"manifest.json".to_owned())
    }

    /// The operations that the server was asked for, in order of arrival.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.s3
            .requests()
            .iter()
            .map(|request| request.operation)
            .collect()
    }

    /// The peak memory in bytes that a command wrote to this metrics file.
    pub(crate) fn peak_memory(&self, file: &str) -> f64 {
        let metrics = std::fs::read_to_string(self.path(file)).unwrap();
        let name = "lob_peak_memory_bytes{tool=\"lob-upload\"} ";
        let peak = metrics.lines().find_map(|line| line.strip_prefix(name));
        peak.unwrap().parse().unwrap()
    }

    /// Asserts that nothing is published and no upload is left open.
    pub(crate) fn assert_nothing_published(&self) {
        assert!(!self.has_manifest(), "{:?}", self.keys());
        assert_eq!(self.s3.open_uploads(BUCKET), []);
    }
}

/// Asserts that run `run-1` failed because `a.parquet` is not uploaded, with this reason.
#[track_caller]
pub(crate) fn assert_not_uploaded(finished: Finished, reason: &str) {
    let finished = finished.expect(1);
    let told = format!(
        "error: run `run-1` is not complete\n  \
           Caused by: `lob_data/a.parquet` is not uploaded\n  \
           Caused by: {reason}\n\
         hint: use a new --run-id for files that have changed; \
         `lob-upload cleanup run-1 --yes` aborts the uploads that it left open\n"
    );
    assert_eq!((&*finished.stdout, finished.stderr), ("", told));
}

/// Whether a request puts or completes object `name` of run `run-1`.
pub(crate) fn writes(request: &Request, name: &str) -> bool {
    let write = matches!(
        request.operation,
        Operation::PutObject | Operation::CompleteMultipartUpload
    );
    write && request.key == format!("{RUN}/{name}")
}
