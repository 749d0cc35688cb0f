//! The test bed: two servers, a working directory, and the binary between them.

use std::ops::Deref;
use std::sync::Arc;

pub(crate) use lob_testkit::assert_shown;
use lob_testkit::bed;
pub(crate) use lob_testkit::bed::BUCKET;
pub(crate) use lob_testkit::command_line::{Finished, finish};
use lob_testkit::mongo::{MongoOptions, MongoServer};
use lob_testkit::s3::{Gate, Moment, Operation, Request, S3Options, StoredObject, Weaknesses};
use lob_testkit::split_documents::SplitDocuments;
use serde_json::Value;

/// The folder of the run that [`Bed::export`] makes.
pub(crate) const RUN: &str = "processed-splits/run-1";
/// Makes several ranges and data files from a bed's few documents.
pub(crate) const SMALL: [&str; 6] = [
    "--ranges",
    "3",
    "--file-size",
    "1KiB",
    "--row-group-size",
    "400B",
];

pub(crate) struct Bed {
    of_any_tool: bed::Bed,
    pub(crate) mongo: MongoServer,
}

impl Deref for Bed {
    type Target = bed::Bed;

    fn deref(&self) -> &bed::Bed {
        &self.of_any_tool
    }
}

impl Bed {
    /// Two splits of 30 and 20 documents in database `raw`.
    pub(crate) async fn new() -> Self {
        Self::with(MongoOptions::default()).await.loaded()
    }

    /// [`Bed::new`] with an S3 server that asks `gate` about each request.
    pub(crate) async fn gated(gate: impl Gate) -> Self {
        let s3 = S3Options {
            gate: Some(Arc::new(gate)),
            ..S3Options::default()
        };
        Self::on(s3, MongoOptions::default()).await.loaded()
    }

    /// [`Bed::new`] with an S3 server that has weaknesses.
    pub(crate) async fn weak(weaknesses: Weaknesses) -> Self {
        let s3 = S3Options {
            weaknesses,
            ..S3Options::default()
        };
        Self::on(s3, MongoOptions::default()).await.loaded()
    }

    /// [`Bed::new`] on the double of S3, wherever it runs, for this reason.
    pub(crate) async fn on_double(reason: &'static str) -> Self {
        let s3 = S3Options {
            double: Some(reason),
            ..S3Options::default()
        };
        Self::on(s3, MongoOptions::default()).await.loaded()
    }

    /// [`Bed::new`] on the double of MongoDB, wherever it runs, for this reason.
    pub(crate) async fn on_double_of_mongodb(reason: &'static str) -> Self {
        let mongo = MongoOptions {
            double: Some(reason),
            ..MongoOptions::default()
        };
        Self::with(mongo).await.loaded()
    }

    /// A bed with empty servers.
    pub(crate) async fn with(mongo: MongoOptions) -> Self {
        Self::on(S3Options::default(), mongo).await
    }

    /// [`Bed::new`] on a server that knows only the user of the AWS keys.
    pub(crate) async fn with_mongodb_aws() -> Self {
        let aws_user = Some(bed::aws_user());
        let mongo = MongoOptions {
            aws_user,
            ..MongoOptions::default()
        };
        let s3 = S3Options {
            double: Some("keys that MongoDB's double knows too"),
            ..S3Options::default()
        };
        let bed = Self::on(s3, mongo).await.loaded();
        let uri = format!("{}&authMechanism=MONGODB-AWS", bed.mongo.uri());
        Self {
            of_any_tool: bed.of_any_tool.with_variable("MONGODB_URI", uri),
            mongo: bed.mongo,
        }
    }

    /// A split of 30 documents that can only be read in one piece.
    pub(crate) async fn in_one_piece() -> Self {
        let bed = Self::with(MongoOptions {
            ignore_bounds: true,
            ..MongoOptions::default()
        })
        .await;
        let documents = SplitDocuments::new(0, 4).take(30);
        bed.mongo.load("raw", "split_0_input", documents).unwrap();
        bed
    }

