//! `bench link`: does a tool fill a link whose connections are slow? Each client moves the same data
//! twice through the same proxy, once as fast as it goes and once with every connection shaped.

mod shaper;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use bson::doc;
use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
use tempfile::TempDir;
use xshell::{Shell, cmd};

use self::shaper::{DELAY, RATE, Shaper};
use super::cost::{self, Cost};
use super::{report, transfer};
use crate::binaries::{self, Profile};
use crate::fill::{self, COLLECTION};
use crate::minio::{self, Minio};
use crate::mongod::{Mongod, Release};
use crate::tools::Tools;
use crate::{command, peers, s3_client, setup};

const BUCKET: &str = "link";
/// The database that is exported, and the run that is imported.
const SOURCE: &str = "source";
const FILES: usize = 10;
const FILE_SIZE: u64 = 100_000_000;
const TOOLS: [&str; 3] = ["lob-upload", "lob-export", "lob-import"];
const PEERS: [&str; 4] = ["mc", "aws", "mongodump", "mongorestore"];

#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    transfer: transfer::Args,
    /// Only this program; can be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

/// One client in one configuration.
struct Client {
    program: &'static str,
    /// `RUN` stands for the name of this run and its database, `DIR` for the folder of the files,
    /// `DUMP` for that of a dump, `URI` for MongoDB's address.
    arguments: &'static str,
    /// Whether it fills the database `RUN`.
    imports: bool,
}

const CLIENTS: [Client; 8] = [
    Client {
        program: "lob-upload",
        arguments: "--source-dir DIR --run-id RUN --memory 512MiB --progress none",
        imports: false,
    },
    Client {
        program: "lob-upload",
        arguments: "--source-dir DIR --run-id RUN --memory 128MiB --progress none",
        imports: false,
    },
    Client {
        program: "mc",
        arguments: "cp --quiet --recursive --checksum CRC64NVME DIR/ link/link/RUN/",
        imports: false,
    },
    Client {
        program: "aws",
        arguments: "s3 cp --only-show-errors --recursive DIR s3://link/RUN/",
        imports: false,
    },
    Client {
        program: "lob-export",
        arguments: "--database source --run-id RUN --memory 512MiB --progress none",
        imports: false,
    },
    Client {
        program: "mongodump",
        arguments: "--quiet --uri=URI --db=source --out=DUMP/RUN",
        imports: false,
    },
    Client {
        program: "lob-import",
        arguments: "--run-id source --database RUN --memory 512MiB --progress none",
        imports: true,
    },
    Client {
        program: "mongorestore",
        arguments: "--quiet --uri=URI --nsFrom=source.* --nsTo=RUN.* \
                    --numInsertionWorkersPerCollection=4 DUMP/dump",
        imports: true,
    },
];

/// A client's medians.
struct Measured {
    client: &'static Client,
    unshaped: Cost,
    shaped: Cost,
    /// Most connections that were busy at once in any shaped run: to S3, and to MongoDB.
    busy: [usize; 2],
}

pub(crate) async fn run(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    ensure!(
        args.transfer.documents > 0 && args.transfer.rounds > 0,
        "nothing to measure"
    );
    let tools = Tools::new(sh);
    setup::minio(sh, &tools).await?;
    setup::mongodb(sh, &tools, Release::V6_0).await?;
    let profile = match args.transfer.trial {
        true => Profile::Dev,
        false => Profile::Release,
    };
    let mut programs = binaries::build(sh, profile, &TOOLS).await?;
    for peer in peers::find(sh, &PEERS).await {
        programs.insert(peer.program.to_owned(), peer.path);
    }
    let bench = Bench::open(sh, programs, args.transfer.documents).await?;
    let mut measured = Vec::new();
    for (number, client) in CLIENTS.iter().enumerate() {
        let is_named = args.only.is_empty() || args.only.iter().any(|name| name == client.program);
        if is_named && bench.programs.contains_key(client.program) {
            measured.push(bench.compare(client, number, args.transfer.rounds).await?);
        }
    }
    let text = render(&measured, args)?;
    println!("\n{text}");
    match args.transfer.trial || !args.only.is_empty() {
        true => Ok(()),
        false => report::write(sh, "link", &text),
    }
}

struct Bench<'a> {
    sh: &'a Shell,
    programs: HashMap<String, PathBuf>,
    to_s3: Shaper,
    to_mongo: Shaper,
    mongo: mongodb::Client,
    documents: u64,
    folder: TempDir,
    _servers: (Minio, Mongod),
}

impl<'a> Bench<'a> {
    async fn open(
        sh: &'a Shell,
        programs: HashMap<String, PathBuf>,
        documents: u64,
    ) -> anyhow::Result<Self> {
        let minio = Minio::start(sh, 0).await?;
        let mongod = Mongod::start(sh, Release::V6_0, 0).await?;
        minio.new_bucket(BUCKET).await?;
        let uri = mongod.uri();
        let mongo = mongodb::Client::with_uri_str(&uri).await?;
        fill::fill(&mongo, SOURCE, documents).await?;
        let address = uri.trim_start_matches("mongodb://");
        let address = address.split('/').next().unwrap_or_default();
        let bench = Self {
            sh,
            programs,
            to_s3: Shaper::start(minio.endpoint().trim_start_matches("http://")).await?,
            to_mongo: Shaper::start(address).await?,
            mongo,
            documents,
            folder: tempfile::tempdir_in(sh.current_dir().join("target"))?,
            _servers: (minio, mongod),
        };
        bench.write_files()?;
        // What is imported.
        for (program, run) in [("lob-export", SOURCE), ("mongodump", "dump")] {
            let exporter = CLIENTS.iter().find(|client| client.program == program);
            if let Some(client) = exporter.filter(|_| bench.programs.contains_key(program)) {
                bench.move_once(client, run, false).await?;
            }
        }
        Ok(bench)
    }

