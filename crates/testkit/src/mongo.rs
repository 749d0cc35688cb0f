//! An in-memory MongoDB server over TCP that keeps every document byte for byte.
//!
//! It lets the demo and the tests run on nothing but Rust, and produces faults that a real server
//! cannot be made to produce. It speaks only what the tools use and refuses everything else, so a
//! test that passes here means something; `tests/mongo_contract` holds it and a real MongoDB to the
//! same promises. A real MongoDB can stand behind it and execute in its place.

mod aggregate;
mod arguments;
mod aws_login;
mod catalog;
mod collections;
mod command;
mod connection;
mod cursor;
mod delete;
mod element;
mod failure;
mod filter;
mod find;
mod gate;
mod handshake;
mod index;
mod insert;
mod limits;
mod losing_proxy;
mod mongod;
mod number;
mod options;
mod order;
mod outcome;
mod random_faults;
mod replica_set;
mod update;
mod version;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bson::{RawDocument, RawDocumentBuf};
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use uuid::Uuid;

pub use self::aws_login::AwsUser;
pub use self::gate::{Command, Gate, Moment, Verdict, perhaps};
pub use self::losing_proxy::LosingProxy;
pub use self::options::MongoOptions;
pub use self::random_faults::{FaultCounts, RandomFaults};
pub use self::replica_set::Deployment;
pub use self::version::MongoVersion;

use self::catalog::{Collection, Entry, Namespace};
use self::connection::{Shared, serve};
use self::mongod::Mongod;
use self::order::Key;
use self::replica_set::{Addresses, Member};
use self::wire::Message;
use crate::real;

/// A running server on a port of 127.0.0.1.
///
/// Dropping it closes every connection and the port.
pub struct MongoServer {
    shared: Arc<Shared>,
    /// Dropping the sender ends the thread.
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// Why [`MongoServer::load`] refused a document.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes are not one complete document.
    #[error("document {index} to load is malformed")]
    Malformed {
        /// Index among the documents given.
        index: usize,
    },
    /// It has no `_id`.
    #[error("document {index} to load has no _id")]
    NoId {
        /// Index among the documents given.
        index: usize,
    },
    /// The name belongs to a view or a time-series collection.
    #[error("`{0}` is not a plain collection")]
    NotACollection(String),
}

impl MongoServer {
    /// Starts an empty server on its own threads, so it works with and without a runtime.
    ///
    /// # Errors
    ///
    /// If there is no free port or no thread to be had.
    pub fn start(options: MongoOptions) -> io::Result<Self> {
        Self::in_front_of(None, options)
    }

    /// Starts a server for one tool in front of a real MongoDB, if there is one and the options ask
    /// for nothing that only the double can do.
    ///
    /// # Errors
    ///
    /// See [`Self::start`].
    pub(crate) async fn start_for(tool: &str, options: MongoOptions) -> io::Result<Self> {
        let Some(pool) = real::MONGODS.as_ref() else {
            return Self::start(options);
        };
        if let Some(reason) = options.needs_double() {
            crate::notes::on_double(reason);
            return Self::start(options);
        }
        crate::notes::on_real_server();
        let mongod = Mongod::take(pool, tool).await;
        Self::in_front_of(Some(mongod), options)
    }

