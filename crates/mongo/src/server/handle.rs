//! A server that was reached, and its databases.

use std::sync::Arc;
use std::time::Duration;

use bson::RawDocumentBuf;
use lob_core::metrics::Commands;
use lob_core::store::Bandwidth;
use mongodb::Client;

use super::cluster_time::ClusterTime;
use super::read_concern::{Durability, ReadConcern};

/// A MongoDB server, replica set or cluster that answered. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Server {
    pub(crate) client: Client,
    pub(crate) operation_timeout: Duration,
    pub(crate) retry_timeout: Duration,
    pub(crate) takes_collection_uuid: bool,
    /// Whether it is a mongos: collections may be sharded.
    pub(crate) is_mongos: bool,
    pub(crate) read_concern: ReadConcern,
    /// Whether to read what was written last, whatever the connection string says.
    pub(crate) reads_primary: bool,
    pub(crate) commands: Commands,
    /// The limit on what is read from the server or written to it.
    pub(crate) bandwidth: Option<Bandwidth>,
    pub(super) hosts: Arc<str>,
}

impl Server {
    /// The same server, with its commands counted by `commands` from now on.
    #[must_use]
    pub fn counted_by(mut self, commands: &Commands) -> Self {
        self.commands = commands.clone();
        self
    }

    /// The same server, with documents read and commands sent no faster than this from now on.
    #[must_use]
    pub fn paced_by(mut self, bandwidth: Option<Bandwidth>) -> Self {
        self.bandwidth = bandwidth;
        self
    }

    /// Waits until this many more bytes may be transferred.
    pub(crate) async fn wait_for(&self, bytes: u64) {
        if let Some(bandwidth) = &self.bandwidth {
            bandwidth.wait(bytes).await;
        }
    }

    /// Whether transfers are paced.
    pub(crate) fn is_paced(&self) -> bool {
        self.bandwidth.is_some()
    }

    /// The hosts of the connection string, for messages.
    pub fn hosts(&self) -> &str {
        &self.hosts
    }

    /// The database with this name, which need not exist.
    pub fn database(&self, name: &str) -> Database {
        Database {
            server: self.clone(),
            name: name.into(),
        }
    }
}

/// One database of a server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    pub(crate) server: Server,
    name: Arc<str>,
}

impl Database {
    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads here are no older than this: the primary's time when it was reached. `None` for a
    /// server without a time, because it is not a replica set.
    pub fn newest(&self) -> Option<ClusterTime> {
        self.server.read_concern.after
    }

    /// The same database, with reads no older than the time that another process knew as the
    /// [newest](Self::newest), instead of its own.
    #[must_use]
    pub fn after(mut self, newest: ClusterTime) -> Self {
        self.server.read_concern.after = Some(newest);
        self
    }

    /// The same database, read as the primary has it, whatever the connection string says: what
    /// was just written is there, whether or not most members have it.
    pub(crate) fn on_primary(&self) -> Self {
        let mut database = self.clone();
        let server = &mut database.server;
        server.reads_primary = true;
        server.read_concern.durability = server.read_concern.durability.map(|_| Durability::Local);
        database
    }

    pub(crate) fn namespace(&self, collection: &str) -> String {
        format!("{}.{collection}", self.name)
    }

    pub(crate) fn driver(&self) -> mongodb::Database {
        self.server.client.database(&self.name)
    }

    /// Adds `collectionUUID` to a command if the server accepts it, so that the command acts on
    /// exactly that collection or fails.
    pub(crate) fn pin(&self, command: &mut RawDocumentBuf, uuid: Option<uuid::Uuid>) {
        if let Some(uuid) = uuid.filter(|_| self.server.takes_collection_uuid) {
            let binary = bson::Binary {
                subtype: bson::spec::BinarySubtype::Uuid,
                bytes: uuid.as_bytes().to_vec(),
            };
            command.append(bson::raw::cstr!("collectionUUID"), binary);
        }
    }
}
