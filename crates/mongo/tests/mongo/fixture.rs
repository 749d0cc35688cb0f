//! A separate database for each test, and documents that are hard to preserve.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{
    Binary, Bson, DateTime, Decimal128, Document, RawDocument, RawDocumentBuf, Timestamp, doc,
};
use lob_core::settings::ByteSize;
use lob_core::text::Secret;
use lob_mongo::{
    BatchBuilder, BatchLimits, Collection, Database, InsertBatch, MongoSettings, ScanOptions,
    ScanRange, Server, Shared, WriteSettings,
};
use lob_testkit::mongo::{Command, Gate, Moment, MongoOptions, MongoServer, MongoVersion, Verdict};
use tokio::sync::{Semaphore, SemaphorePermit};

/// A server, and a database that nothing else uses.
pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) driver: mongodb::Database,
    /// The version and features of the server.
    pub(crate) version: MongoVersion,
    /// Absent when the tests run on an external server.
    testkit: Option<MongoServer>,
    /// A turn on the real server; a test that disturbs it holds all of them.
    _turn: Option<SemaphorePermit<'static>>,
}

/// How many tests may use the real server at once; one that disturbs it takes all turns. A test
/// that took two turns at a time would deadlock.
const TURNS: u32 = 1000;
static REAL_SERVER: Semaphore = Semaphore::const_new(TURNS as usize);

impl Fixture {
    pub(crate) async fn new() -> Self {
        match real_server() {
            Some(uri) => {
                let turn = REAL_SERVER.acquire().await.unwrap();
                Self {
                    _turn: Some(turn),
                    ..Self::on(&settings(&uri), None).await
                }
            }
            None => Self::with(MongoOptions::default()).await,
        }
    }

    /// Alone on a real server, and as patient as the tools; `None` if no server is named, which
    /// skips the test.
    pub(crate) async fn alone() -> Option<Self> {
        let fixture = Self::alone_if_real().await;
        if fixture.is_none() {
            lob_testkit::skipped("it needs a real MongoDB server");
        }
        fixture
    }

    /// The same for a test that runs on the testkit's server otherwise.
    pub(crate) async fn alone_if_real() -> Option<Self> {
        let uri = real_server()?;
        let turn = REAL_SERVER.acquire_many(TURNS).await.unwrap();
        Some(Self {
            _turn: Some(turn),
            ..Self::on(&patient_settings(&uri), None).await
        })
    }

    /// On the testkit's server, with these options.
    pub(crate) async fn with(options: MongoOptions) -> Self {
        let testkit = MongoServer::start(options).unwrap();
        Self::on(&settings(&testkit.uri()), Some(testkit)).await
    }

    /// The same, for a client that is as patient as the tools are by default.
    pub(crate) async fn patient(options: MongoOptions) -> Self {
        let testkit = MongoServer::start(options).unwrap();
        Self::on(&patient_settings(&testkit.uri()), Some(testkit)).await
    }

    pub(crate) async fn with_gate(gate: impl Gate) -> Self {
        Self::with(MongoOptions {
            gate: Some(Arc::new(gate)),
            ..<_>::default()
        })
        .await
    }

    async fn on(settings: &MongoSettings, testkit: Option<MongoServer>) -> Self {
        let name = format!("lob_mongo_{}", ObjectId::new());
        let server = Server::connect(settings, Shared::default()).await.unwrap();
        let driver = mongodb::Client::with_uri_str(settings.mongodb_uri.expose())
            .await
            .unwrap()
            .database(&name);
        let version = match testkit {
            Some(_) => MongoVersion::KIT,
            None => {
                let build = driver.run_command(doc! { "buildInfo": 1 }).await.unwrap();
                MongoVersion::of(&build).unwrap()
            }
        };
        Self {
            database: server.database(&name),
            driver,
            version,
            testkit,
            _turn: None,
        }
    }

    /// Stores documents through the driver and returns the collection.
    pub(crate) async fn collection(&self, name: &str, documents: &[RawDocumentBuf]) -> Collection {
        self.driver.create_collection(name).await.unwrap();
        if !documents.is_empty() {
            self.driver
                .collection::<RawDocumentBuf>(name)
                .insert_many(documents)
                .await
                .unwrap();
        }
        self.find(name).await
    }

    /// Creates a clustered collection, or an ordinary one if the server has none; the server's
    /// version must agree.
    pub(crate) async fn create_clustered(&self, name: &str) {
        let index = doc! { "key": { "_id": 1 }, "unique": true };
        let create = doc! { "create": name, "clusteredIndex": index };
        let created = self.driver.run_command(create).await;
        assert_eq!(created.is_ok(), self.version.has_clustered_collections());
        if created.is_err() {
            self.driver.create_collection(name).await.unwrap();
        }
    }

