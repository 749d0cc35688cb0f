//! A real MongoDB behind a test's server: it executes what the gate lets pass, and tells the test
//! what it holds.
//!
//! Each client's connection has one to the real server, on which commands and replies pass byte for
//! byte, except for what `hello` says about addresses, and about features of a connection that the
//! test's server does not have.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod load;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bson::{Document, RawDocumentBuf, doc};
use futures::TryStreamExt as _;
use mongodb::{Client, Database};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use uuid::Uuid;

use super::catalog::Namespace;
use super::element::{elements, get};
use super::wire::{self, Message};
use crate::canaries::PASSWORD;
use crate::document_writer::DocumentWriter;
use crate::real::{self, InFlight, Lease, Pool};

/// Root's clients by server: logging in takes longer than most tests use one.
static CLIENTS: Mutex<BTreeMap<String, Client>> = Mutex::new(BTreeMap::new());

/// A MongoDB that nobody else uses; clones share it, and the last one gives it back.
#[derive(Clone)]
pub(crate) struct Mongod(Arc<Inner>);

struct Inner {
    /// The user that the tool logs in as.
    user: String,
    client: Client,
    in_flight: InFlight,
    lease: Lease,
}

/// A connection to it.
pub(crate) struct Upstream {
    stream: TcpStream,
    in_flight: InFlight,
}

impl Mongod {
    /// Takes one from the pool, without databases.
    pub(crate) async fn take(pool: &'static Pool, user: &str) -> Self {
        let lease = pool.take().await;
        let address = lease.address().to_owned();
        let client = real::spawn(async move {
            let client = client(&address).await;
            for name in client.list_database_names().await.unwrap() {
                if !matches!(&*name, "admin" | "config" | "local") {
                    client.database(&name).drop().await.unwrap();
                }
            }
            client
        });
        Self(Arc::new(Inner {
            user: user.to_owned(),
            client: client.await.unwrap(),
            in_flight: InFlight::default(),
            lease,
        }))
    }

    /// The connection string of the tool's user, for a server at `address` in front.
    pub(crate) fn uri(&self, address: SocketAddr) -> String {
        let user = &self.0.user;
        format!("mongodb://{user}:{PASSWORD}@{address}/?replicaSet=rs0")
    }

    /// A connection for one client.
    pub(crate) async fn connect(&self) -> io::Result<Upstream> {
        let stream = TcpStream::connect(self.0.lease.address()).await?;
        stream.set_nodelay(true)?;
        let in_flight = self.0.in_flight.clone();
        Ok(Upstream { stream, in_flight })
    }

    /// Waits until it has executed everything that it was sent.
    pub(crate) fn settle(&self) {
        self.0.in_flight.wait_for_none();
    }

    /// Asks it once it has executed everything.
    fn ask<T: Send + 'static, A>(&self, database: &str, question: impl FnOnce(Database) -> A) -> T
    where
        A: Future<Output = T> + Send + 'static,
    {
        self.settle();
        real::wait(question(self.0.client.database(database)))
    }

    /// Runs a command as root, in the database that its `$db` names.
    pub(crate) fn run_as_sent(&self, command: &[u8]) {
        let database = get(command, "$db").and_then(super::arguments::as_str);
        let mut rest = DocumentWriter::new();
        for element in elements(command).filter(|element| element.name != b"$db") {
            rest.element(element.value.kind, element.name, element.value.bytes);
        }
        let rest = RawDocumentBuf::from_bytes(rest.finish()).unwrap();
        self.run(database.unwrap(), rest);
    }

    /// Runs a command as root.
    pub(crate) fn run(&self, database: &str, command: RawDocumentBuf) -> Document {
        let reply = self.ask(database, |database| async move {
            database.run_raw_command(command).await
        });
        reply.unwrap()
    }

