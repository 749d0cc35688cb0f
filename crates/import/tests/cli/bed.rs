//! The test bed: two servers, a working directory, and the binary between them.

use std::ops::Deref;
use std::sync::Arc;

use bson::RawDocumentBuf;
use lob_columns::{ColumnsProposal, Compression, Encoder, ParquetWriter};
use lob_core::checksum::Crc;
use lob_core::checksum::Digest;
use lob_core::checksum::Sha256;
pub(crate) use lob_testkit::assert_shown;
use lob_testkit::bed;
pub(crate) use lob_testkit::bed::BUCKET;
pub(crate) use lob_testkit::command_line::{Finished, finish};
use lob_testkit::mongo::{Gate, MongoOptions, MongoServer};
use lob_testkit::s3::{self, Operation, S3Options};
use lob_testkit::split_documents::SplitDocuments;
use serde_json::{Value, json};

use crate::trap::Trap;

/// Data files per split.
const FILES: usize = 2;
/// The collection in which imports record their progress.
pub(crate) const ENTRIES: &str = "__lob_progress";

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
    /// A bed with empty databases and a committed run `run-1` of two splits, with 30 and 20
    /// documents.
    pub(crate) async fn new() -> Self {
        Self::published(MongoOptions::default()).await
    }

    /// The same, with a trap in front of MongoDB.
    pub(crate) async fn with_trap(trap: &Arc<Trap>) -> Self {
        Self::published(MongoOptions {
            gate: Some(Arc::clone(trap) as Arc<dyn Gate>),
            ..MongoOptions::default()
        })
        .await
    }

    /// The same, with a MongoDB server that demands credentials, which the tool does not have.
    pub(crate) async fn locked() -> Self {
        Self::published(MongoOptions {
            require_auth: true,
            ..MongoOptions::default()
        })
        .await
    }

    /// The same, with a MongoDB server that knows only the user of the AWS keys.
    pub(crate) async fn with_mongodb_aws() -> Self {
        let bed = Self::published(MongoOptions {
            aws_user: Some(bed::aws_user()),
            ..MongoOptions::default()
        })
        .await;
        let uri = format!("{}&authMechanism=MONGODB-AWS", bed.mongo.uri());
        Self {
            of_any_tool: bed.of_any_tool.with_variable("MONGODB_URI", uri),
            mongo: bed.mongo,
        }
    }

    /// The same, with a MongoDB server of these options.
    pub(crate) async fn published(mongo: MongoOptions) -> Self {
        let bed = Self::with(mongo).await;
        bed.publish("run-1", "2025-11-15T09:30:00Z");
        bed
    }

    /// Puts a committed run on the S3 server.
    pub(crate) fn publish(&self, run: &str, time: &str) {
        let folder = format!("processed-splits/{run}");
        let mut splits = Vec::new();
        for (split, count) in [(0, 30), (1, 20)] {
            let documents: Vec<_> = SplitDocuments::new(split, 4).take(count).collect();
            let mut files = Vec::new();
            for (sequence, documents) in documents.chunks(count / FILES).enumerate() {
                let key = format!("split_{split}.parquet/part-00000-{sequence:05}.parquet");
                let file = data_file(key, documents);
                let key = format!("{folder}/{}", file.key);
                self.s3.put_raw(BUCKET, &key, file.bytes.clone());
                files.push(file);
            }
            splits.push(split_of(split, &files));
        }
        let manifest = manifest(run, time, splits);
        self.put_manifest(run, &manifest.to_string());
    }

    /// Replaces a run's manifest with any text.
    pub(crate) fn put_manifest(&self, run: &str, text: &str) {
        let key = format!("processed-splits/{run}/manifest.json");
        self.s3.put_raw(BUCKET, &key, text.to_owned());
    }

    /// The manifest of `run-1`, for changing.
    pub(crate) fn manifest(&self) -> Value {
        let object = self
            .s3
            .object(BUCKET, "processed-splits/run-1/manifest.json");
        serde_json::from_slice(&object.unwrap().bytes).unwrap()
    }

    /// The names and UUIDs of the collections in database `raw`, except that of the entries.
    pub(crate) fn identities(&self) -> Vec<(String, uuid::Uuid)> {
        let mut found = self.mongo.collections("raw");
        found.retain(|(name, _)| name != ENTRIES);
        found
    }

    /// The names of the collections in database `raw`, except that of the entries.
    pub(crate) fn collections(&self) -> Vec<String> {
        let found = self.identities().into_iter();
        found.map(|(name, _)| name).collect()
    }

    /// Creates a collection under a target's name.
    pub(crate) fn put_old(&self) {
        let old = bson::rawdoc! { "_id": 1, "old": true };
        self.mongo.load("raw", "split_0_input", [old]).unwrap();
    }

    /// Creates a view and a time-series collection under the targets' names.
    pub(crate) async fn put_no_collections(&self) {
        let driver = mongodb::Client::with_uri_str(self.mongo.uri())
            .await
            .unwrap();
        for create in [
            bson::doc! { "create": "split_0_input", "viewOn": "other", "pipeline": [] },
            bson::doc! { "create": "split_1_input", "timeseries": { "timeField": "t" } },
        ] {
            driver.database("raw").run_command(create).await.unwrap();
        }
    }

    /// Asserts that the target is as `put_old` made it, and that nothing else exists.
    #[track_caller]
    pub(crate) fn assert_untouched(&self) {
        assert_eq!(self.collections(), ["split_0_input"]);
        self.assert_target_untouched();
    }

    /// Asserts that nothing is left of this split, but something of the other.
    #[track_caller]
    pub(crate) fn assert_given_up(&self, split: u32) {
        let names = self.collections();
        let is_there = |split: u32| {
            let staging = format!("split_{split}_input__lob_");
            names.iter().any(|name| name.starts_with(&staging))
        };
        assert!(!is_there(split) && is_there(1 - split), "{names:?}");
    }

    /// Asserts that the target is as `put_old` made it.
    #[track_caller]
    pub(crate) fn assert_target_untouched(&self) {
        let old = bson::rawdoc! { "_id": 1, "old": true }.into_bytes();
        assert_eq!(
            self.mongo.documents("raw", "split_0_input"),
            Some(vec![old])
        );
    }

    /// Asserts that both targets are those of the run, that nothing else exists, and that nothing
    /// is marked as unfinished.
    #[track_caller]
    pub(crate) fn assert_imported(&self) {
        assert_eq!(self.collections(), ["split_0_input", "split_1_input"]);
        assert_eq!(self.mongo.documents("raw", ENTRIES), Some(Vec::new()));
        for (split, count) in [(0, 30), (1, 20)] {
            let mut expected: Vec<_> = SplitDocuments::new(split, 4)
                .take(count)
                .map(RawDocumentBuf::into_bytes)
                .collect();
            let found = self.mongo.documents("raw", &format!("split_{split}_input"));
            let mut found = found.unwrap();
            expected.sort();
            found.sort();
            assert_eq!(found, expected);
        }
    }

    /// The data files requested, such as `split_0.parquet/part-00000-00000.parquet`.
    pub(crate) fn fetched(&self) -> Vec<String> {
        let requests = self.s3.requests().into_iter();
        let gets = requests.filter(|request| request.operation == Operation::GetObject);
        let names = gets.filter_map(|request| {
            let name = request.key.strip_prefix("processed-splits/run-1/")?;
            name.ends_with(".parquet").then(|| name.to_owned())
        });
        names.collect()
    }

    /// A bed with empty servers.
    pub(crate) async fn with(mongo: MongoOptions) -> Self {
        Self::with_gate(mongo, None).await
    }

    /// The same, with a gate in front of S3.
    pub(crate) async fn with_gate(mongo: MongoOptions, gate: Option<Arc<dyn s3::Gate>>) -> Self {
        let has_aws_user = mongo.aws_user.is_some();
        let s3 = S3Options {
            gate,
            double: has_aws_user.then_some("keys that MongoDB's double knows too"),
            ..S3Options::default()
        };
        let program = env!("CARGO_BIN_EXE_lob-import");
        let mongo = bed::mongodb(program, mongo).await;
        let of_any_tool = bed::Bed::new(program, s3).await;
        Self {
            of_any_tool: of_any_tool
                .with_variable("MONGODB_URI", mongo.uri())
                // On a disk, whatever this machine's default is.
                .with_variable("TMPDIR", env!("CARGO_TARGET_TMPDIR")),
            mongo,
        }
    }

    /// Imports run `run-1`, logging errors only.
    pub(crate) async fn import(&self, args: &[&str]) -> Finished {
        finish(self.start(args)).await
    }
}

