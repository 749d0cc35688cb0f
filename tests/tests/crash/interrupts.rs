//! Ctrl-C: nothing is published, and whatever can be resumed is kept.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use lob_testkit::mongo::{self, Command};
use lob_testkit::s3::{self, Operation, Request};
use lob_tests::servers::{Gates, Servers};
use tokio::process::Child;
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;

use crate::export::{arguments, load_splits};
use crate::import::{Exported, assert_imported, assert_untouched};
use crate::{doubles, has};

/// Sends SIGINT, as a terminal does.
async fn interrupt(child: &Child) {
    let pid = child.id().unwrap().to_string();
    let kill = tokio::process::Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .await;
    assert!(kill.unwrap().success());
}

async fn ends_interrupted(child: Child) {
    let output = child.wait_with_output().await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains(": interrupted\n"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_export_publishes_nothing_and_aborts_its_upload() {
    let (held, mut holds) = unbounded_channel();
    let gate = move |moment: s3::Moment, request: &Request| {
        if moment == s3::Moment::Arrived && request.operation == Operation::UploadPart {
            held.send(()).unwrap();
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
    let child = servers.spawn("lob-export", &arguments("r1"));
    holds.recv().await.unwrap();
    interrupt(&child).await;
    ends_interrupted(child).await;
    assert!(!has(&servers, "processed-splits/r1/manifest.json"));
    assert_eq!(doubles(&servers).s3.open_uploads(&servers.bucket), []);
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

/// Interrupts an import at its first command with this name; the next import must succeed.
async fn interrupted_import(command: &'static str) {
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
    let import = ["--run-id", "r1"];
    let child = servers.spawn("lob-import", &import);
    gate.arrived.notified().await;
    interrupt(&child).await;
    ends_interrupted(child).await;
    gate.closed.notify_one();
    assert_untouched(&servers);
    servers.run("lob-import", &import).await.with_status(0);
    assert_imported(&servers);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_interrupted_while_inserting_can_be_resumed() {
    interrupted_import("insert").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_interrupted_while_creating_staging_can_be_resumed() {
    interrupted_import("create").await;
}