    pub(crate) async fn find(&self, name: &str) -> Collection {
        self.database.collection(name).await.unwrap().unwrap()
    }

    pub(crate) async fn has(&self, name: &str) -> bool {
        self.database.collection(name).await.unwrap().is_some()
    }

    pub(crate) async fn drop_collection(&self, name: &str) {
        let collection = self.driver.collection::<Document>(name);
        collection.drop().await.unwrap();
    }

    /// The contents of a collection, read by a scan.
    pub(crate) async fn contents(&self, name: &str) -> Vec<RawDocumentBuf> {
        read(&self.find(name).await).await.unwrap()
    }

    /// The testkit's server, unless this is a real one.
    pub(crate) fn started(&self) -> Option<&MongoServer> {
        self.testkit.as_ref()
    }

    pub(crate) fn testkit(&self) -> &MongoServer {
        self.testkit.as_ref().unwrap()
    }

    /// Makes a real server fail the next `times` commands with these names on a collection: with
    /// `errorCode`, or by `closeConnection`.
    pub(crate) async fn fail(
        &self,
        collection: &str,
        commands: &[&str],
        times: i32,
        fault: Document,
    ) -> FailPoint {
        let mut data = fault;
        data.insert("failCommands", commands);
        data.insert("namespace", format!("{}.{collection}", self.driver.name()));
        let admin = self.driver.client().database("admin");
        let mode = doc! { "times": times };
        let before = fail_command(&admin, doc! { "mode": mode, "data": data }).await;
        FailPoint {
            admin,
            before,
            times,
        }
    }

    /// Removes the database from a server that outlives the test.
    pub(crate) async fn close(self) {
        self.driver.drop().await.unwrap();
    }
}

/// A real server that fails commands.
pub(crate) struct FailPoint {
    admin: mongodb::Database,
    /// How many commands it had failed before.
    before: i32,
    times: i32,
}

impl FailPoint {
    /// Ends the failures. Panics unless there were at least as many as there had to be: of commands
    /// that arrive at the same time, the server may fail one more.
    pub(crate) async fn end(self) {
        let failed = fail_command(&self.admin, doc! { "mode": "off" }).await - self.before;
        assert!(failed >= self.times, "the server failed {failed} commands");
    }
}

async fn fail_command(admin: &mongodb::Database, options: Document) -> i32 {
    let mut command = doc! { "configureFailPoint": "failCommand" };
    command.extend(options);
    let reply = admin.run_command(command).await.unwrap();
    reply.get_i32("count").unwrap()
}

pub(crate) fn real_server() -> Option<String> {
    std::env::var("LOB_E2E_MONGODB_URI").ok()
}

pub(crate) fn patient_settings(uri: &str) -> MongoSettings {
    MongoSettings {
        mongodb_uri: Secret::new(uri),
        ..<_>::default()
    }
}

/// Settings that give up quickly.
pub(crate) fn settings(uri: &str) -> MongoSettings {
    MongoSettings {
        mongodb_uri: Secret::new(uri),
        mongodb_server_selection_timeout: Duration::from_secs(5),
        mongodb_retry_timeout: Duration::from_secs(1),
        ..<_>::default()
    }
}

/// Small replies, so that a scan takes many.
pub(crate) fn small_replies() -> ScanOptions {
    ScanOptions {
        at: None,
        queue: ByteSize::kib(1),
        is_divisible: true,
        mean_document_size: ByteSize::b(100),
    }
}

pub(crate) async fn read(collection: &Collection) -> lob_mongo::Result<Vec<RawDocumentBuf>> {
    read_part(collection, ScanRange::default()).await
}

pub(crate) async fn read_part(
    collection: &Collection,
    part: ScanRange,
) -> lob_mongo::Result<Vec<RawDocumentBuf>> {
    read_with(collection, part, small_replies()).await
}

pub(crate) async fn read_with(
    collection: &Collection,
    part: ScanRange,
    options: ScanOptions,
) -> lob_mongo::Result<Vec<RawDocumentBuf>> {
    let mut scan = collection.scan(part, options);
    let mut documents = Vec::new();
    while let Some(batch) = scan.next().await? {
        for document in batch.documents()? {
            documents.push(document?.to_owned());
        }
    }
    Ok(documents)
}