    fn in_front_of(mongod: Option<Mongod>, options: MongoOptions) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let listen = |port| {
            let _inside = runtime.enter();
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        };
        let primary = listen(options.port)?;
        let has_secondary = options.deployment == Deployment::TwoMembers;
        let secondary = has_secondary.then(|| listen(0)).transpose()?;
        let addresses = Addresses {
            primary: primary.local_addr()?,
            secondary: secondary
                .as_ref()
                .map(TcpListener::local_addr)
                .transpose()?,
        };
        let shared = Arc::new(Shared::new(addresses, options, mongod));
        let for_connections = Arc::clone(&shared);
        let (keep, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(primary, Member::Primary, &for_connections) => {}
                    () = accept_any(secondary, &for_connections) => {}
                }
            });
        });
        Ok(Self {
            shared,
            running: Some((keep, thread)),
        })
    }

    /// A connection string for the server, without a database.
    pub fn uri(&self) -> String {
        let address = self.shared.addresses.primary;
        if let Some(mongod) = &self.shared.mongod {
            return mongod.uri(address);
        }
        match self.shared.options.deployment {
            Deployment::Standalone | Deployment::Mongos => format!("mongodb://{address}/"),
            _ => format!("mongodb://{address}/?replicaSet={}", handshake::SET_NAME),
        }
    }

    /// The address of the server, or of its primary.
    pub fn address(&self) -> SocketAddr {
        self.shared.addresses.primary
    }

    /// The address of the secondary, if the server has [two members](Deployment::TwoMembers).
    pub fn secondary(&self) -> Option<SocketAddr> {
        self.shared.addresses.secondary
    }

    /// Stops replication: the secondary does not see later writes.
    pub fn hold_replication(&self) {
        self.shared.hold_replication();
    }

    /// Resumes replication: the secondary catches up at once and stays up to date.
    pub fn resume_replication(&self) {
        self.shared.resume_replication();
    }

    /// All commands received so far except handshakes, in order of arrival.
    pub fn commands(&self) -> Vec<Command> {
        self.shared.log().clone()
    }

    /// The documents of a collection in `_id` order, byte for byte; `None` if it does not exist.
    pub fn documents(&self, database: &str, collection: &str) -> Option<Vec<Vec<u8>>> {
        if let Some(mongod) = &self.shared.mongod {
            return mongod.documents(&Namespace::new(database, collection));
        }
        let server = self.shared.server();
        match server.catalog.databases.get(database)?.get(collection)? {
            Entry::Collection(collection) => Some(
                collection
                    .documents
                    .values()
                    .map(|document| document.to_vec())
                    .collect(),
            ),
            Entry::Special { .. } => None,
        }
    }

    /// Names and UUIDs of a database's collections, sorted by name, without views.
    pub fn collections(&self, database: &str) -> Vec<(String, Uuid)> {
        if let Some(mongod) = &self.shared.mongod {
            return mongod.collections(database);
        }
        let server = self.shared.server();
        let entries = server.catalog.databases.get(database).into_iter().flatten();
        let collections = entries.filter_map(|(name, entry)| match entry {
            Entry::Collection(collection) => Some((name.clone(), collection.uuid)),
            Entry::Special { .. } => None,
        });
        collections.collect()
    }

    /// Runs a command past all gates. Its `$db` names the database.
    ///
    /// # Panics
    /// If the server refuses it.
    pub fn run(&self, command: &RawDocument) {
        let bytes = command.as_bytes();
        if let Some(mongod) = &self.shared.mongod {
            return mongod.run_as_sent(bytes);
        }
        let message = Message::of(bytes);
        let Shared {
            options, addresses, ..
        } = &*self.shared;
        let mut server = self.shared.server();
        let reply = server.execute(options, *addresses, Member::Primary, &message);
        let is_ok = element::get(&reply.document, "ok").and_then(arguments::as_integer);
        assert_eq!(is_ok, Some(1), "{command:?} failed");
    }

    /// Spreads a collection over two shards and puts these documents on the second one. Their
    /// `_id`s already exist on the first. `collStats` reports the sharding, and a scan returns both
    /// copies.
    ///
    /// # Errors
    ///
    /// See [`LoadError`].
    ///
    /// # Panics
    /// If a real server, which has no shards, stands behind this one.
    pub fn shard(
        &self,
        database: &str,
        collection: &str,
        documents: impl IntoIterator<Item = RawDocumentBuf>,
    ) -> Result<(), LoadError> {
        assert!(self.shared.mongod.is_none(), "only the double has shards");
        self.store(database, collection, documents, |found| {
            found.second_shard.get_or_insert_default()
        })
    }

    /// Stores documents verbatim, bypassing every check and change an insert would make. Creates
    /// the collection if needed, and replaces documents with the same `_id`.
    ///
    /// # Errors
    ///
    /// See [`LoadError`]. Documents before the refused one are stored.
    pub fn load(
        &self,
        database: &str,
        collection: &str,
        documents: impl IntoIterator<Item = RawDocumentBuf>,
    ) -> Result<(), LoadError> {
        let Some(mongod) = &self.shared.mongod else {
            return self.store(database, collection, documents, |found| {
                &mut found.documents
            });
        };
        let namespace = Namespace::new(database, collection);
        if mongod.is_special(&namespace) {
            return Err(LoadError::NotACollection(namespace.to_string()));
        }
        let (mut accepted, mut refused) = (Vec::new(), Ok(()));
        for (index, document) in documents.into_iter().enumerate() {
            let document = document.into_bytes();
            refused = check(index, &document).map(|_| ());
            if refused.is_err() {
                break;
            }
            accepted.push(document);
        }
        mongod.load(&namespace, &accepted);
        refused
    }

    /// Stores documents on one shard of a collection, which is created if needed.
    fn store(
        &self,
        database: &str,
        collection: &str,
        documents: impl IntoIterator<Item = RawDocumentBuf>,
        part: impl FnOnce(&mut Collection) -> &mut BTreeMap<Key, Bytes>,
    ) -> Result<(), LoadError> {
        let namespace = Namespace::new(database, collection);
        let mut server = self.shared.server();
        let found = server.catalog.find_or_create(&namespace, None);
        let found = found.map_err(|_| LoadError::NotACollection(namespace.to_string()))?;
        let stored = part(found);
        for (index, document) in documents.into_iter().enumerate() {
            let document = document.into_bytes();
            let id = check(index, &document)?;
            stored.insert(Key::from(id), document.into());
        }
        Ok(())
    }
}

/// The `_id` of a document to load.
fn check(index: usize, document: &[u8]) -> Result<element::Value<'_>, LoadError> {
    element::validate(document).map_err(|_| LoadError::Malformed { index })?;
    element::get(document, "_id").ok_or(LoadError::NoId { index })
}

impl Drop for MongoServer {
    fn drop(&mut self) {
        if let Some(mongod) = &self.shared.mongod {
            mongod.settle();
        }
        if let Some((keep, thread)) = self.running.take() {
            drop(keep);
            // A thread that panicked has stopped too.
            let _ = thread.join();
        }
        self.shared.strikes.assert_enough("MongoDB");
    }
}

async fn accept(listener: TcpListener, member: Member, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(Arc::clone(shared), member, stream));
    }
}

/// Never returns if there is no secondary.
async fn accept_any(secondary: Option<TcpListener>, shared: &Arc<Shared>) {
    match secondary {
        Some(listener) => accept(listener, Member::Secondary, shared).await,
        None => std::future::pending().await,
    }
}
