//! An S3 server and a MongoDB server, with a bucket and a database private to one test.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use bson::{RawDocument, RawDocumentBuf, rawdoc};
use futures::TryStreamExt as _;
use lob_testkit::bson_samples::Sample;
use lob_testkit::mongo::{self, MongoOptions, MongoServer, MongoVersion};
use lob_testkit::s3::{self, S3Options, S3Server};
use mongodb::Client as MongoClient;

/// The servers of one test.
pub struct Servers {
    /// The endpoint of the S3 server.
    pub s3_endpoint: String,
    /// Its access key.
    pub access_key: String,
    /// Its secret key.
    pub secret_key: String,
    /// The test's private bucket, empty at first.
    pub bucket: String,
    /// The connection string of the MongoDB server.
    pub mongodb_uri: String,
    /// The test's private database, empty at first.
    pub database: String,
    /// An S3 client for the test itself.
    pub s3: aws_sdk_s3::Client,
    /// A MongoDB client for the test itself.
    pub mongo: MongoClient,
    /// The version of the MongoDB server.
    pub version: MongoVersion,
    /// The doubles, unless the servers are real.
    pub doubles: Option<Doubles>,
}

/// The testkit's servers, whose state a test may inspect.
pub struct Doubles {
    /// The S3 server.
    pub s3: S3Server,
    /// The MongoDB server.
    pub mongo: MongoServer,
}

/// The gates that decide about every request to the doubles.
#[derive(Clone, Default)]
pub struct Gates {
    /// For the S3 server.
    pub s3: Option<Arc<dyn s3::Gate>>,
    /// For the MongoDB server.
    pub mongo: Option<Arc<dyn mongo::Gate>>,
}

/// A name no other test uses, even on a server that outlives many runs.
fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros();
    format!("{what}-{now:x}-{:x}-{count:x}", std::process::id())
}

async fn version(client: &MongoClient) -> MongoVersion {
    let admin = client.database("admin");
    let build = admin.run_command(bson::doc! { "buildInfo": 1 }).await;
    MongoVersion::of(&build.unwrap()).unwrap()
}

impl Servers {
    /// Starts the real servers named in the environment, or the doubles.
    pub async fn start() -> Self {
        Self::start_with(Gates::default()).await
    }

    /// Like [`Servers::start`]; `gates` decide about requests to the doubles.
    pub async fn start_with(gates: Gates) -> Self {
        let name = |suffix: &str| env::var(format!("LOB_E2E_{suffix}")).ok();
        let (Some(s3_endpoint), Some(mongodb_uri)) = (name("S3_ENDPOINT"), name("MONGODB_URI"))
        else {
            return Self::doubles(gates).await;
        };
        let (access_key, secret_key) = (name("S3_ACCESS_KEY"), name("S3_SECRET_KEY"));
        let keys = (access_key.unwrap(), secret_key.unwrap());
        Self::connect(s3_endpoint, keys, mongodb_uri, None).await
    }

    /// Starts the doubles, whatever the environment says.
    pub async fn doubles(gates: Gates) -> Self {
        let options = S3Options {
            gate: gates.s3,
            ..S3Options::default()
        };
        let s3 = S3Server::start(options).await.unwrap();
        let options = MongoOptions {
            gate: gates.mongo,
            ..MongoOptions::default()
        };
        let mongo = MongoServer::start(options).unwrap();
        let keys = (s3.access_key().to_owned(), s3.secret_key().to_owned());
        let (endpoint, uri) = (s3.endpoint(), mongo.uri());
        Self::connect(endpoint, keys, uri, Some(Doubles { s3, mongo })).await
    }

