//! A server that was reached, and its databases.

use std::sync::Arc;
use std::time::Duration;

use bson::{RawDocumentBuf, rawdoc};
use mongodb::Client;

use crate::collection::{Collection, number};
use crate::command::Command;
use crate::connection_string;
use crate::error::{Error, Result, code};
use crate::settings::MongoSettings;

/// The wire version of MongoDB 6.0, the first that takes `collectionUUID`.
const WIRE_VERSION_6_0: u64 = 17;

/// A MongoDB server or replica set that answered. Cloning shares the connections.
#[derive(Debug, Clone)]
pub struct Server {
    pub(crate) client: Client,
    pub(crate) operation_timeout: Duration,
    pub(crate) retry_timeout: Duration,
    pub(crate) takes_collection_uuid: bool,
    /// True to read what was written last, whatever the connection string says.
    pub(crate) reads_primary: bool,
    hosts: Arc<str>,
}

impl Server {
    /// Reaches the server, proves the credentials and learns what it can do. Returns within the
    /// server selection time-out plus two operation time-outs.
    ///
    /// # Errors
    /// A connection string that cannot be used, no server, or credentials that it refuses.
    pub async fn connect(settings: &MongoSettings) -> Result<Self> {
        let target = connection_string::resolve(settings).await?;
        let hosts: Arc<str> = target.hosts.into();
        let client = Client::with_options(target.options)
            .map_err(|e| Error::from_driver(&e, "connect", &hosts, &hosts))?;
        let mut server = Self {
            client,
            operation_timeout: settings.mongodb_operation_timeout,
            retry_timeout: settings.mongodb_retry_timeout,
            takes_collection_uuid: false,
            reads_primary: false,
            hosts,
        };
        server.takes_collection_uuid = server.wire_version().await? >= WIRE_VERSION_6_0;
        Ok(server)
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

    /// The newest wire version that the server speaks. Authenticates on the way, since the driver
    /// does so on each connection that a command uses.
    async fn wire_version(&self) -> Result<u64> {
        let admin = self.database("admin");
        let hello = Command::new("hello", "admin".to_owned());
        let reply = match admin.run(&hello, rawdoc! { "hello": 1 }).await {
            Err(e) if e.code() == Some(code::COMMAND_NOT_FOUND) => {
                admin.run(&hello, rawdoc! { "isMaster": 1 }).await?
            }
            reply => reply?,
        };
        Ok(number(&reply, "maxWireVersion").unwrap_or(0))
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
