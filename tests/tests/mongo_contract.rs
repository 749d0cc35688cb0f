//! What the tools rely on in a MongoDB server, held against the testkit's server and, where
//! `LOB_E2E_MONGODB_URI` names one, against a real MongoDB instead: the same promises for both, so
//! that a lax double cannot hide a bug.

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};

use bson::oid::ObjectId;
use bson::raw::{RawDocumentBuf, cstr};
use bson::{Bson, Document, Timestamp, doc, rawdoc};
use futures::TryStreamExt;
use lob_testkit::mongo::{MongoOptions, MongoServer};
use mongodb::error::{Error, ErrorKind};
use mongodb::{Client, Database};

/// A server and a database of the test's own.
struct Subject {
    client: Client,
    database: Database,
    _double: Option<MongoServer>,
}

impl Subject {
    async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let double = match env::var("LOB_E2E_MONGODB_URI") {
            Ok(_) => None,
            Err(_) => Some(MongoServer::start(MongoOptions::default()).unwrap()),
        };
        let uri = double.as_ref().map_or_else(
            || env::var("LOB_E2E_MONGODB_URI").unwrap(),
            |double| double.uri(),
        );
        let client = Client::with_uri_str(uri).await.unwrap();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let database = client.database(&format!("lob_{}_{count}", ObjectId::new().to_hex()));
        Self {
            client,
            database,
            _double: double,
        }
    }

    async fn run(&self, command: RawDocumentBuf) -> Document {
        self.database.run_raw_command(command).await.unwrap()
    }

    /// The code with which the command is refused.
    async fn refusal(&self, command: RawDocumentBuf) -> i32 {
        code(&self.database.run_raw_command(command).await.unwrap_err())
    }

    async fn insert(&self, collection: &str, documents: &[Document]) -> Document {
        let documents: Vec<_> = documents.iter().cloned().map(Bson::from).collect();
        let command = doc! { "insert": collection, "documents": documents };
        self.run(raw(&command)).await
    }

    /// Codes and positions of the documents that an unordered insert refuses.
    async fn write_errors(&self, collection: &str, documents: &[Document]) -> Vec<(i32, i32)> {
        let documents: Vec<_> = documents.iter().cloned().map(Bson::from).collect();
        let command = doc! { "insert": collection, "ordered": false, "documents": documents };
        write_errors(&self.run(raw(&command)).await)
    }

    async fn ids(&self, find: Document) -> Vec<Bson> {
        first_batch(&self.run(raw(&find)).await)
            .into_iter()
            .map(|d| d["_id"].clone())
            .collect()
    }

    async fn uuid(&self, collection: &str) -> Bson {
        let command = rawdoc! { "listCollections": 1, "filter": { "name": collection } };
        let listed = first_batch(&self.run(command).await);
        listed[0].get_document("info").unwrap()["uuid"].clone()
    }

    async fn stored(&self, collection: &str) -> Vec<Vec<u8>> {
        let collection = self.database.collection::<RawDocumentBuf>(collection);
        let sorted = collection
            .find(doc! {})
            .sort(doc! { "_id": 1 })
            .await
            .unwrap();
        sorted
            .map_ok(RawDocumentBuf::into_bytes)
            .try_collect()
            .await
            .unwrap()
    }

    async fn rename(&self, from: &str, to: &str, options: Document) -> Result<Document, Error> {
        let name = self.database.name();
        let mut command =
            doc! { "renameCollection": format!("{name}.{from}"), "to": format!("{name}.{to}") };
        command.extend(options);
        self.client.database("admin").run_command(command).await
    }

    async fn drop(self) {
        self.database.drop().await.unwrap();
    }
}

fn raw(document: &Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).unwrap()
}

fn code(error: &Error) -> i32 {
    match &*error.kind {
        ErrorKind::Command(command) => command.code,
        other => panic!("no refusal by the server: {other:?}"),
    }
}

fn first_batch(reply: &Document) -> Vec<Document> {
    batch(reply, "firstBatch")
}

fn batch(reply: &Document, name: &str) -> Vec<Document> {
    let batch = reply
        .get_document("cursor")
        .unwrap()
        .get_array(name)
        .unwrap();
    batch
        .iter()
        .map(|entry| entry.as_document().unwrap().clone())
        .collect()
}

fn cursor_id(reply: &Document) -> i64 {
    reply.get_document("cursor").unwrap().get_i64("id").unwrap()
}

fn write_errors(reply: &Document) -> Vec<(i32, i32)> {
    let errors = reply.get_array("writeErrors").cloned().unwrap_or_default();
    let errors = errors.iter().map(|error| error.as_document().unwrap());
    errors
        .map(|e| (e.get_i32("index").unwrap(), e.get_i32("code").unwrap()))
        .collect()
}

fn numbered(count: i32) -> Vec<Document> {
    (0..count).map(|id| doc! { "_id": id }).collect()
}

fn fresh_uuid() -> Bson {
    let mut bytes = [7; 16];
    bytes[..12].copy_from_slice(&ObjectId::new().bytes());
    bson::Uuid::from_bytes(bytes).into()
}

