//! A server that was reached, and its databases.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bson::{Document, RawDocumentBuf, rawdoc};
use lob_core::metrics::Commands;
use lob_core::store::Bandwidth;
use mongodb::Client;
use mongodb::options::Tls;

use super::cluster_time::ClusterTime;
use super::command::Command;
use super::connection_string;
use super::read_concern::{Durability, ReadConcern};
use super::settings::MongoSettings;
use super::tls;
use crate::collection::{Collection, number};
use crate::error::{Cause, Error, Result, code};

/// The wire version of MongoDB 6.0, the first that takes `collectionUUID`.
const WIRE_VERSION_6_0: u64 = 17;

/// How long the first reply may take once a server is found. The driver has no time-out of its own
/// for a connection that is open and says nothing.
const FIRST_REPLY: Duration = Duration::from_secs(10);

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
    hosts: Arc<str>,
}

impl Server {
    /// Reaches the server, proves the credentials and learns what it can do. Over TLS the
    /// authorities in `ca_bundle` are trusted beside the system's, unless the connection string
    /// names others. Returns soon after the server selection time-out, also where nothing answers.
    ///
    /// # Errors
    /// A connection string or a CA bundle that cannot be used, no server, a member of a replica set
    /// that is not its primary ([`Error::NotPrimary`]), or credentials that it refuses.
    pub async fn connect(settings: &MongoSettings, ca_bundle: Option<&Path>) -> Result<Self> {
        let mut target = connection_string::resolve(settings).await?;
        let trusted = match &mut target.options.tls {
            Some(Tls::Enabled(options)) => tls::prepare(options, ca_bundle)?,
            _ => None,
        };
        let selection = target.options.server_selection_timeout.unwrap_or_default();
        let hosts: Arc<str> = target.hosts.into();
        let client = Client::with_options(target.options)
            .map_err(|e| Error::from_driver(&e, "connect", &hosts, &hosts))?;
        drop(trusted);
        let mut server = Self {
            client,
            operation_timeout: selection.saturating_add(FIRST_REPLY),
            retry_timeout: settings.mongodb_retry_timeout,
            takes_collection_uuid: false,
            is_mongos: false,
            read_concern: ReadConcern::default(),
            reads_primary: false,
            commands: Commands::default(),
            bandwidth: None,
            hosts,
        };
        let hello = server.hello().await.map_err(|error| match error {
            Error::TimedOut { .. } => Error::Unreachable {
                hosts: server.hosts().to_owned(),
                source: Cause::new("it accepts connections and does not answer"),
            },
            error => error,
        })?;
        server.operation_timeout = settings.mongodb_operation_timeout;
        if let Ok(set) = hello.get_str("setName")
            && !is_primary(&hello)
        {
            return Err(Error::NotPrimary {
                hosts: server.hosts().to_owned(),
                set: set.to_owned(),
            });
        }
        server.is_mongos = hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid");
        let wire_version = number(&hello, "maxWireVersion").unwrap_or(0);
        server.takes_collection_uuid = wire_version >= WIRE_VERSION_6_0;
        let after = hello.get_timestamp("operationTime").ok();
        server.read_concern = ReadConcern {
            durability: target.durability.or(after.map(|_| Durability::Local)),
            after: after.map(ClusterTime::from),
        };
        Ok(server)
    }

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

    /// What the primary, or the only server, says of itself. Authenticates on the way, since the
    /// driver does so on each connection that a command uses.
    async fn hello(&self) -> Result<Document> {
        let admin = self.database("admin");
        let hello = Command::new("hello", "admin".to_owned());
        match admin.run(&hello, rawdoc! { "hello": 1 }).await {
            Err(e) if e.code() == Some(code::COMMAND_NOT_FOUND) => {
                admin.run(&hello, rawdoc! { "isMaster": 1 }).await
            }
            reply => reply,
        }
    }
}

/// True unless this is another member of a replica set, which a direct connection can lead to.
fn is_primary(hello: &Document) -> bool {
    let is = |field| hello.get_bool(field).unwrap_or(false);
    is("isWritablePrimary") || is("ismaster")
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

    /// The collection of this name as it is now, or `None`.
    ///
    /// # Errors
    /// A view or a time-series collection of this name, or a server that does not answer.
    pub async fn collection(&self, name: &str) -> Result<Option<Collection>> {
        let listed = self.list_collections(rawdoc! { "name": name }).await?;
        listed
            .into_iter()
            .next()
            .map(|listed| listed.into_collection(self))
            .transpose()
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