    async fn connect(
        s3_endpoint: String,
        (access_key, secret_key): (String, String),
        mongodb_uri: String,
        doubles: Option<Doubles>,
    ) -> Self {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(lob_testkit::http_client())
            .endpoint_url(&s3_endpoint)
            .force_path_style(true)
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new(
                &access_key,
                &secret_key,
                None,
                None,
                "test",
            ))
            .build();
        let s3 = aws_sdk_s3::Client::from_conf(config);
        let bucket = unique("lob");
        s3.create_bucket().bucket(&bucket).send().await.unwrap();
        let mongo = MongoClient::with_uri_str(&mongodb_uri).await.unwrap();
        let version = match doubles {
            Some(_) => MongoVersion::KIT,
            None => version(&mongo).await,
        };
        let database = unique("lob");
        Self {
            s3_endpoint,
            access_key,
            secret_key,
            bucket,
            mongodb_uri,
            database,
            s3,
            mongo,
            version,
            doubles,
        }
    }

    /// Inserts documents unchanged, including zero timestamps if the server keeps them.
    pub async fn insert<D: AsRef<RawDocument>>(&self, collection: &str, documents: &[D]) {
        for batch in documents.chunks(500) {
            let mut raw = bson::RawArrayBuf::new();
            batch
                .iter()
                .for_each(|document| raw.push(document.as_ref().to_owned()));
            let mut command = rawdoc! { "insert": collection };
            if self.version.keeps_zero_timestamps() {
                command.append(bson::raw::cstr!("bypassEmptyTsReplacement"), true);
            }
            command.append(bson::raw::cstr!("documents"), raw);
            let database = self.mongo.database(&self.database);
            let reply = database.run_raw_command(command).await.unwrap();
            assert!(reply.get("writeErrors").is_none(), "{reply:?}");
        }
    }

    /// The samples that the MongoDB server stores unchanged.
    pub fn kept(&self, samples: Vec<Sample>) -> Vec<RawDocumentBuf> {
        let documents = samples.into_iter().map(|sample| sample.document);
        documents.filter(|d| self.version.keeps(d)).collect()
    }

    /// All documents of a collection as stored, in `_id` order.
    pub async fn documents(&self, database: &str, collection: &str) -> Vec<RawDocumentBuf> {
        let collection = self
            .mongo
            .database(database)
            .collection::<RawDocumentBuf>(collection);
        let mut batches = collection
            .find(bson::doc! {})
            .sort(bson::doc! { "_id": 1 })
            .batch()
            .await
            .unwrap();
        let mut documents = Vec::new();
        while let Some(batch) = batches.try_next().await.unwrap() {
            for document in batch.doc_slices().unwrap() {
                documents.push(document.unwrap().as_document().unwrap().to_owned());
            }
        }
        documents
    }

    /// The names of a database's collections, sorted, without the one that holds an import's
    /// entries.
    pub async fn collections(&self, database: &str) -> Vec<String> {
        let mut names = self
            .mongo
            .database(database)
            .list_collection_names()
            .await
            .unwrap();
        names.retain(|name| name != "__lob_progress");
        names.sort();
        names
    }

    /// The keys in the test's bucket, sorted.
    pub async fn keys(&self) -> Vec<String> {
        let listed = self
            .s3
            .list_objects_v2()
            .bucket(&self.bucket)
            .send()
            .await
            .unwrap();
        listed
            .contents()
            .iter()
            .map(|object| object.key().unwrap().to_owned())
            .collect()
    }

    /// The bytes of an object.
    pub async fn object(&self, key: &str) -> Vec<u8> {
        let object = self
            .s3
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await
            .unwrap();
        object.body.collect().await.unwrap().to_vec()
    }

    /// Overwrites an object, to damage it or to forge it.
    pub async fn overwrite(&self, key: &str, bytes: Vec<u8>) {
        let body = ByteStream::from(bytes);
        self.s3
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .body(body)
            .send()
            .await
            .unwrap();
    }

    /// The manifest of a run under an export's default prefix.
    pub async fn manifest(&self, run: &str) -> serde_json::Value {
        let key = format!("processed-splits/{run}/manifest.json");
        serde_json::from_slice(&self.object(&key).await).unwrap()
    }
}
