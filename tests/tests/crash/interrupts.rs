//! Ctrl-C, SIGTERM and SIGHUP: nothing is published, and whatever can be resumed is kept.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use lob_testkit::mongo::{self, Command};
use lob_testkit::s3::{self, Operation, Request};
use lob_tests::servers::{Gates, Servers};
use tokio::process::Child;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::export::{SIZES, arguments, load_splits};
use crate::import::{Exported, IMPORT, assert_imported, assert_untouched};
use crate::{doubles, has};

/// How a signal ends a tool.
#[derive(Clone, Copy)]
struct Signal {
    name: &'static str,
    status: i32,
}

/// Those that a tool answers, as a terminal and a scheduler send them.
const ANSWERED: [Signal; 2] = [
    Signal {
        name: "-INT",
        status: 130,
    },
    Signal {
        name: "-TERM",
        status: 143,
    },
];
/// SIGHUP, by its number: no tool answers it.
const HANGUP: i32 = 1;

async fn send(child: &Child, signal: &str) {
    let pid = child.id().unwrap().to_string();
    let kill = tokio::process::Command::new("kill")
        .args([signal, &pid])
        .status()
        .await;
    assert!(kill.unwrap().success());
}

async fn ends_interrupted(child: Child, signal: Signal) {
    let output = child.wait_with_output().await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(signal.status), "{stderr}");
    assert!(stderr.contains(": interrupted\n"), "{stderr}");
}

/// An export that is held for ever at its first request of each of these operations, and the news
/// of them.
async fn held_export(operations: &'static [Operation]) -> (Servers, Child, UnboundedReceiver<()>) {
    let (held, mut holds) = unbounded_channel();
    let gate = move |moment: s3::Moment, request: &Request| {
        let is_data = request.key.ends_with(".parquet");
        if moment == s3::Moment::Arrived && is_data && operations.contains(&request.operation) {
            let _ = held.send(());
            return s3::Verdict::Hold;
        }
        s3::Verdict::Pass
    };
    let servers = Servers::doubles(Gates {
        s3: Some(Arc::new(gate)),
        mongo: None,
    })
    .await;
    load_splits(&servers);
    let plan = [&SIZES[..], &["--run-id", "r1", "plan"]].concat();
    servers.run("lob-export", &plan).await.with_status(0);
    // Of the four ranges the first alone: the next one would begin while its file is completed.
    let one_range = ["--jobs", "1", "work", "--worker", "0/4"];
    let one_range = [&arguments("r1")[..], &one_range].concat();
    let child = servers.spawn("lob-export", &one_range);
    holds.recv().await.unwrap();
    (servers, child, holds)
}

fn assert_not_published(servers: &Servers) {
    assert!(!has(servers, "processed-splits/r1/manifest.json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_export_publishes_nothing_and_aborts_its_upload() {
    for signal in ANSWERED {
        let (servers, child, _) = held_export(&[Operation::UploadPart]).await;
        send(&child, signal.name).await;
        ends_interrupted(child, signal).await;
        assert_not_published(&servers);
        assert_eq!(doubles(&servers).s3.open_uploads(&servers.bucket), []);
    }
    lob_testkit::fault_fired("C3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_an_export_at_once() {
    for signal in ANSWERED {
        let operations = &[Operation::UploadPart, Operation::AbortMultipartUpload];
        let (servers, mut child, mut holds) = held_export(operations).await;
        send(&child, signal.name).await;
        // It waits for the server to abort the upload.
        holds.recv().await.unwrap();
        send(&child, signal.name).await;
        let ended = child.wait().await.unwrap();
        assert_eq!(ended.code(), Some(signal.status));
        assert_not_published(&servers);
        assert_eq!(doubles(&servers).s3.open_uploads(&servers.bucket).len(), 1);
    }
    lob_testkit::fault_fired("C3");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_hung_up_on_publishes_nothing() {
    let (servers, mut child, _) = held_export(&[Operation::UploadPart]).await;
    send(&child, "-HUP").await;
    assert_eq!(child.wait().await.unwrap().signal(), Some(HANGUP));
    assert_not_published(&servers);
    lob_testkit::fault_fired("C4");
}

/// Holds the first command with a given name until its connection is to be closed.
#[derive(Default)]
struct First {
    command: &'static str,
    arrived: Notify,
    closed: Notify,
    seen: OnceLock<()>,
}

#[async_trait]
impl mongo::Gate for First {
    async fn decide(&self, moment: mongo::Moment, command: &Command) -> mongo::Verdict {
        if moment == mongo::Moment::Arrived
            && command.name == self.command
            && (command.name != "insert" || command.documents > 1)
            && self.seen.set(()).is_ok()
        {
            self.arrived.notify_one();
            self.closed.notified().await;
            return mongo::Verdict::Disconnect;
        }
        mongo::Verdict::Pass
    }
}

/// An import that is held at its first command with this name.
async fn held_import(command: &'static str) -> (Servers, Child, Arc<First>) {
    let gate = Arc::new(First {
        command,
        ..First::default()
    });
    let servers = Servers::doubles(Gates {
        s3: None,
        mongo: Some(Arc::clone(&gate) as Arc<dyn mongo::Gate>),
    })
    .await;
    Exported::new().await.put(&servers);
    let child = servers.spawn("lob-import", &IMPORT);
    gate.arrived.notified().await;
    (servers, child, gate)
}

/// Asserts that no target is touched, and that the same command finishes the import.
async fn assert_goes_on(servers: &Servers, gate: &First) {
    gate.closed.notify_one();
    assert_untouched(servers);
    servers.run("lob-import", &IMPORT).await.with_status(0);
    assert_imported(servers);
}

/// Interrupts an import at its first command with this name; the next import must succeed.
async fn interrupted_import(command: &'static str) {
    for signal in ANSWERED {
        let (servers, child, gate) = held_import(command).await;
        send(&child, signal.name).await;
        ends_interrupted(child, signal).await;
        assert_goes_on(&servers, &gate).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_hung_up_on_can_be_resumed() {
    let (servers, mut child, gate) = held_import("insert").await;
    send(&child, "-HUP").await;
    assert_eq!(child.wait().await.unwrap().signal(), Some(HANGUP));
    assert_goes_on(&servers, &gate).await;
    lob_testkit::fault_fired("C4");
}

/// Both signals are there before the import can act on the first.
#[tokio::test(flavor = "multi_thread")]
async fn two_signals_end_an_import_like_one() {
    for signal in ANSWERED {
        let (servers, mut child, gate) = held_import("insert").await;
        for name in ["-STOP", signal.name, signal.name, "-CONT"] {
            send(&child, name).await;
        }
        let ended = child.wait().await.unwrap();
        assert_eq!(ended.code(), Some(signal.status));
        assert_goes_on(&servers, &gate).await;
    }
    lob_testkit::fault_fired("C3");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_interrupted_while_inserting_can_be_resumed() {
    interrupted_import("insert").await;
    lob_testkit::fault_fired("C3");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_interrupted_while_creating_staging_can_be_resumed() {
    interrupted_import("create").await;
}
