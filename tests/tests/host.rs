//! What the machine may do to a tool: a disk that is full or broken, limits, a clock that jumps, a
//! thread that cannot start. Work is done or fails cleanly, and the same command finishes it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "host/clock.rs"]
mod clock;
#[path = "host/descriptors.rs"]
mod descriptors;
#[path = "host/disk.rs"]
mod disk;
#[path = "host/folders.rs"]
mod folders;
#[path = "host/panics.rs"]
mod panics;

use bson::RawDocumentBuf;
use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
use lob_testkit::preload::Preload;
use lob_testkit::split_documents::SplitDocuments;
use lob_tests::servers::Servers;
use lob_tests::tool::Ended;
use tempfile::TempDir;
use tokio::process::Command;

/// The tools, each with work of a few files.
const TOOLS: [&str; 3] = ["lob-upload", "lob-export", "lob-import"];
const EXPORT: [&str; 6] = [
    "--ranges",
    "3",
    "--file-size",
    "100KiB",
    "--row-group-size",
    "30KiB",
];

/// Servers with something to upload, to export and to import, again and again.
struct Host {
    servers: Servers,
    folder: TempDir,
    documents: Vec<RawDocumentBuf>,
    /// Names the runs and the targets of this time.
    turn: u32,
}

impl Host {
    async fn new() -> Self {
        let servers = Servers::start().await;
        let documents: Vec<_> = SplitDocuments::new(1, 40).take(300).collect();
        servers.insert("split_0_input", &documents).await;
        let export = [&["--run-id", "source"][..], &EXPORT].concat();
        servers.run("lob-export", &export).await.with_status(0);
        let folder = TempDir::new().unwrap();
        let source = folder.path().join("lob_data");
        std::fs::create_dir(&source).unwrap();
        for (seed, name) in ["a", "b", "c"].iter().enumerate() {
            let feed = ParquetFeed {
                seed: seed as u64,
                size: FeedSize::Rows(500),
                levels: 2,
            };
            feed.write(&source.join(format!("{name}.parquet"))).unwrap();
        }
        Self {
            servers,
            folder,
            documents,
            turn: 0,
        }
    }

    /// The arguments of a tool's work.
    fn arguments(&self, tool: &str) -> Vec<String> {
        let Self { folder, turn, .. } = self;
        let source = folder.path().join("lob_data");
        let names = match tool {
            "lob-upload" => format!("--run-id up-{turn} --source-dir {}", source.display()),
            "lob-export" => format!("--run-id down-{turn} {}", EXPORT.join(" ")),
            _ => format!("--run-id source --collection-pattern back-{turn}_{{N}}"),
        };
        names.split(' ').map(str::to_owned).collect()
    }

    /// A tool at its work.
    fn tool(&self, tool: &str) -> Command {
        let mut command = self.servers.tool(tool, &[]);
        command.args(self.arguments(tool));
        command
    }

    /// The same, started by a shell script, in which the binary is `$0`.
    fn through_shell(&self, script: &str, tool: &str) -> Command {
        let mut shell = self.servers.through_shell(script, tool, &[]);
        shell.args(self.arguments(tool));
        shell
    }

    /// Whether a tool's work is done, according to those who read its result.
    async fn is_done(&self, tool: &str) -> bool {
        let (keys, turn) = (self.servers.keys().await, self.turn);
        let has = |key: String| keys.contains(&key);
        match tool {
            "lob-upload" => has(format!("lob-data/up-{turn}/manifest.json")),
            "lob-export" => has(format!("processed-splits/down-{turn}/manifest.json")),
            _ => {
                let found = self.servers.collections(&self.servers.database).await;
                found.contains(&format!("back-{turn}_0"))
            }
        }
    }

    /// Asserts that a tool's work is done and right.
    async fn assert_right(&self, tool: &str) {
        assert!(self.is_done(tool).await, "{tool}");
        let run = match tool {
            "lob-upload" => format!("up-{}", self.turn),
            "lob-export" => format!("down-{}", self.turn),
            _ => {
                let (database, name) = (&self.servers.database, format!("back-{}_0", self.turn));
                let found = self.servers.documents(database, &name).await;
                return assert!(found == self.documents);
            }
        };
        let verify = ["verify", &run, "--full"];
        self.servers.run(tool, &verify).await.with_status(0);
    }

    /// Asserts that a tool's work is not done, and that the undisturbed command does it.
    async fn assert_can_be_done(&self, tool: &str) {
        assert!(!self.is_done(tool).await, "{tool} has done its work");
        let output = self.tool(tool).output().await.unwrap();
        Ended::from(output).with_status(0);
        self.assert_right(tool).await;
    }
}

/// The library that breaks system calls; without a C compiler, the test is skipped.
fn preload() -> Option<Preload> {
    let preload = Preload::compile();
    if preload.is_none() {
        lob_testkit::skipped("there is no C compiler");
    }
    preload
}
