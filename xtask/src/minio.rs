//! A private MinIO: the real S3 server that the tests run against.

mod users;

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use aws_sdk_s3::Client as S3Client;
use lob_testkit::real::S3_ROOT;
use lob_testkit::tls::Identity;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use xshell::{Shell, cmd};

use crate::s3_client;
use crate::server_process::{ServerProcess, free_port};
use crate::tools::Tools;

/// Its root. The server listens on 127.0.0.1 only.
pub(crate) const ACCESS_KEY: &str = S3_ROOT.0;
pub(crate) const SECRET_KEY: &str = S3_ROOT.1;

/// Runs until it is dropped.
pub(crate) struct Minio {
    address: String,
    has_tls: bool,
    process: ServerProcess,
    _certificates: TempDir,
}

impl Minio {
    /// Starts an empty server; port 0 takes a free one.
    pub(crate) async fn start(sh: &Shell, port: u16) -> anyhow::Result<Self> {
        Self::launch(sh, "minio", port, None).await
    }

    /// Starts an empty server with a user for each tool, who has exactly the documented rights on
    /// the bucket of the tools' tests. Its log has this name.
    pub(crate) async fn with_users(sh: &Shell, name: &str) -> anyhow::Result<Self> {
        let minio = Self::launch(sh, name, 0, None).await?;
        users::create(sh, &minio.endpoint()).await?;
        Ok(minio)
    }

    /// Starts an empty server that speaks TLS, with `identity`, on a free port.
    pub(crate) async fn with_tls(sh: &Shell, identity: &Identity) -> anyhow::Result<Self> {
        Self::launch(sh, "minio", 0, Some(identity)).await
    }

    async fn launch(
        sh: &Shell,
        name: &str,
        port: u16,
        identity: Option<&Identity>,
    ) -> anyhow::Result<Self> {
        let tools = Tools::new(sh);
        let data = tools.data(name).context("no folder for MinIO's data")?;
        let certificates = tempfile::tempdir()?;
        if let Some(identity) = identity {
            let [certificate, key] = identity.pems();
            fs::write(certificates.path().join("public.crt"), certificate)?;
            fs::write(certificates.path().join("private.key"), key)?;
        }
        let port = if port == 0 { free_port()? } else { port };
        let address = format!("127.0.0.1:{port}");
        let (minio, folder, certs) = (tools.minio(), data.path(), certificates.path());
        let server = cmd!(sh, "{minio} server {folder} --certs-dir {certs}");
        let command = server
            .args(["--address", &address, "--quiet"])
            .env("MINIO_ROOT_USER", ACCESS_KEY)
            .env("MINIO_ROOT_PASSWORD", SECRET_KEY)
            .env("MINIO_PROMETHEUS_AUTH_TYPE", "public");
        let log = tools.log(name);
        let mut process = ServerProcess::start("MinIO", command, log, data)?;
        process
            .wait_until(async || match identity {
                None => is_ready(&address).await.unwrap_or(false),
                // It has read its certificates by then; clients wait for the rest.
                Some(_) => TcpStream::connect(&address).await.is_ok(),
            })
            .await?;
        Ok(Self {
            address,
            has_tls: identity.is_some(),
            process,
            _certificates: certificates,
        })
    }

    pub(crate) fn endpoint(&self) -> String {
        let scheme = if self.has_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// A client, and the first bucket; the server must be without TLS.
    pub(crate) async fn new_bucket(&self, bucket: &str) -> anyhow::Result<S3Client> {
        let s3 = s3_client::with_keys(&self.endpoint(), ACCESS_KEY, SECRET_KEY).await;
        let created = s3.create_bucket().bucket(bucket).send().await;
        created.context("no bucket")?;
        Ok(s3)
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> &Path {
        self.process.data()
    }

    /// S3 requests since the start, as counted by the server. It must be without TLS.
    pub(crate) async fn requests(&self) -> anyhow::Result<u64> {
        let reply = get(&self.address, "/minio/metrics/v3/api/requests").await;
        let reply = reply.context("MinIO's counters cannot be read")?;
        let counters = reply
            .lines()
            .filter(|line| line.starts_with("minio_api_requests_total{"));
        let counts = counters.map(|line| {
            let count = line.rsplit(' ').next();
            let count = count.and_then(|count| count.parse::<u64>().ok());
            count.with_context(|| format!("MinIO counts `{line}`"))
        });
        counts.sum()
    }
}

async fn is_ready(address: &str) -> std::io::Result<bool> {
    let reply = get(address, "/minio/health/ready").await?;
    Ok(reply.split(' ').nth(1) == Some("200"))
}

async fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await?;
    Ok(reply)
}
