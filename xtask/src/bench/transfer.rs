//! What `bench export` and `bench import` share: the servers, a filled collection, and rounds in
//! which each client takes its turn.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use bson::doc;
use lob_testkit::mongo::{MongoOptions, MongoServer};
use lob_testkit::s3::{S3Options, S3Server};
use tempfile::TempDir;
use xshell::{Shell, cmd};

use super::cost::{self, Cost};
use super::transfer_client::{Client, Servers};
use super::transfer_report;
use crate::binaries::{self, Profile};
use crate::fill::{self, COLLECTION, Filled};
use crate::minio::{self, Minio};
use crate::mongod::{Mongod, Release};
use crate::peers::{self, Peer};
use crate::tools::Tools;
use crate::{command, s3_client, setup};

pub(super) const BUCKET: &str = "bench";
pub(super) const PREFIX: &str = "runs";
/// The database that is filled.
pub(super) const SOURCE: &str = "source";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Documents of the collection, with 768 doubles each
    #[arg(long, value_name = "COUNT", default_value_t = 60_000)]
    pub(super) documents: u64,
    /// How often each client moves them
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    pub(super) rounds: usize,
    /// Binaries of a debug build and no change to docs/PERFORMANCE.md: to try the benchmark itself
    #[arg(long)]
    pub(super) trial: bool,
}

/// How to reach one kind of server.
pub(super) struct Place {
    endpoint: String,
    access_key: String,
    secret_key: String,
    uri: String,
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) mongo: mongodb::Client,
}

impl Place {
    async fn new(endpoint: &str, keys: (&str, &str), uri: &str) -> anyhow::Result<Self> {
        let s3 = s3_client::with_keys(endpoint, keys.0, keys.1).await;
        Ok(Self {
            endpoint: endpoint.to_owned(),
            access_key: keys.0.to_owned(),
            secret_key: keys.1.to_owned(),
            uri: uri.to_owned(),
            s3,
            mongo: mongodb::Client::with_uri_str(uri).await?,
        })
    }
}

/// Servers, programs and data.
pub(super) struct Bench<'a> {
    pub(super) sh: &'a Shell,
    tools: Tools,
    args: &'a Args,
    programs: HashMap<&'static str, PathBuf>,
    peers: Vec<Peer>,
    real: Place,
    doubles: Place,
    mongod: Mongod,
    pub(super) filled: Filled,
    folder: TempDir,
    /// Keeps the servers running until it is dropped.
    _servers: (Minio, S3Server, MongoServer),
}

