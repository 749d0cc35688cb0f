//! What only the testkit's MongoDB server can do: inject faults, deviate, and report what it was
//! asked.
//!
//! Behaviour that it shares with a real server is covered by the contract suite in `lob-tests`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bson::raw::RawDocumentBuf;
use bson::{doc, rawdoc};
use futures::TryStreamExt;
use lob_testkit::mongo::{
    Command, FaultCounts, Gate, Moment, MongoOptions, MongoServer, RandomFaults, Verdict,
};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::Hint;
use mongodb::{Client, Collection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

async fn collection(server: &MongoServer) -> Collection<RawDocumentBuf> {
    Client::with_uri_str(server.uri())
        .await
        .unwrap()
        .database("db")
        .collection("c")
}

fn start(gate: impl Gate) -> MongoServer {
    let gate: Arc<dyn Gate> = Arc::new(gate);
    MongoServer::start(MongoOptions {
        gate: Some(gate),
        ..MongoOptions::default()
    })
    .unwrap()
}

fn code(error: &Error) -> i32 {
    match &*error.kind {
        ErrorKind::Command(command) => command.code,
        other => panic!("not refused by the server: {other:?}"),
    }
}

/// A gate that acts on the n-th occurrence (from 0) of a command at a given moment.
fn nth(n: u32, name: &'static str, at: Moment, verdict: Verdict) -> impl Gate {
    let seen = AtomicU32::new(0);
    move |moment: Moment, command: &Command| {
        if moment == at && command.name == name && seen.fetch_add(1, Ordering::Relaxed) == n {
            verdict
        } else {
            Verdict::Pass
        }
    }
}

#[tokio::test]
async fn a_write_whose_reply_was_lost_is_retried_and_executed_once() {
    for verdict in [Verdict::Disconnect, Verdict::Answer { code: 91 }] {
        for moment in [Moment::Arrived, Moment::Executed] {
            let server = start(nth(0, "insert", moment, verdict));
            let collection = collection(&server).await;
            collection
                .insert_many([rawdoc! { "_id": 1 }, rawdoc! { "_id": 2 }])
                .await
                .unwrap();
            assert_eq!(server.documents("db", "c").unwrap().len(), 2);
            let commands = server.commands();
            let inserts: Vec<_> = commands.iter().filter(|c| c.name == "insert").collect();
            assert_eq!(inserts.len(), 2);
            let numbers: Vec<_> = inserts
                .iter()
                .map(|c| c.arguments.get_i64("txnNumber").unwrap())
                .collect();
            assert_eq!(numbers[0], numbers[1]);
        }
    }
}

#[tokio::test]
async fn a_gate_can_replace_the_reply_before_or_after_execution() {
    for (moment, stored) in [(Moment::Arrived, None), (Moment::Executed, Some(1))] {
        let server = start(nth(0, "insert", moment, Verdict::Answer { code: 13 }));
        let refused = collection(&server)
            .await
            .insert_one(rawdoc! { "_id": 1 })
            .await;
        assert_eq!(code(&refused.unwrap_err()), 13);
        assert_eq!(
            server.documents("db", "c").map(|documents| documents.len()),
            stored
        );
    }
}

#[tokio::test]
async fn a_held_command_is_never_executed_and_does_not_block_others() {
    let held = Arc::new(Notify::new());
    let signal = Arc::clone(&held);
    let server = start(move |moment: Moment, command: &Command| {
        if command.documents == 2 && moment == Moment::Arrived {
            signal.notify_one();
            return Verdict::Hold;
        }
        Verdict::Pass
    });
    let collection = collection(&server).await;
    let other = collection.clone();
    let insert = tokio::spawn(async move {
        other
            .insert_many([rawdoc! { "_id": 1 }, rawdoc! { "_id": 2 }])
            .await
    });
    held.notified().await;
    collection.insert_one(rawdoc! { "_id": 9 }).await.unwrap();
    assert!(!insert.is_finished());
    insert.abort();
    assert_eq!(server.documents("db", "c").unwrap().len(), 1);
}

#[tokio::test]
async fn every_command_is_logged_with_its_arguments_and_result() {
    let server = MongoServer::start(MongoOptions::default()).unwrap();
    let collection = collection(&server).await;
    let documents: Vec<_> = (0..5).map(|id| rawdoc! { "_id": id }).collect();
    collection
        .insert_many(&documents)
        .ordered(false)
        .await
        .unwrap();
    let find = collection
        .find(doc! {})
        .min(doc! { "_id": 1 })
        .hint(Hint::Keys(doc! { "_id": 1 }));
    let found: Vec<_> = find
        .batch_size(3)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(found.len(), 4);
    let commands = server.commands();
    let log: Vec<_> = commands
        .iter()
        .map(|c| {
            (
                &*c.name,
                &*c.database,
                c.collection.as_deref(),
                c.documents,
                c.batch_size,
            )
        })
        .collect();
    assert_eq!(
        log,
        [
            ("insert", "db", Some("c"), 5, None),
            ("find", "db", Some("c"), 3, Some(3)),
            ("getMore", "db", Some("c"), 1, Some(3)),
        ]
    );
    assert!(!commands[0].arguments.get_bool("ordered").unwrap());
    assert!(commands[0].arguments.get("documents").unwrap().is_none());
    assert_eq!(
        commands[1].arguments.get_document("min").unwrap(),
        &*rawdoc! { "_id": 1 }
    );
    assert!(commands[1].reply_bytes > 3 * 14);
}

#[tokio::test]
async fn wrong_and_missing_credentials_fail_differently() {
    let options = MongoOptions {
        require_auth: true,
        ..MongoOptions::default()
    };
    let server = MongoServer::start(options).unwrap();
    let anonymous = collection(&server)
        .await
        .insert_one(rawdoc! { "_id": 1 })
        .await;
    assert_eq!(code(&anonymous.unwrap_err()), 13);
    let uri = server.uri().replace("mongodb://", "mongodb://user:wrong@");
    let client = Client::with_uri_str(uri).await.unwrap();
    let refused = client
        .database("db")
        .run_command(doc! { "ping": 1 })
        .await
        .unwrap_err();
    assert!(
        matches!(&*refused.kind, ErrorKind::Authentication { .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_server_deviates_only_where_told_to() {
    let text = "x".repeat(6 << 20);
    for deviates in [false, true] {
        let options = MongoOptions {
            ignore_bounds: deviates,
            uncapped_replies: deviates,
            ..MongoOptions::default()
        };
        let server = MongoServer::start(options).unwrap();
        let documents = (0..4).map(|id| rawdoc! { "_id": id, "text": text.as_str() });
        server.load("db", "c", documents).unwrap();
        let collection = collection(&server).await;
        let bounded = collection
            .find(doc! {})
            .max(doc! { "_id": 0 })
            .hint(Hint::Keys(doc! { "_id": 1 }));
        let found: Vec<_> = bounded.await.unwrap().try_collect().await.unwrap();
        assert_eq!(found.len(), if deviates { 4 } else { 0 });
        let all = collection.find(doc! {}).batch_size(10).await.unwrap();
        let all: Vec<_> = all.try_collect().await.unwrap();
        assert_eq!(all.len(), 4);
        let first = server
            .commands()
            .into_iter()
            .rfind(|c| c.name == "find")
            .unwrap();
        assert_eq!(first.documents, if deviates { 4 } else { 2 });
    }
}

/// A message with one body section, and a checksum if `flags` ask for one.
fn message(id: i32, opcode: i32, flags: i32, body: RawDocumentBuf) -> Vec<u8> {
    let checksum: &[u8] = if flags & CHECKSUM_PRESENT != 0 {
        &[0xee; 4]
    } else {
        &[]
    };
    let length = 16 + 4 + 1 + body.as_bytes().len() + checksum.len();
    let mut message = Vec::new();
    for field in [length as i32, id, 0, opcode, flags] {
        message.extend_from_slice(&field.to_le_bytes());
    }
    message.push(0);
    message.extend_from_slice(body.as_bytes());
    message.extend_from_slice(checksum);
    message
}

const CHECKSUM_PRESENT: i32 = 1;
const MORE_TO_COME: i32 = 2;

/// The id of the request that the first reply answers; `None` if the connection is closed instead.
async fn answered(server: &MongoServer, messages: &[Vec<u8>]) -> Option<i32> {
    let mut stream = TcpStream::connect(address(server)).await.unwrap();
    stream.write_all(&messages.concat()).await.unwrap();
    let mut header = [0; 16];
    stream.read_exact(&mut header).await.ok()?;
    Some(i32::from_le_bytes(*header[8..].first_chunk().unwrap()))
}

fn address(server: &MongoServer) -> SocketAddr {
    let uri = server.uri().replace("mongodb://", "");
    uri.split('/').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_unacknowledged_write_is_executed_without_a_reply() {
    let server = MongoServer::start(MongoOptions::default()).unwrap();
    let insert = rawdoc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "db" };
    let ping = rawdoc! { "ping": 1, "$db": "db" };
    let messages = [
        message(1, 2013, MORE_TO_COME, insert),
        message(2, 2013, 0, ping),
    ];
    assert_eq!(answered(&server, &messages).await, Some(2));
    assert_eq!(server.documents("db", "c").unwrap().len(), 1);
}

#[tokio::test]
async fn a_checksum_is_tolerated_and_another_protocol_closes_the_connection() {
    let server = MongoServer::start(MongoOptions::default()).unwrap();
    let ping = rawdoc! { "ping": 1, "$db": "db" };
    let checked = message(7, 2013, CHECKSUM_PRESENT, ping.clone());
    assert_eq!(answered(&server, &[checked]).await, Some(7));
    assert_eq!(answered(&server, &[message(7, 2004, 0, ping)]).await, None);
}

#[test]
fn a_stopped_server_refuses_connections() {
    let server = MongoServer::start(MongoOptions::default()).unwrap();
    let address = address(&server);
    let connect = || std::net::TcpStream::connect(address);
    assert!(connect().is_ok());
    drop(server);
    assert!(connect().is_err());
}

/// The verdicts of a gate on the first 2,000 commands of a run.
async fn faults_of(seed: u64, share: f64, name: &str) -> (Vec<Verdict>, FaultCounts) {
    let faults = RandomFaults::new(seed, share).on(&["getMore", "delete"]);
    let mut verdicts = Vec::new();
    for number in 0..2000 {
        let command = Command {
            number,
            name: name.to_owned(),
            database: "db".to_owned(),
            collection: None,
            documents: 0,
            batch_size: None,
            arguments: rawdoc! {},
            reply_bytes: 0,
        };
        let mut verdict = faults.decide(Moment::Arrived, &command).await;
        if verdict == Verdict::Pass {
            verdict = faults.decide(Moment::Executed, &command).await;
        }
        verdicts.push(verdict);
    }
    (verdicts, faults.counts())
}

#[tokio::test]
async fn random_faults_hit_a_share_of_the_chosen_commands_and_repeat_by_seed() {
    let (first, counts) = faults_of(7, 0.2, "getMore").await;
    assert_eq!(faults_of(7, 0.2, "getMore").await, (first.clone(), counts));
    assert_ne!(faults_of(8, 0.2, "getMore").await.0, first);

    let disturbed = first.iter().filter(|v| **v != Verdict::Pass).count() as u64;
    assert_eq!((counts.commands, counts.faults()), (2000, disturbed));
    assert!((300..500).contains(&disturbed), "{disturbed}");
    for kind in [
        counts.refusals,
        counts.interruptions,
        counts.disconnects,
        counts.lost_replies,
    ] {
        assert!((50..150).contains(&kind), "{counts:?}");
    }
    let lost_cursor = Verdict::Answer { code: 43 };
    assert!(first.contains(&lost_cursor));
    assert!(!faults_of(7, 0.2, "delete").await.0.contains(&lost_cursor));
    assert_eq!(faults_of(7, 0.2, "find").await.1, FaultCounts::default());
    assert_eq!(faults_of(7, 0.0, "getMore").await.1.faults(), 0);
}
