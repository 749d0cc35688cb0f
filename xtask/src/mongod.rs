//! A MongoDB of our own, as a replica set of one: snapshots, retryable writes and majority need it.

use std::path::Path;

use anyhow::Context as _;
use bson::{Document, doc};
use mongodb::Client;
use xshell::{Shell, cmd};

use crate::server_process::{ServerProcess, free_port};
use crate::tools::Tools;

/// Runs until it is dropped.
pub(crate) struct Mongod {
    address: String,
    process: ServerProcess,
}

impl Mongod {
    /// Starts an empty server and waits until it takes writes; 0 takes a free port.
    pub(crate) async fn start(sh: &Shell, port: u16) -> anyhow::Result<Self> {
        let tools = Tools::new(sh);
        let data = tools
            .data("mongod")
            .context("no folder for MongoDB's data")?;
        let port = if port == 0 { free_port()? } else { port };
        let address = format!("127.0.0.1:{port}");
        let (mongod, folder, port) = (tools.mongod(), data.path(), port.to_string());
        let (name, value) = tools.mongod_environment();
        let command = cmd!(
            sh,
            "{mongod} --dbpath {folder} --port {port} --bind_ip 127.0.0.1 --replSet rs0
             --wiredTigerCacheSizeGB 1 --oplogSize 1024 --setParameter enableTestCommands=1"
        )
        .env(name, value);
        let log = tools.log("mongod");
        let mut process = ServerProcess::start("MongoDB", command, log, data)?;

        let uri =
            format!("mongodb://{address}/?directConnection=true&serverSelectionTimeoutMS=1000");
        let client = Client::with_uri_str(uri).await?;
        let member = doc! { "_id": 0, "host": &address };
        let set = doc! { "_id": "rs0", "members": [member] };
        process
            .wait_until(async || admin(&client, doc! { "ping": 1 }).await.is_some())
            .await?;
        admin(&client, doc! { "replSetInitiate": set })
            .await
            .context("no replica set")?;
        process
            .wait_until(async || is_primary(&client).await)
            .await?;
        Ok(Self { address, process })
    }

    pub(crate) fn uri(&self) -> String {
        format!("mongodb://{}/?replicaSet=rs0", self.address)
    }

    /// Where its data is.
    pub(crate) fn data(&self) -> &Path {
        self.process.data()
    }

    /// CPU seconds since the start.
    pub(crate) fn cpu(&self) -> anyhow::Result<f64> {
        self.process.cpu()
    }
}

async fn is_primary(client: &Client) -> bool {
    let hello = admin(client, doc! { "hello": 1 }).await;
    hello.is_some_and(|hello| hello.get_bool("isWritablePrimary").unwrap_or(false))
}

async fn admin(client: &Client, command: Document) -> Option<Document> {
    client.database("admin").run_command(command).await.ok()
}
