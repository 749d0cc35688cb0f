//! An S3 and a MongoDB server in the foreground, for trying the tools by hand.
//!
//! stdout is for a shell to evaluate: the variables with which the tools find the servers.

use anyhow::Context as _;
use lob_testkit::mongo::{MongoOptions, MongoServer};
use lob_testkit::s3::{S3Options, S3Server};
use xshell::Shell;

use crate::minio::{self, Minio};
use crate::mongod::{Mongod, Release};
use crate::{s3_client, setup, signals};

/// The bucket that exists from the start.
const BUCKET: &str = "lob";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Port of the S3 server on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    s3_port: u16,
    /// Port of the MongoDB server on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    mongo_port: u16,
    /// MinIO and MongoDB instead of the test servers; installs them where need be
    #[arg(long)]
    real: bool,
}

pub(crate) async fn run(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    if args.real {
        real(sh, args).await
    } else {
        testkit(args).await
    }
}

async fn testkit(args: &Args) -> anyhow::Result<()> {
    let buckets = vec![BUCKET.to_owned()];
    let options = S3Options {
        port: args.s3_port,
        buckets,
        ..S3Options::default()
    };
    let s3 = S3Server::start(options).await.context("no S3 server")?;
    let options = MongoOptions {
        port: args.mongo_port,
        ..MongoOptions::default()
    };
    let mongo = MongoServer::start(options).context("no MongoDB server")?;
    serve(
        &s3.endpoint(),
        s3.access_key(),
        s3.secret_key(),
        &mongo.uri(),
    )
    .await;
    Ok(())
}

async fn real(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    setup::run(sh).await?;
    let s3 = Minio::start(sh, args.s3_port).await?;
    let mongo = Mongod::start(sh, Release::V6_0, args.mongo_port).await?;
    let (access_key, secret_key) = (minio::ACCESS_KEY, minio::SECRET_KEY);
    let client = s3_client::with_keys(&s3.endpoint(), access_key, secret_key).await;
    client
        .create_bucket()
        .bucket(BUCKET)
        .send()
        .await
        .context("no bucket")?;
    serve(&s3.endpoint(), access_key, secret_key, &mongo.uri()).await;
    Ok(())
}

/// Prints how to reach the servers and waits for Ctrl-C.
async fn serve(endpoint: &str, access_key: &str, secret_key: &str, uri: &str) {
    println!("export AWS_ENDPOINT_URL={endpoint}");
    println!("export AWS_ACCESS_KEY_ID={access_key}");
    println!("export AWS_SECRET_ACCESS_KEY={secret_key}");
    println!("export AWS_REGION={}", s3_client::REGION);
    println!("export MONGODB_URI='{uri}'");
    println!("export LOB_BUCKET={BUCKET}");
    eprintln!("running; Ctrl-C stops both servers, and what they hold is gone");
    signals::stop().await;
}