/// Documents with the `_id`s 0, 1, 2, …
pub(crate) fn numbered(count: i32) -> Vec<RawDocumentBuf> {
    (0..count)
        .map(|i| raw(doc! { "_id": i, "text": "x".repeat(80) }))
        .collect()
}

pub(crate) fn raw(document: Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(&document).unwrap()
}

/// All documents in one batch.
pub(crate) fn batch<'a>(documents: impl IntoIterator<Item = &'a RawDocumentBuf>) -> InsertBatch {
    let settings = WriteSettings {
        insert_batch_size: ByteSize::mib(16),
        insert_batch_documents: 100_000,
        ..<_>::default()
    };
    let mut builder = BatchBuilder::new(BatchLimits::new(&settings).unwrap());
    for document in documents {
        assert!(
            builder.push(document).unwrap().is_none(),
            "one batch is not enough"
        );
    }
    builder.finish().unwrap()
}

/// Disconnects the first `times` commands with this name at this moment.
pub(crate) fn disconnect(name: &'static str, moment: Moment, times: usize) -> impl Gate {
    first(name, moment, times, Verdict::Disconnect)
}

/// Gives the first `times` commands with this name this verdict at this moment.
pub(crate) fn first(
    name: &'static str,
    moment: Moment,
    times: usize,
    verdict: Verdict,
) -> impl Gate {
    let seen = AtomicUsize::new(0);
    move |at: Moment, command: &Command| {
        let hit = at == moment && command.name == name;
        if hit && seen.fetch_add(1, Ordering::SeqCst) < times {
            verdict
        } else {
            Verdict::Pass
        }
    }
}

/// Documents with an `_id` of every possible type, in MongoDB's order.
pub(crate) fn every_id() -> Vec<RawDocumentBuf> {
    let uuid = Binary {
        subtype: BinarySubtype::Uuid,
        bytes: vec![7; 16],
    };
    let ids: Vec<Bson> = vec![
        Bson::MinKey,
        Bson::Null,
        f64::NAN.into(),
        (-1_i64).into(),
        0.5.into(),
        1.into(),
        Bson::Decimal128("1.5".parse::<Decimal128>().unwrap()),
        i64::MAX.into(),
        "".into(),
        "a".into(),
        "ä".into(),
        doc! { "a": 1 }.into(),
        doc! { "a": 1, "b": [1, 2] }.into(),
        uuid.into(),
        ObjectId::from_bytes([1; 12]).into(),
        false.into(),
        true.into(),
        DateTime::from_millis(-1).into(),
        Timestamp {
            time: 1,
            increment: 2,
        }
        .into(),
        Bson::JavaScriptCode("f()".into()),
        Bson::MaxKey,
    ];
    ids.into_iter()
        .map(|id| raw(doc! { "_id": id, "text": "x".repeat(90) }))
        .collect()
}

/// Documents that encoders tend to change: values and forms that MongoDB preserves nevertheless.
pub(crate) fn hard_to_keep() -> Vec<RawDocumentBuf> {
    let zero = Timestamp {
        time: 0,
        increment: 0,
    };
    let old = Binary {
        subtype: BinarySubtype::BinaryOld,
        bytes: vec![1, 2],
    };
    let nan = f64::from_bits(0x7ff8_0000_dead_beef);
    let mut documents = vec![
        raw(doc! { "_id": 1, "zero": zero, "nested": { "zero": zero } }),
        raw(doc! { "_id": 2, "nan": nan, "minus": -0.0, "int": 1, "long": 1_i64 }),
        raw(doc! { "_id": 3, "": 0, "$a": 1, "a.b": 2, "u": Bson::Undefined, "old": old }),
        raw(doc! { "_id": 4, "symbol": Bson::Symbol("s".into()), "max": Bson::MaxKey }),
    ];
    documents.push(patched(
        &raw(doc! { "_id": 5, "a1": 1, "a2": 2 }),
        b"a2\0",
        b"a1\0",
    ));
    documents.push(patched(
        &raw(doc! { "_id": 6, "bad": "ab" }),
        b"ab\0",
        b"\xffb\0",
    ));
    documents.push(patched(
        &raw(doc! { "_id": 7, "l": [1, 2] }),
        b"\x101\0",
        b"\x10x\0",
    ));
    documents
}

/// The document with some bytes replaced by the same number of others.
fn patched(document: &RawDocument, from: &[u8], to: &[u8]) -> RawDocumentBuf {
    let mut bytes = document.as_bytes().to_vec();
    let at = bytes
        .windows(from.len())
        .position(|window| window == from)
        .unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    RawDocumentBuf::from_bytes(bytes).unwrap()
}
