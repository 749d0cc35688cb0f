//! Faults of servers and networks, and all three tools: each recovers with the right bytes, or fails
//! with a named error and leaves nothing behind that looks whole.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod black_holes;
mod downloads;
mod operations;
mod slow_networks;
mod storms;

use bson::RawDocumentBuf;
use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
use lob_testkit::split_documents::SplitDocuments;
use lob_tests::servers::{Gates, Servers};
use lob_tests::tool::Ended;
use tempfile::TempDir;

/// Exports split 0 as run `r1`.
const EXPORT: [&str; 4] = ["--run-id", "r1", "--compression", "none"];
/// Imports it under another name.
const IMPORT: [&str; 6] = [
    "--run-id",
    "r1",
    "--collection-pattern",
    "back_{N}",
    "--check",
    "full",
];

/// Servers with a split collection, and a folder with a file to upload.
struct Bed {
    servers: Servers,
    source: TempDir,
    documents: Vec<RawDocumentBuf>,
}

impl Bed {
    /// Documents and a file of a few kilobytes, on doubles with these gates.
    async fn small(gates: Gates) -> Self {
        Self::new(gates, 200, FeedSize::Rows(1000)).await
    }

    async fn new(gates: Gates, documents: usize, file: FeedSize) -> Self {
        let servers = Servers::doubles(gates).await;
        let documents: Vec<_> = SplitDocuments::new(7, 20).take(documents).collect();
        let doubles = servers.doubles.as_ref().unwrap();
        let copies = documents.iter().cloned();
        let loaded = doubles
            .mongo
            .load(&servers.database, "split_0_input", copies);
        loaded.unwrap();
        let source = TempDir::new().unwrap();
        let feed = ParquetFeed {
            seed: 1,
            size: file,
            levels: 2,
        };
        feed.write(&source.path().join("a.parquet")).unwrap();
        Self {
            servers,
            source,
            documents,
        }
    }

    /// The arguments of a tool's first command.
    fn arguments(&self, tool: &str) -> Vec<String> {
        let source = self.source.path().display().to_string();
        let upload = ["--run-id", "r1", "--source-dir", &source];
        let parts = ["--part-size", "5MiB", "--multipart-threshold", "5MiB"];
        let arguments: Vec<&str> = match tool {
            "lob-upload" => upload.into_iter().chain(parts).collect(),
            "lob-export" => EXPORT.into(),
            _ => IMPORT.into(),
        };
        arguments.into_iter().map(str::to_owned).collect()
    }

    /// Runs a tool with further arguments and variables.
    async fn run(&self, tool: &str, more: &[&str], variables: &[(&str, String)]) -> Ended {
        let arguments = self.arguments(tool);
        let arguments = arguments
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied());
        let arguments: Vec<_> = arguments.collect();
        let mut command = self.servers.tool(tool, &arguments);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.output().await.unwrap().into()
    }

    /// Asserts that what the tool made is whole.
    async fn assert_whole(&self, tool: &str) {
        match tool {
            "lob-upload" => {
                let sent = self.servers.object("lob-data/r1/a.parquet").await;
                assert!(sent == self.file());
                assert!(self.has_manifest("lob-data"));
            }
            "lob-export" => assert!(self.has_manifest("processed-splits")),
            _ => {
                let database = &self.servers.database;
                let back = self.servers.documents(database, "back_0").await;
                assert!(back == self.documents);
            }
        }
    }

    /// Whether the tool left something that looks whole.
    fn has_result(&self, tool: &str) -> bool {
        match tool {
            "lob-upload" => self.has_manifest("lob-data"),
            "lob-export" => self.has_manifest("processed-splits"),
            _ => {
                let doubles = self.servers.doubles.as_ref().unwrap();
                let names = doubles.mongo.collections(&self.servers.database);
                names.iter().any(|(name, _)| name == "back_0")
            }
        }
    }

    fn has_manifest(&self, prefix: &str) -> bool {
        let doubles = self.servers.doubles.as_ref().unwrap();
        let key = format!("{prefix}/r1/manifest.json");
        doubles.s3.object(&self.servers.bucket, &key).is_some()
    }

    fn file(&self) -> Vec<u8> {
        std::fs::read(self.source.path().join("a.parquet")).unwrap()
    }
}
