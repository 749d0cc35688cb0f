//! `bench import`: each client in turn imports the same documents into the same MongoDB, from the
//! format that it exports.

use anyhow::ensure;
use bson::doc;
use xshell::Shell;

use super::export;
use super::transfer::{Args, Bench};
use super::transfer_client::{Client, Format, Servers};
use crate::fill::COLLECTION;

const LOB_IMPORT: Client = Client {
    name: "lob-import",
    program: "lob-import",
    arguments: "--run-id source --database RUN --progress none",
    servers: Servers::Real,
    format: Format::Run,
    does: "Parquet from S3, verified",
};

const MONGORESTORE: Client = Client {
    name: "mongorestore",
    program: "mongorestore",
    arguments: "--quiet --uri=URI --nsFrom=source.* --nsTo=RUN.* DIR/dump",
    servers: Servers::Real,
    format: Format::Dump,
    does: "BSON from the disk",
};

/// `lob-import` with its defaults comes first: all others are compared with it.
const CLIENTS: [Client; 5] = [
    LOB_IMPORT,
    Client {
        name: "lob-import, test servers",
        servers: Servers::Doubles,
        ..LOB_IMPORT
    },
    MONGORESTORE,
    Client {
        name: "mongorestore, 4 workers",
        arguments: "--quiet --uri=URI --nsFrom=source.* --nsTo=RUN.* \
                    --numInsertionWorkersPerCollection=4 DIR/dump",
        ..MONGORESTORE
    },
    Client {
        arguments: "--master local[*] --driver-memory 4g --jars JARS SCRIPTS/spark_import.py \
                    URI RUN split_0_input DIR/parquet",
        does: "snappy Parquet from the disk",
        ..export::PYSPARK
    },
];
const TOOLS: [&str; 2] = ["lob-export", "lob-import"];
const PEERS: [&str; 3] = ["mongodump", "mongorestore", "pyspark"];

pub(crate) async fn run(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    let bench = Bench::open(sh, args, &TOOLS, &PEERS).await?;
    for client in &export::CLIENTS {
        // The data to import is named after its format.
        let run = match client.format {
            Format::Run => "source",
            Format::Dump => "dump",
            Format::Parquet => "parquet",
        };
        if bench.has(client) {
            bench.run(client, run).await?;
        }
    }
    let finish = async |client: &Client, run: &str| check(&bench, client, run).await;
    bench.compare("import", &CLIENTS, finish).await
}

/// Checks that the collection has all documents, and removes it.
async fn check(bench: &Bench<'_>, client: &Client, run: &str) -> anyhow::Result<()> {
    let database = bench.place(client.servers).mongo.database(run);
    let count = database.run_command(doc! { "count": COLLECTION }).await?;
    let (found, documents) = (count.get_i32("n")?, bench.filled.documents);
    ensure!(
        found as u64 == documents,
        "{found} of {documents} documents"
    );
    let collection = database.collection::<bson::RawDocumentBuf>(COLLECTION);
    Ok(collection.drop().await?)
}
