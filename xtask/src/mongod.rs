//! A private MongoDB, set up as a replica set: snapshots, retryable writes and majority need one.

mod release;
mod users;

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use bson::{Document, doc};
use lob_testkit::real::MONGODB_ROOT;
use mongodb::Client;
use xshell::{Shell, cmd};

use crate::server_process::{ServerProcess, free_port};
use crate::tools::Tools;

pub(crate) use self::release::Release;

/// Runs until it is dropped.
pub(crate) struct Mongod {
    primary: Member,
    secondary: Option<Member>,
}

struct Member {
    address: String,
    process: ServerProcess,
    client: Client,
}

impl Mongod {
    /// Starts an empty server and waits until it accepts writes; port 0 takes a free one.
    pub(crate) async fn start(sh: &Shell, release: Release, port: u16) -> anyhow::Result<Self> {
        let mut primary = Member::start(sh, release, "mongod", port).await?;
        primary.initiate(&[&primary.address]).await?;
        primary.wait_until("isWritablePrimary").await?;
        Ok(Self {
            primary,
            secondary: None,
        })
    }

    /// Starts a 6.0 server that answers only to users, one of which has the name of each tool and the
    /// documented role; returns it with its root's connection string. Its log has this name.
    pub(crate) async fn start_with_users(sh: &Shell, name: &str) -> anyhow::Result<(Self, String)> {
        let key = tempfile::NamedTempFile::new()?;
        fs::write(&key, "lobtools")?;
        let path = key.path().to_str().context("no name for a key file")?;
        let arguments = ["--auth", "--keyFile", path];
        let mut primary = Member::start_with(sh, Release::V6_0, name, 0, &arguments).await?;
        primary.initiate(&[&primary.address]).await?;
        primary.wait_until("isWritablePrimary").await?;
        // Without users, a client on this machine may create the first.
        let (root, password) = MONGODB_ROOT;
        let create = doc! { "createUser": root, "pwd": password, "roles": ["root"] };
        let created = admin(&primary.client, create).await;
        created.context("no root user")?;
        let uri = format!(
            "mongodb://{root}:{password}@{}/?replicaSet=rs0",
            primary.address
        );
        users::create(&Client::with_uri_str(&uri).await?).await?;
        let secondary = None;
        Ok((Self { primary, secondary }, uri))
    }

    /// Starts a 6.0 primary with a secondary that never becomes the primary.
    pub(crate) async fn start_pair(sh: &Shell) -> anyhow::Result<Self> {
        let mut primary = Member::start(sh, Release::V6_0, "mongod-primary", 0).await?;
        let mut secondary = Member::start(sh, Release::V6_0, "mongod-secondary", 0).await?;
        let addresses = [&primary.address, &secondary.address];
        primary.initiate(&addresses).await?;
        primary.wait_until("isWritablePrimary").await?;
        secondary.wait_until("secondary").await?;
        Ok(Self {
            primary,
            secondary: Some(secondary),
        })
    }

    pub(crate) fn uri(&self) -> String {
        let members = [Some(&self.primary), self.secondary.as_ref()];
        let addresses = members.into_iter().flatten().map(|m| m.address.as_str());
        let addresses = addresses.collect::<Vec<_>>().join(",");
        format!("mongodb://{addresses}/?replicaSet=rs0")
    }

    /// `host:port` of the primary.
    pub(crate) fn address(&self) -> &str {
        &self.primary.address
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> &Path {
        self.primary.process.data()
    }

    /// CPU seconds since the start.
    pub(crate) fn cpu(&self) -> anyhow::Result<f64> {
        self.primary.process.cpu()
    }
}

impl Member {
    /// Starts a server that does not belong to a replica set yet.
    async fn start(sh: &Shell, release: Release, name: &str, port: u16) -> anyhow::Result<Self> {
        Self::start_with(sh, release, name, port, &[]).await
    }

    async fn start_with(
        sh: &Shell,
        release: Release,
        name: &str,
        port: u16,
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let tools = Tools::new(sh);
        let data = tools.data(name).context("no folder for MongoDB's data")?;
        let port = if port == 0 { free_port()? } else { port };
        let address = format!("127.0.0.1:{port}");
        let (mongod, folder, port) = (tools.mongod(release), data.path(), port.to_string());
        let (variable, value) = tools.mongod_environment(release);
        let command = cmd!(
            sh,
            "{mongod} --dbpath {folder} --port {port} --bind_ip 127.0.0.1 --replSet rs0
             --wiredTigerCacheSizeGB 1 --oplogSize 1024 --setParameter enableTestCommands=1
             --setParameter ttlMonitorEnabled=false"
        )
        .args(arguments)
        .env(variable, value);
        let log = tools.log(name);
        let mut process = ServerProcess::start("MongoDB", command, log, data)?;

        let uri =
            format!("mongodb://{address}/?directConnection=true&serverSelectionTimeoutMS=1000");
        let client = Client::with_uri_str(uri).await?;
        process
            .wait_until(async || admin(&client, doc! { "ping": 1 }).await.is_some())
            .await?;
        Ok(Self {
            address,
            process,
            client,
        })
    }

    /// Creates a replica set of these members; the first becomes the primary.
    async fn initiate(&self, addresses: &[&String]) -> anyhow::Result<()> {
        let members = (0..).zip(addresses);
        let members = members.map(|(id, host)| {
            let priority = i32::from(id == 0);
            doc! { "_id": id, "host": *host, "priority": priority }
        });
        let set = doc! { "_id": "rs0", "members": members.collect::<Vec<_>>() };
        let initiated = admin(&self.client, doc! { "replSetInitiate": set }).await;
        initiated.map(|_| ()).context("no replica set")
    }

    /// Waits until its `hello` reply sets the field `role`.
    async fn wait_until(&mut self, role: &str) -> anyhow::Result<()> {
        let client = self.client.clone();
        let has_role = async || {
            let hello = admin(&client, doc! { "hello": 1 }).await;
            hello.is_some_and(|hello| hello.get_bool(role).unwrap_or(false))
        };
        self.process.wait_until(has_role).await
    }
}

async fn admin(client: &Client, command: Document) -> Option<Document> {
    client.database("admin").run_command(command).await.ok()
}