impl<'a> Bench<'a> {
    pub(super) async fn open(
        sh: &'a Shell,
        args: &'a Args,
        tools: &[&'static str],
        peers: &[&str],
    ) -> anyhow::Result<Self> {
        ensure!(args.documents > 0 && args.rounds > 0, "nothing to measure");
        let paths = Tools::new(sh);
        setup::minio(sh, &paths).await?;
        setup::mongodb(sh, &paths, Release::V6_0).await?;
        let profile = if args.trial {
            Profile::Dev
        } else {
            Profile::Release
        };
        let binaries = binaries::build(sh, profile, tools).await?;
        let peers = peers::find(sh, peers).await;
        let ours = tools.iter().map(|tool| (*tool, binaries[*tool].clone()));
        let theirs = peers.iter().map(|peer| (peer.program, peer.path.clone()));
        let programs = ours.chain(theirs).collect();

        let minio = Minio::start(sh, 0).await?;
        let mongod = Mongod::start(sh, Release::V6_0, 0).await?;
        let keys = (minio::ACCESS_KEY, minio::SECRET_KEY);
        let real = Place::new(&minio.endpoint(), keys, &mongod.uri()).await?;
        let created = real.s3.create_bucket().bucket(BUCKET).send().await;
        created.context("no bucket")?;
        let filled = fill::fill(&real.mongo, SOURCE, args.documents).await?;

        let buckets = vec![BUCKET.to_owned()];
        let options = S3Options {
            buckets,
            ..S3Options::default()
        };
        let s3 = S3Server::start(options).await.context("no S3 server")?;
        let mongo = MongoServer::start(MongoOptions::default()).context("no MongoDB server")?;
        mongo.load(
            SOURCE,
            COLLECTION,
            fill::documents().take(args.documents as usize),
        )?;
        let keys = (s3.access_key(), s3.secret_key());
        let doubles = Place::new(&s3.endpoint(), keys, &mongo.uri()).await?;
        Ok(Self {
            sh,
            tools: paths,
            args,
            programs,
            peers,
            real,
            doubles,
            mongod,
            filled,
            folder: tempfile::tempdir_in(sh.current_dir().join("target"))?,
            _servers: (minio, s3, mongo),
        })
    }

    pub(super) fn place(&self, servers: Servers) -> &Place {
        match servers {
            Servers::Real => &self.real,
            Servers::Doubles => &self.doubles,
        }
    }

    /// The folder for a run's data on disk.
    pub(super) fn folder(&self, run: &str) -> PathBuf {
        self.folder.path().join(run)
    }

    /// Whether the client was found.
    pub(super) fn has(&self, client: &Client) -> bool {
        self.programs.contains_key(client.program)
    }

    /// Runs each client that was found, starting each round with a different one, and writes the
    /// table. `finish` checks that all documents arrived, and removes them.
    pub(super) async fn compare(
        &self,
        bench: &str,
        clients: &[Client],
        finish: impl AsyncFn(&Client, &str) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let clients: Vec<_> = clients.iter().filter(|client| self.has(client)).collect();
        let mut costs = vec![Vec::new(); clients.len()];
        for round in 0..self.args.rounds {
            for place in 0..clients.len() {
                let place = (round + place) % clients.len();
                let client = clients[place];
                let run = format!("round_{round}_{place}");
                let cost = self.run(client, &run).await?;
                println!(
                    "round {} of {}: {:.2} s, CPU {:.2} s, {:.0} MiB, server's CPU {:.2} s",
                    round + 1,
                    client.name,
                    cost.wall,
                    cost.cpu,
                    cost.peak,
                    cost.server,
                );
                let finished = finish(client, &run).await;
                finished.with_context(|| format!("`{}`", client.name))?;
                costs[place].push(cost);
            }
        }
        let medians = costs.iter().map(|costs| Cost::median(costs));
        let clients: Vec<_> = clients.into_iter().zip(medians).collect();
        let text = transfer_report::render(&self.filled, self.args.rounds, &clients, &self.peers)?;
        println!("\n{text}");
        if self.args.trial {
            return Ok(());
        }
        super::report::write(self.sh, bench, &text)
    }

    /// Runs a client once, after flushing whatever the last one left to be written.
    pub(super) async fn run(&self, client: &Client, run: &str) -> anyhow::Result<Cost> {
        let place = self.place(client.servers);
        let flush = doc! { "fsync": 1 };
        self.real.mongo.database("admin").run_command(flush).await?;
        command::finish(cmd!(self.sh, "sync")).await?;
        let counted = async || match client.servers {
            Servers::Real => self.mongod.cpu(),
            // The server runs in this process, together with the code that measures.
            Servers::Doubles => Ok(0.0),
        };
        let program = &self.programs[client.program];
        let arguments = self.arguments(client, run);
        let environment = self.environment(place);
        let cost = cost::measure(self.sh, counted, program, &arguments, &environment).await;
        cost.with_context(|| format!("`{}`", client.name))
    }

    fn arguments(&self, client: &Client, run: &str) -> Vec<String> {
        let place = self.place(client.servers);
        let scripts = self.sh.current_dir().join("xtask/peers");
        let jars = self.tools.spark_jars();
        let jars: Vec<_> = jars.iter().map(|jar| jar.display().to_string()).collect();
        let words = client.arguments.split_whitespace();
        // Substitute the paths last, so that nothing inside them is replaced.
        let words = words.map(|word| {
            word.replace("RUN", run)
                .replace("URI", &place.uri)
                .replace("SCRIPTS", &scripts.display().to_string())
                .replace("JARS", &jars.join(","))
                .replace("DIR", &self.folder.path().display().to_string())
        });
        words.collect()
    }

    /// What the clients need to find the servers, and nothing from the user's own environment.
    fn environment(&self, place: &Place) -> Vec<(&'static str, OsString)> {
        vec![
            ("AWS_ENDPOINT_URL", place.endpoint.clone().into()),
            ("AWS_ACCESS_KEY_ID", place.access_key.clone().into()),
            ("AWS_SECRET_ACCESS_KEY", place.secret_key.clone().into()),
            ("AWS_REGION", s3_client::REGION.into()),
            ("MONGODB_URI", place.uri.clone().into()),
            ("LOB_BUCKET", BUCKET.into()),
            ("LOB_PREFIX", PREFIX.into()),
            ("LOB_MANIFEST_DIR", self.folder("manifests").into()),
            ("PYSPARK_PYTHON", self.tools.peers_python().into()),
        ]
    }

    /// Checks that the Parquet files have all rows.
    pub(super) async fn check_rows(&self, path: &Path) -> anyhow::Result<()> {
        let python = self.tools.peers_python();
        let rows = command::output(cmd!(self.sh, "{python} -c {COUNT_ROWS} {path}")).await?;
        let (rows, documents) = (rows.trim(), self.filled.documents.to_string());
        ensure!(rows == documents, "{rows} of {documents} documents");
        Ok(())
    }
}

const COUNT_ROWS: &str = r#"
import sys
from pyarrow import dataset
print(dataset.dataset(sys.argv[1], format="parquet").count_rows())
"#;
