//! The servers of a demo: the test servers in this process, which the tools reach over TLS, or
//! those that `AWS_ENDPOINT_URL` and `MONGODB_URI` name.

use std::time::SystemTime;
use std::{env, fs};

use anyhow::Context as _;
use lob_testkit::mongo::{MongoOptions, MongoServer};
use lob_testkit::s3::{S3Options, S3Server};
use lob_testkit::tls::{Authority, Flaw, TlsFront};
use mongodb::Client;
use tempfile::NamedTempFile;
use xshell::Cmd;

use crate::s3_client;

const BUCKET: &str = "lob";

pub(super) struct Servers {
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) mongo: Client,
    pub(super) bucket: String,
    /// Names this demo's runs and databases: a long-lived server may hold others.
    pub(super) run_id: String,
    own_s3: Option<Own<S3Server>>,
    own_mongo: Option<Own<MongoServer>>,
    /// The certificate of the authority that signed for our own servers.
    bundle: NamedTempFile,
}

/// A server in this process, and the TLS listener through which the tools reach it.
struct Own<S> {
    server: S,
    front: TlsFront,
}

impl Servers {
    pub(super) async fn open() -> anyhow::Result<Self> {
        let authority = Authority::new()?;
        let bundle = NamedTempFile::new()?;
        fs::write(&bundle, authority.pem())?;
        let (s3, own_s3) = s3(&authority).await?;
        let (mongo, own_mongo) = mongo(&authority).await?;
        let bucket = match env::var("LOB_BUCKET") {
            Ok(bucket) if own_s3.is_none() => bucket,
            _ => BUCKET.to_owned(),
        };
        if s3.head_bucket().bucket(&bucket).send().await.is_err() {
            let created = s3.create_bucket().bucket(&bucket).send().await;
            created.with_context(|| format!("bucket `{bucket}` cannot be created"))?;
        }
        let now = SystemTime::UNIX_EPOCH.elapsed()?.as_secs();
        let run_id = format!("demo_{now}");
        Ok(Self {
            s3,
            mongo,
            bucket,
            run_id,
            own_s3,
            own_mongo,
            bundle,
        })
    }

    /// Tells a tool where the servers are. Settings for a server that the user has named are left
    /// alone.
    pub(super) fn environment<'a>(&self, mut command: Cmd<'a>) -> Cmd<'a> {
        let foreign = env::vars_os().map(|(name, _)| name);
        let foreign = foreign.filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with("LOB_") || self.own_s3.is_some() && name.starts_with("AWS_")
        });
        command = foreign.fold(command, |command, name| command.env_remove(name));
        command = command.env("LOB_CA_BUNDLE", self.bundle.path());
        if let Some(Own { server, front }) = &self.own_s3 {
            command = command
                .env("AWS_ENDPOINT_URL", front.endpoint())
                .env("AWS_ACCESS_KEY_ID", server.access_key())
                .env("AWS_SECRET_ACCESS_KEY", server.secret_key())
                .env("AWS_REGION", s3_client::REGION);
        }
        if let Some(Own { front, .. }) = &self.own_mongo {
            command = command.env("MONGODB_URI", uri(front));
        }
        command
    }

    /// Prints what is left behind.
    pub(super) fn close(self) {
        let (bucket, id) = (&self.bucket, &self.run_id);
        if self.own_s3.is_none() {
            println!("The objects stay: s3://{bucket}/{{lob-data,processed-splits}}/{id}/");
        }
        if self.own_mongo.is_none() {
            println!("The databases stay: `{id}_source` and `{id}_restored`.");
        }
    }
}

async fn s3(authority: &Authority) -> anyhow::Result<(aws_sdk_s3::Client, Option<Own<S3Server>>)> {
    if let Ok(endpoint) = env::var("AWS_ENDPOINT_URL") {
        println!("S3:      {endpoint}, named by AWS_ENDPOINT_URL");
        return Ok((s3_client::from_environment().await, None));
    }
    let buckets = vec![BUCKET.to_owned()];
    let options = S3Options {
        buckets,
        ..S3Options::default()
    };
    let server = S3Server::start(options).await.context("no S3 server")?;
    let identity = authority.sign(Flaw::None)?;
    let front = TlsFront::start(&server.endpoint(), &identity, None).await?;
    println!("S3:      {}, in this process", front.endpoint());
    let (access_key, secret_key) = (server.access_key(), server.secret_key());
    let client = s3_client::with_keys(&server.endpoint(), access_key, secret_key).await;
    Ok((client, Some(Own { server, front })))
}

async fn mongo(authority: &Authority) -> anyhow::Result<(Client, Option<Own<MongoServer>>)> {
    if let Ok(uri) = env::var("MONGODB_URI") {
        println!("MongoDB: the server named by MONGODB_URI");
        let client = Client::with_uri_str(uri).await.context("MONGODB_URI")?;
        return Ok((client, None));
    }
    let server = MongoServer::start(MongoOptions::default()).context("no MongoDB server")?;
    let client = Client::with_uri_str(server.uri()).await?;
    let identity = authority.sign(Flaw::None)?;
    let front = TlsFront::start(&server.address().to_string(), &identity, None).await?;
    println!("MongoDB: {}, in this process", uri(&front));
    Ok((client, Some(Own { server, front })))
}

/// A direct connection, because a replica set announces its members' addresses without TLS.
fn uri(front: &TlsFront) -> String {
    format!(
        "mongodb://{}/?tls=true&directConnection=true",
        front.address()
    )
}