#[tokio::test]
async fn the_server_is_the_primary_of_a_replica_set_and_tells_its_version_and_limits() {
    let subject = Subject::new().await;
    let hello = subject.run(rawdoc! { "hello": 1 }).await;
    assert!(hello.get_bool("isWritablePrimary").unwrap());
    assert!(hello.contains_key("setName"));
    assert_eq!(hello.get_i32("maxBsonObjectSize").unwrap(), 16_777_216);
    assert_eq!(hello.get_i32("maxMessageSizeBytes").unwrap(), 48_000_000);
    assert_eq!(hello.get_i32("maxWriteBatchSize").unwrap(), 100_000);
    let build = subject.run(rawdoc! { "buildInfo": 1 }).await;
    let version = build.get_str("version").unwrap();
    assert_eq!(version.split('.').count(), 3, "{version}");
    subject.run(rawdoc! { "ping": 1 }).await;
    subject.drop().await;
}

#[tokio::test]
async fn unknown_commands_and_options_are_refused() {
    let subject = Subject::new().await;
    assert_eq!(subject.refusal(rawdoc! { "nonsense": 1 }).await, 59);
    assert_eq!(
        subject
            .refusal(rawdoc! { "find": "c", "nonsense": 1 })
            .await,
        40415
    );
    assert_eq!(
        subject
            .refusal(rawdoc! { "create": "c", "nonsense": 1 })
            .await,
        40415
    );
    assert_eq!(
        subject
            .refusal(rawdoc! { "count": "c", "collectionUUID": 1 })
            .await,
        40415
    );
    assert_eq!(
        subject
            .refusal(rawdoc! { "insert": "c", "documents": [{}], "x": 1 })
            .await,
        40415
    );
    assert_eq!(
        subject
            .refusal(rawdoc! { "find": "c", "batchSize": "1" })
            .await,
        14
    );
    assert_eq!(
        subject
            .refusal(rawdoc! { "find": "c", "batchSize": -1 })
            .await,
        51024
    );
    assert_eq!(subject.refusal(rawdoc! { "find": "" }).await, 73);
    subject.drop().await;
}

#[tokio::test]
async fn an_insert_moves_the_id_to_the_front_and_adds_a_missing_one() {
    let subject = Subject::new().await;
    let reply = subject
        .insert("c", &[doc! { "a": 1, "_id": 5, "b": 2 }, doc! { "a": 1 }])
        .await;
    assert_eq!(reply.get_i32("n").unwrap(), 2);
    let stored = subject.stored("c").await;
    assert_eq!(stored[0], rawdoc! { "_id": 5, "a": 1, "b": 2 }.into_bytes());
    let second = RawDocumentBuf::from_bytes(stored[1].clone()).unwrap();
    let names: Vec<_> = second
        .iter()
        .map(|element| element.unwrap().0.as_str())
        .collect();
    assert_eq!(names, ["_id", "a"]);
    assert!(second.get_object_id("_id").is_ok());
    subject.drop().await;
}

#[tokio::test]
async fn a_zero_timestamp_at_the_top_becomes_the_time_unless_that_is_bypassed() {
    let subject = Subject::new().await;
    let zero = Timestamp {
        time: 0,
        increment: 0,
    };
    let document = doc! { "_id": 1, "t": zero, "n": { "t": zero }, "l": [zero] };
    subject
        .insert("replaced", std::slice::from_ref(&document))
        .await;
    subject
        .run(raw(&doc! {
            "insert": "kept", "documents": [document.clone()], "bypassEmptyTsReplacement": true,
        }))
        .await;
    subject.insert("as_id", &[doc! { "_id": zero }]).await;
    let replaced = subject.stored("replaced").await.remove(0);
    let replaced = Document::try_from(RawDocumentBuf::from_bytes(replaced).unwrap()).unwrap();
    assert_ne!(replaced.get_timestamp("t").unwrap(), zero);
    assert_eq!(replaced["n"], document["n"]);
    assert_eq!(replaced["l"], document["l"]);
    assert_eq!(subject.stored("kept").await, [raw(&document).into_bytes()]);
    assert_eq!(
        subject.stored("as_id").await,
        [rawdoc! { "_id": zero }.into_bytes()]
    );
    subject.drop().await;
}

#[tokio::test]
async fn documents_that_cannot_be_kept_are_refused_one_by_one() {
    let subject = Subject::new().await;
    let refused = [
        doc! { "_id": [1] },
        doc! { "_id": bson::Regex { pattern: cstr!("a").into(), options: cstr!("").into() } },
        doc! { "_id": Bson::Undefined },
        doc! { "_id": { "$a": 1 } },
        doc! { "_id": { "a": { "$b": 1 } } },
        doc! { "_id": { "a": [1] } },
    ];
    let errors = subject.write_errors("c", &refused).await;
    assert_eq!(errors, [(0, 53), (1, 53), (2, 53), (3, 52), (4, 52)]);
    let two_ids: RawDocumentBuf = [(cstr!("_id"), 1), (cstr!("_id"), 1)].into_iter().collect();
    let reply = subject
        .run(rawdoc! { "insert": "c", "documents": [two_ids] })
        .await;
    assert_eq!(write_errors(&reply), [(0, 2)]);
    assert_eq!(
        subject
            .refusal(rawdoc! { "insert": "c", "documents": [] })
            .await,
        16
    );
    subject.drop().await;
}
