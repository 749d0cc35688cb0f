//! Reaches a server, verifies the credentials and learns what it can do.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bson::{Document, doc, rawdoc};
use lob_core::metrics::Commands;
use lob_core::store::AwsCredentials;
use mongodb::Client;
use mongodb::error::ErrorKind;
use mongodb::options::{AuthMechanism, Tls};

use super::cluster_time::ClusterTime;
use super::command::Command;
use super::handle::Server;
use super::read_concern::{Durability, ReadConcern};
use super::reply::number;
use super::resolve::resolve;
use super::settings::MongoSettings;
use super::tls;
use crate::error::{Cause, Error, Result, code};

/// The wire version of MongoDB 6.0, the first that accepts `collectionUUID`.
const WIRE_VERSION_6_0: u64 = 17;

/// How long the first reply may take once a server is found. The driver has no timeout of its own
/// for a connection that is open but silent.
const FIRST_REPLY: Duration = Duration::from_secs(10);

/// What a connection to MongoDB takes from the settings of S3.
#[derive(Debug, Clone, Default)]
pub struct Shared<'a> {
    /// Authorities to trust in addition to the system's, unless the connection string names others.
    pub ca_bundle: Option<&'a Path>,
    /// Credentials for MONGODB-AWS, unless the connection string holds some.
    pub aws_credentials: Option<AwsCredentials>,
}

impl Server {
    /// Reaches the server, verifies the credentials and learns what it can do. Returns soon after
    /// the server selection timeout even if nothing answers.
    ///
    /// # Errors
    /// The connection string or the CA bundle is unusable, there is no server, it is a replica set
    /// member other than the primary ([`Error::NotPrimary`]), or it rejects the credentials.
    pub async fn connect(settings: &MongoSettings, shared: Shared<'_>) -> Result<Self> {
        let mut target = resolve(settings).await?;
        if let Some(credential) = &mut target.options.credential
            && credential.mechanism == Some(AuthMechanism::MongoDbAws)
            && credential.username.is_none()
        {
            credential.aws_credential_provider = shared.aws_credentials;
        }
        let trusted = match &mut target.options.tls {
            Some(Tls::Enabled(options)) => tls::prepare(options, shared.ca_bundle)?,
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
                source: Cause::new("it accepts connections but does not answer"),
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

    /// The same server, after finding a member that matches `readPreference`. Returns soon after
    /// the server selection timeout: a preference that no member meets now would later be waited
    /// for like an outage.
    ///
    /// # Errors
    /// The replica set has no such member.
    pub async fn with_readable_member(self) -> Result<Self> {
        let Some(from) = self.client.selection_criteria().cloned() else {
            return Ok(self);
        };
        let hosts = self.hosts();
        let admin = self.client.database("admin");
        let hello = admin.run_command(doc! { "hello": 1 });
        match hello.selection_criteria(from).await {
            Err(error) if matches!(*error.kind, ErrorKind::ServerSelection { .. }) => {
                Err(Error::from_driver(&error, "hello", hosts, hosts))
            }
            // Whether it answers is for the readers to find out.
            _ => Ok(self),
        }
    }

    /// What the primary, or the only server, reports about itself. Also authenticates, because the
    /// driver does so on every connection that a command uses.
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

/// False for another member of a replica set, which a direct connection can lead to.
fn is_primary(hello: &Document) -> bool {
    let is = |field| hello.get_bool(field).unwrap_or(false);
    is("isWritablePrimary") || is("ismaster")
}