    /// The documents of a collection in `_id` order; `None` unless there is a collection.
    pub(crate) fn documents(&self, namespace: &Namespace) -> Option<Vec<Vec<u8>>> {
        let name = namespace.collection.clone();
        self.ask(&namespace.database, |database| async move {
            if kind(&database, &name).await.as_deref() != Some("collection") {
                return None;
            }
            let collection = database.collection::<RawDocumentBuf>(&name);
            let find = collection.find(doc! {}).sort(doc! { "_id": 1 });
            let mut batches = find.batch().await.unwrap();
            let mut documents = Vec::new();
            while let Some(batch) = batches.try_next().await.unwrap() {
                for document in batch.doc_slices().unwrap() {
                    let document = document.unwrap().as_document().unwrap();
                    documents.push(document.as_bytes().to_vec());
                }
            }
            Some(documents)
        })
    }

    /// Names and UUIDs of a database's collections, sorted by name, without views.
    pub(crate) fn collections(&self, database: &str) -> Vec<(String, Uuid)> {
        self.ask(database, |database| async move {
            let only =
                doc! { "type": "collection", "name": { "$not": { "$regex": "^system\\." } } };
            let list = database.list_collections().filter(only).await.unwrap();
            let found = list.try_collect::<Vec<_>>().await.unwrap();
            let mut found: Vec<_> = found
                .into_iter()
                .map(|found| {
                    let uuid = found.info.uuid.unwrap();
                    (found.name, Uuid::from_slice(&uuid.bytes).unwrap())
                })
                .collect();
            found.sort();
            found
        })
    }

    /// Whether a name belongs to a view or a time-series collection.
    pub(crate) fn is_special(&self, namespace: &Namespace) -> bool {
        let name = namespace.collection.clone();
        let kind = self.ask(&namespace.database, |database| async move {
            kind(&database, &name).await
        });
        kind.is_some_and(|kind| kind != "collection")
    }
}

/// Root's client for the server at `address`.
async fn client(address: &str) -> Client {
    let known = || CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = known().get(address) {
        return client.clone();
    }
    let (root, password) = real::MONGODB_ROOT;
    let uri = format!("mongodb://{root}:{password}@{address}/?directConnection=true");
    let client = Client::with_uri_str(uri).await.unwrap();
    known().insert(address.to_owned(), client.clone());
    client
}

/// What a name in a database stands for, such as `view`; `None` if for nothing.
async fn kind(database: &Database, name: &str) -> Option<String> {
    let command = doc! { "listCollections": 1, "filter": { "name": name } };
    let reply = database.run_command(command).await.unwrap();
    let cursor = reply.get_document("cursor").unwrap();
    let found = cursor.get_array("firstBatch").unwrap().first()?;
    let kind = found.as_document().unwrap().get_str("type");
    Some(kind.unwrap().to_owned())
}

impl Upstream {
    /// Sends a command on and returns the reply; empty if the command wants none.
    pub(crate) async fn execute(&mut self, message: &Message) -> io::Result<Vec<u8>> {
        let _flight = self.in_flight.begin();
        self.stream.write_all(&wire::request(message)).await?;
        match message.more_to_come {
            true => Ok(Vec::new()),
            false => wire::read_reply(&mut self.stream).await,
        }
    }
}

/// A reply to `hello`, as from a server at `address` that neither pushes news nor compresses.
pub(crate) fn hello_from(address: SocketAddr, reply: &[u8]) -> Vec<u8> {
    let address = address.to_string();
    let mut own = DocumentWriter::new();
    for element in elements(reply) {
        match element.name {
            b"hosts" => {
                let hosts = DocumentWriter::new().string("0", &address).finish();
                own.array("hosts", &hosts);
            }
            b"primary" => {
                own.string("primary", &address);
            }
            b"me" => {
                own.string("me", &address);
            }
            b"topologyVersion" | b"compression" => {}
            name => {
                own.element(element.value.kind, name, element.value.bytes);
            }
        }
    }
    own.finish()
}

/// How many documents a reply brings.
pub(crate) fn brought(reply: &[u8]) -> usize {
    let cursor = get(reply, "cursor").and_then(super::arguments::as_document);
    let batch = cursor.and_then(|cursor| {
        let first = get(cursor, "firstBatch");
        first.or_else(|| get(cursor, "nextBatch"))
    });
    batch.map_or(0, |batch| elements(batch.bytes).count())
}