    /// A bed whose MongoDB server demands credentials, which the tool does not have.
    pub(crate) async fn locked() -> Self {
        Self::with(MongoOptions {
            require_auth: true,
            ..MongoOptions::default()
        })
        .await
    }

    fn loaded(self) -> Self {
        for (split, count) in [(0, 30), (1, 20)] {
            let documents = SplitDocuments::new(split, 4).take(count);
            let collection = format!("split_{split}_input");
            self.mongo.load("raw", &collection, documents).unwrap();
        }
        self
    }

    async fn on(s3: S3Options, mongo: MongoOptions) -> Self {
        let program = env!("CARGO_BIN_EXE_lob-export");
        let mongo = bed::mongodb(program, mongo).await;
        let of_any_tool = bed::Bed::new(program, s3).await;
        Self {
            // Tests say which range is written when.
            of_any_tool: of_any_tool
                .with_variable("MONGODB_URI", mongo.uri())
                .with_variable("LOB_EXPORT_JOBS", "1"),
            mongo,
        }
    }

    /// Writes the S3 keys where the SDK looks for them.
    pub(crate) fn write_keys(&self) {
        let aws = self.path(".aws");
        let (id, secret) = (self.s3.access_key(), self.s3.secret_key());
        let text =
            format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        std::fs::create_dir(&aws).unwrap();
        std::fs::write(aws.join("credentials"), text).unwrap();
    }

    /// Exports as run `run-1`, logging errors only.
    pub(crate) async fn export(&self, args: &[&str]) -> Finished {
        finish(self.start(args)).await
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

    /// The manifest's totals of all splits, which do not depend on what the server says about
    /// objects.
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

    /// Asserts that the run exists and matches `manifest`, that each split's folder holds exactly
    /// what is listed, and that no upload is left open.
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

    /// The requests of one operation whose key ends with `end`, starting with request number
    /// `from`.
    pub(crate) fn asked(&self, operation: Operation, end: &str, from: usize) -> Vec<Request> {
        let requests = self.s3.requests().into_iter().skip(from);
        requests
            .filter(|request| request.operation == operation && request.key.ends_with(end))
            .collect()
    }

    /// Asserts that nothing is published.
    #[track_caller]
    pub(crate) fn assert_no_manifest(&self) {
        let keys = self.s3.keys(BUCKET);
        assert!(
            keys.iter().all(|key| !key.ends_with("manifest.json")),
            "{keys:?}"
        );
    }

    /// Asserts that nothing is published and no upload is left open.
    #[track_caller]
    pub(crate) fn assert_nothing_published(&self) {
        self.assert_no_manifest();
        assert_eq!(self.s3.open_uploads(BUCKET), []);
    }

    /// Asserts that not even a plan was written.
    #[track_caller]
    pub(crate) fn assert_nothing_written(&self) {
        assert_eq!(self.s3.keys(BUCKET), [""; 0]);
    }
}

/// Whether a request asks for this operation on object `name` of `run-1`.
pub(crate) fn is(request: &Request, operation: Operation, name: &str) -> bool {
    request.operation == operation && request.key == format!("{RUN}/{name}")
}

/// Picks the arrival of such a request.
pub(crate) fn arrives(
    operation: Operation,
    name: &str,
) -> impl Fn(Moment, &Request) -> bool + use<> {
    let key = format!("{RUN}/{name}");
    move |moment, request| {
        moment == Moment::Arrived && request.operation == operation && request.key == key
    }
}

/// Asserts that an export failed because its split can only be read in one piece.
#[track_caller]
pub(crate) fn assert_not_resumed_midway(finished: Finished) {
    let finished = finished.expect(1);
    let told = "error: run `run-1` is not complete\n  \
          Caused by: failed to export `raw.split_0_input`\n  \
          Caused by: the run cannot be resumed\n  \
          Caused by: `raw.split_0_input` can only be read in one piece\n\
        hint: use another --run-id\n";
    assert_eq!((&*finished.stdout, &*finished.stderr), ("", told));
}
