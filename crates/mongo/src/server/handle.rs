//! A server that was reached, and its databases.

use std::sync::Arc;
use std::time::Duration;

use bson::RawDocumentBuf;
use lob_core::metrics::Commands;
use lob_core::store::Bandwidth;
use mongodb::Client;

use super::cluster_time::ClusterTime;
use super::read_concern::ReadConcern;

/// A MongoDB server, replica set or cluster that answered. Cloning shares the connections.
#[derive(Debug, Clone)]
pub struct Server {
    pub(crate) client: Client,
    pub(crate) operation_timeout: Duration,
    pub(crate) retry_timeout: Duration,
    pub(crate) takes_collection_uuid: bool,
    /// True if it is a mongos: collections may lie on several shards.
    pub(crate) is_mongos: bool,
    pub(crate) read_concern: ReadConcern,
    /// True to read what was written last, whatever the connection string says.
    pub(crate) reads_primary: bool,
    pub(crate) commands: Commands,
    /// The bound on what is read from it, or written to it.
    pub(crate) bandwidth: Option<Bandwidth>,
    pub(super) hosts: Arc<str>,
}

impl Server {
    /// The same server, whose commands from now on are counted by `commands`.
    #[must_use]
    pub fn counted_by(mut self, commands: &Commands) -> Self {
        self.commands = commands.clone();
        self
    }

    /// The same server, of which documents are from now on read, and to which commands are sent, no
    /// faster than this.
    #[must_use]
    pub fn paced_by(mut self, bandwidth: Option<Bandwidth>) -> Self {
        self.bandwidth = bandwidth;
        self
    }

    /// Waits until so many more bytes may be moved.
    pub(crate) async fn wait_for(&self, bytes: u64) {
        if let Some(bandwidth) = &self.bandwidth {
            bandwidth.wait(bytes).await;
        }
    }

    /// The hosts of the connection string, for messages.
    pub fn hosts(&self) -> &str {
        &self.hosts
    }

    /// The database of this name; it need not exist.
    pub fn database(&self, name: &str) -> Database {
        Database {
            server: self.clone(),
            name: name.into(),
        }
    }
}

/// One database of a server. Cloning is cheap.
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

    /// The time that what is read here is not before: that of the primary when it was reached.
    /// `None` for a server that has no time, since it is no replica set.
    pub fn newest(&self) -> Option<ClusterTime> {
        self.server.read_concern.after
    }

    /// The same database, whose reads are not before the time that another process knew as the
    /// [newest](Self::newest), instead of its own.
    #[must_use]
    pub fn after(mut self, newest: ClusterTime) -> Self {
        self.server.read_concern.after = Some(newest);
        self
    }

    /// The same database, read from the primary, whatever the connection string says.
    pub(crate) fn on_primary(&self) -> Self {
        let mut database = self.clone();
        database.server.reads_primary = true;
        database
    }

    pub(crate) fn namespace(&self, collection: &str) -> String {
        format!("{}.{collection}", self.name)
    }

    pub(crate) fn driver(&self) -> mongodb::Database {
        self.server.client.database(&self.name)
    }

    /// Adds `collectionUUID` to a command where the server takes it, so that it acts on exactly
    /// that collection or fails.
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