/// A data file of one row group, and what a manifest says about it.
pub(crate) struct DataFile {
    pub(crate) key: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) rows: u64,
    pub(crate) digest: Digest,
}

pub(crate) fn data_file(key: String, documents: &[RawDocumentBuf]) -> DataFile {
    let (mut proposal, mut digest) = (ColumnsProposal::new(), Digest::default());
    for document in documents {
        proposal.observe(document.as_bytes()).unwrap();
        digest.add(document.as_bytes());
    }
    let columns = proposal.finish();
    let mut encoder = Encoder::new(&columns);
    for document in documents {
        encoder.push(document.as_bytes()).unwrap();
    }
    let mut writer = ParquetWriter::new(Vec::new(), &columns).unwrap();
    let row_group = encoder.take_row_group();
    writer
        .write(row_group.encode(Compression::Auto).unwrap())
        .unwrap();
    DataFile {
        key,
        bytes: writer.finish(encoder.finish()).unwrap(),
        rows: documents.len() as u64,
        digest,
    }
}

impl DataFile {
    fn entry(&self) -> Value {
        json!({
            "key": self.key,
            "size_bytes": self.bytes.len(),
            "sha256": Sha256::of(&self.bytes),
            "crc64nvme": Crc::of(&self.bytes),
            "etag": "0",
            "version_id": null,
            "verified": "full-object-crc64nvme",
            "rows": self.rows,
            "digest": self.digest,
            "residual_rows": 0,
        })
    }
}

