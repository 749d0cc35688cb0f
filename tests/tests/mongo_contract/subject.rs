//! A server with a database private to the test, and helpers for reading replies.

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};

use bson::oid::ObjectId;
use bson::raw::RawDocumentBuf;
use bson::{Bson, Document, doc, rawdoc};
use futures::TryStreamExt;
use lob_testkit::mongo::{MongoOptions, MongoServer, MongoVersion};
use mongodb::error::{Error, ErrorKind};
use mongodb::{Client, Database};

/// A server with a database private to the test.
pub(crate) struct Subject {
    pub(crate) client: Client,
    pub(crate) database: Database,
    pub(crate) version: MongoVersion,
    _double: Option<MongoServer>,
}

impl Subject {
    pub(crate) async fn new() -> Self {
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
        let build = database.run_command(doc! { "buildInfo": 1 }).await.unwrap();
        Self {
            client,
            database,
            version: MongoVersion::of(&build).unwrap(),
            _double: double,
        }
    }

    pub(crate) async fn run(&self, command: RawDocumentBuf) -> Document {
        self.database.run_raw_command(command).await.unwrap()
    }

    /// The error code that the command fails with.
    pub(crate) async fn refusal(&self, command: RawDocumentBuf) -> i32 {
        code(&self.database.run_raw_command(command).await.unwrap_err())
    }

    /// `since` if the server is version 5.0 or later, otherwise `before`.
    pub(crate) fn since_5_0<T>(&self, since: T, before: T) -> T {
        if self.version.has_time_series() {
            since
        } else {
            before
        }
    }

    pub(crate) async fn insert(&self, collection: &str, documents: &[Document]) -> Document {
        let documents: Vec<_> = documents.iter().cloned().map(Bson::from).collect();
        let command = doc! { "insert": collection, "documents": documents };
        self.run(raw(&command)).await
    }

    /// Codes and positions of the documents that an unordered insert refuses.
    pub(crate) async fn write_errors(
        &self,
        collection: &str,
        documents: &[Document],
    ) -> Vec<(i32, i32)> {
        let documents: Vec<_> = documents.iter().cloned().map(Bson::from).collect();
        let command = doc! { "insert": collection, "ordered": false, "documents": documents };
        write_errors(&self.run(raw(&command)).await)
    }

    pub(crate) async fn ids(&self, find: Document) -> Vec<Bson> {
        first_batch(&self.run(raw(&find)).await)
            .into_iter()
            .map(|d| d["_id"].clone())
            .collect()
    }

    pub(crate) async fn uuid(&self, collection: &str) -> Bson {
        let command = rawdoc! { "listCollections": 1, "filter": { "name": collection } };
        let listed = first_batch(&self.run(command).await);
        listed[0].get_document("info").unwrap()["uuid"].clone()
    }

    pub(crate) async fn stored(&self, collection: &str) -> Vec<Vec<u8>> {
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

    pub(crate) async fn rename(
        &self,
        from: &str,
        to: &str,
        options: Document,
    ) -> Result<Document, Error> {
        let name = self.database.name();
        let mut command =
            doc! { "renameCollection": format!("{name}.{from}"), "to": format!("{name}.{to}") };
        command.extend(options);
        self.client.database("admin").run_command(command).await
    }

    pub(crate) async fn drop(self) {
        self.database.drop().await.unwrap();
    }
}

pub(crate) fn raw(document: &Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).unwrap()
}

pub(crate) fn code(error: &Error) -> i32 {
    match &*error.kind {
        ErrorKind::Command(command) => command.code,
        other => panic!("not refused by the server: {other:?}"),
    }
}

pub(crate) fn first_batch(reply: &Document) -> Vec<Document> {
    batch(reply, "firstBatch")
}

pub(crate) fn batch(reply: &Document, name: &str) -> Vec<Document> {
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

pub(crate) fn cursor_id(reply: &Document) -> i64 {
    reply.get_document("cursor").unwrap().get_i64("id").unwrap()
}

pub(crate) fn write_errors(reply: &Document) -> Vec<(i32, i32)> {
    let errors = reply.get_array("writeErrors").cloned().unwrap_or_default();
    let errors = errors.iter().map(|error| error.as_document().unwrap());
    errors
        .map(|e| (e.get_i32("index").unwrap(), e.get_i32("code").unwrap()))
        .collect()
}

pub(crate) fn numbered(count: i32) -> Vec<Document> {
    (0..count).map(|id| doc! { "_id": id }).collect()
}

pub(crate) fn fresh_uuid() -> Bson {
    let mut bytes = [7; 16];
    bytes[..12].copy_from_slice(&ObjectId::new().bytes());
    bson::Uuid::from_bytes(bytes).into()
}