    fn write_files(&self) -> anyhow::Result<()> {
        let folder = self.folder.path().join("files");
        std::fs::create_dir(&folder)?;
        for number in 0..FILES {
            let feed = ParquetFeed {
                seed: number as u64,
                size: FeedSize::Bytes(FILE_SIZE),
                levels: 10,
            };
            feed.write(&folder.join(format!("day_{number}.parquet")))?;
        }
        Ok(())
    }

    /// Moves the data without and with the shaping in turn.
    async fn compare(
        &self,
        client: &'static Client,
        number: usize,
        rounds: usize,
    ) -> anyhow::Result<Measured> {
        let (mut unshaped, mut shaped) = (Vec::new(), Vec::new());
        let mut busy = [0; 2];
        for round in 0..rounds {
            for is_shaped in [false, true] {
                let run = format!("run_{number}_{round}_{is_shaped}");
                let cost = self.move_once(client, &run, is_shaped).await?;
                let most = [&self.to_s3, &self.to_mongo].map(|shaper| shaper.link.most_busy());
                println!(
                    "{} ({}): {:.2} s, CPU {:.2} s, {:.0} MiB, {most:?} connections",
                    client.program,
                    if is_shaped { "shaped" } else { "not shaped" },
                    cost.wall,
                    cost.cpu,
                    cost.peak
                );
                if is_shaped {
                    busy = [busy[0].max(most[0]), busy[1].max(most[1])];
                    shaped.push(cost);
                } else {
                    unshaped.push(cost);
                }
            }
        }
        Ok(Measured {
            client,
            unshaped: Cost::median(&unshaped),
            shaped: Cost::median(&shaped),
            busy,
        })
    }

    async fn move_once(&self, client: &Client, run: &str, shaped: bool) -> anyhow::Result<Cost> {
        let flush = doc! { "fsync": 1 };
        self.mongo.database("admin").run_command(flush).await?;
        command::finish(cmd!(self.sh, "sync")).await?;
        for shaper in [&self.to_s3, &self.to_mongo] {
            shaper.link.shape(shaped);
        }
        let (files, dump) = (
            self.folder.path().join("files"),
            self.folder.path().join("dump"),
        );
        let uri = self.uri();
        let words = client.arguments.split_whitespace().map(|word| {
            word.replace("RUN", run)
                .replace("URI", &uri)
                .replace("DIR", &files.display().to_string())
                .replace("DUMP", &dump.display().to_string())
        });
        let arguments: Vec<_> = words.collect();
        let program = &self.programs[client.program];
        let nothing = async || Ok(0.0);
        let environment = self.environment();
        let cost = cost::measure(self.sh, nothing, program, &arguments, &environment).await;
        let cost = cost.with_context(|| format!("`{}`", client.program))?;
        if client.imports {
            let database = self.mongo.database(run);
            let count = database.run_command(doc! { "count": COLLECTION }).await?;
            let found = count.get_i32("n")?;
            ensure!(found as u64 == self.documents, "{found} documents");
            database.drop().await?;
        }
        Ok(cost)
    }

    /// The proxy stands before one member, whose own address must not be asked for.
    fn uri(&self) -> String {
        format!(
            "mongodb://{}/?directConnection=true",
            self.to_mongo.address()
        )
    }

    /// What the clients need to find the servers, and nothing from the user's own environment.
    fn environment(&self) -> Vec<(&'static str, OsString)> {
        let (access, secret) = (minio::ACCESS_KEY, minio::SECRET_KEY);
        let address = self.to_s3.address();
        let scratch = |name| self.folder.path().join(name).into_os_string();
        vec![
            ("AWS_ENDPOINT_URL", format!("http://{address}").into()),
            ("AWS_ACCESS_KEY_ID", access.into()),
            ("AWS_SECRET_ACCESS_KEY", secret.into()),
            ("AWS_REGION", s3_client::REGION.into()),
            ("AWS_CONFIG_FILE", scratch("aws")),
            ("MC_CONFIG_DIR", scratch("mc")),
            (
                "MC_HOST_link",
                format!("http://{access}:{secret}@{address}").into(),
            ),
            ("MONGODB_URI", self.uri().into()),
            ("LOB_BUCKET", BUCKET.into()),
            ("LOB_PREFIX", "runs".into()),
            ("LOB_MANIFEST_DIR", scratch("manifests")),
        ]
    }
}

fn render(measured: &[Measured], args: &Args) -> anyhow::Result<String> {
    let mut text = format!(
        "{FILES} files of {} MB, and {} documents; {} MB/s and {} ms for each connection, no limit \
         for all; medians of {} rounds; {}.\n\n",
        FILE_SIZE / 1_000_000,
        args.transfer.documents,
        RATE / 1_000_000,
        DELAY.as_millis(),
        args.transfer.rounds,
        report::machine()?,
    );
    text.push_str(
        "| command | wall s | shaped | times | peak MiB | shaped | busy connections to S3 | to \
         MongoDB |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for one in measured {
        let Measured {
            client,
            unshaped,
            shaped,
            busy,
        } = one;
        writeln!(
            text,
            "| `{} {}` | {:.1} | {:.1} | {:.2} | {:.0} | {:.0} | {} | {} |",
            client.program,
            client.arguments,
            unshaped.wall,
            shaped.wall,
            shaped.wall / unshaped.wall,
            unshaped.peak,
            shaped.peak,
            busy[0],
            busy[1],
        )?;
    }
    Ok(text)
}
