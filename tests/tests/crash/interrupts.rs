//! Ctrl-C: nothing is published, and what was under way is cleared away.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use lob_testkit::mongo::{self, Command};
use lob_testkit::s3::{self, Operation, Request};
use lob_tests::servers::{Gates, Servers};
use tokio::process::Child;
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;

use crate::export::{arguments, load_splits};
use crate::import::{Exported, assert_untouched};
use crate::{doubles, has};

/// Sends a signal as a terminal does.
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
    assert!(stderr.ends_with("error: interrupted\n"), "{stderr}");
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

/// Holds one command until it is released, and every insert of documents for ever.
#[derive(Default)]
struct Until {
    command: &'static str,
    arrived: Notify,
    released: Notify,
    seen: OnceLock<()>,
}

#[async_trait]
impl mongo::Gate for Until {
    async fn decide(&self, moment: mongo::Moment, command: &Command) -> mongo::Verdict {
        if moment == mongo::Moment::Arrived
            && command.name == self.command
            && (command.name != "insert" || command.documents > 0)
            && self.seen.set(()).is_ok()
        {
            self.arrived.notify_one();
            self.released.notified().await;
        }
        if command.name == "insert" && command.documents > 0 {
            return mongo::Verdict::Hold;
        }
        mongo::Verdict::Pass
    }
}

async fn interrupted_import(command: &'static str) {
    let gate = Arc::new(Until {
        command,
        ..Until::default()
    });
    let servers = Servers::doubles(Gates {
        s3: None,
        mongo: Some(Arc::clone(&gate) as Arc<dyn mongo::Gate>),
    })
    .await;
    Exported::new().await.put(&servers);
    let child = servers.spawn("lob-import", &["--run-id", "r1"]);
    gate.arrived.notified().await;
    interrupt(&child).await;
    gate.released.notify_one();
    ends_interrupted(child).await;
    assert_untouched(&servers);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_interrupted_while_it_inserts_drops_staging() {
    interrupted_import("insert").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_interrupted_while_staging_is_created_drops_it() {
    interrupted_import("create").await;
}