/// A split with these data files.
pub(crate) fn split_of(number: u64, files: &[DataFile]) -> Value {
    let rows: u64 = files.iter().map(|file| file.rows).sum();
    let mut digest = Digest::default();
    files.iter().for_each(|file| digest.merge(file.digest));
    json!({
        "split_id": number,
        "collection": format!("split_{number}_input"),
        "s3_path": "s3://elsewhere/",
        "num_documents": rows,
        "ranges": 1,
        "role_distribution": { "train": rows },
        "schema_fields": ["_id"],
        "feature_length": 4,
        "checksum": "md5:0",
        "digest": digest,
        "residual_rows": 0,
        "columns": [],
        "consistency": "live",
        "files": files.iter().map(DataFile::entry).collect::<Vec<_>>(),
    })
}

pub(crate) fn manifest(run: &str, time: &str, splits: Vec<Value>) -> Value {
    let counts = splits.iter().map(|split| split["num_documents"].as_u64());
    let total: u64 = counts.flatten().sum();
    json!({
        "run_id": run,
        "export_timestamp": time,
        "pipeline_stage": 14,
        "database": "elsewhere",
        "num_splits": splits.len(),
        "format": "parquet",
        "compression": "auto",
        "s3_config": { "bucket": "elsewhere", "prefix": "elsewhere", "region": "elsewhere" },
        "splits": splits,
        "total_documents": total,
        "format_version": 1,
        "tool": "lob-export",
        "tool_version": "0.1.0",
        "write_token": "0123456789abcdef0123456789abcdef",
        "started": time,
        "finished": time,
        "endpoint": {
            "conditional_writes": true,
            "crc64nvme": true,
            "md5_etags": true,
            "multipart": { "conditional_completes": true, "full_object_crc64nvme": true },
        },
        "settings": {},
        "metrics": { "seconds": 1.0, "peak_memory_bytes": null, "operations": {} },
    })
}
