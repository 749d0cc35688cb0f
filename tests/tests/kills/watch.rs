//! An outside observer that keeps looking at the targets of an import.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bson::{Bson, RawDocumentBuf, doc};
use lob_tests::servers::Servers;
use mongodb::Database;
use mongodb::error::{Error, ErrorKind};
use tokio::task::JoinHandle;

/// The server's error for a query whose collection is replaced while it reads.
const QUERY_PLAN_KILLED: i32 = 175;

/// A collection that will be replaced.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) old: Vec<RawDocumentBuf>,
    pub(crate) new: Vec<RawDocumentBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Old,
    New,
}

/// Looks at the targets until told to stop.
pub(crate) struct Watch {
    is_over: Arc<AtomicBool>,
    task: JoinHandle<u64>,
}

impl Watch {
    /// Starts looking; the old collections must exist already.
    pub(crate) async fn start(servers: &Servers, targets: Vec<Target>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let database = servers.mongo.database(&servers.database);
        let mut watched = Vec::new();
        for target in targets {
            let uuid = uuid(&database, &target.name).await.unwrap();
            watched.push((target, uuid, State::Old));
        }
        let ends = Arc::clone(&is_over);
        let task = tokio::spawn(async move {
            let mut looks = 0;
            while !ends.load(Ordering::Relaxed) {
                for (target, old_uuid, state) in &mut watched {
                    *state = target.look(&database, old_uuid, *state).await;
                }
                looks += 1;
            }
            looks
        });
        Self { is_over, task }
    }

    /// Stops looking. Panics if anything seen was neither the old nor the new collection.
    pub(crate) async fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        let looks = self.task.await.unwrap();
        assert!(looks > 10, "only {looks}");
    }
}

impl Target {
    /// Which collection exists under the name, judged by UUID, document count and first document.
    /// Once it is the new one, it must never be the old one again.
    async fn look(&self, database: &Database, old_uuid: &Bson, before: State) -> State {
        let uuid = uuid(database, &self.name).await;
        let uuid = uuid.unwrap_or_else(|| panic!("`{}` is missing", self.name));
        let by_uuid = if uuid == *old_uuid {
            State::Old
        } else {
            State::New
        };
        let by_first = self.state(self.first(database).await, |all| all.first().cloned());
        let by_count = self.state(self.count(database).await, |all| all.len() as u64);
        let states = [before, by_uuid, by_first, by_count];
        assert!(states.is_sorted(), "`{}`: {states:?}", self.name);
        by_count
    }

    async fn first(&self, database: &Database) -> Option<RawDocumentBuf> {
        let collection = database.collection::<RawDocumentBuf>(&self.name);
        loop {
            let first = collection.find_one(doc! {}).sort(doc! { "_id": 1 }).await;
            if !is_broken_off(&first) {
                return first.unwrap();
            }
        }
    }

    async fn count(&self, database: &Database) -> u64 {
        let collection = database.collection::<RawDocumentBuf>(&self.name);
        loop {
            let count = collection.count_documents(doc! {}).await;
            if !is_broken_off(&count) {
                return count.unwrap();
            }
        }
    }

    fn state<T>(&self, seen: T, of: impl Fn(&[RawDocumentBuf]) -> T) -> State
    where
        T: PartialEq + std::fmt::Debug,
    {
        if seen == of(&self.new) {
            return State::New;
        }
        let name = &self.name;
        assert_eq!(
            seen,
            of(&self.old),
            "`{name}` is neither the old nor the new one"
        );
        State::Old
    }
}

async fn uuid(database: &Database, name: &str) -> Option<Bson> {
    let command = doc! { "listCollections": 1, "filter": { "name": name } };
    let reply = database.run_command(command).await.unwrap();
    let cursor = reply.get_document("cursor").unwrap();
    let listed = cursor.get_array("firstBatch").unwrap().first()?;
    let info = listed.as_document()?.get_document("info").ok()?;
    info.get("uuid").cloned()
}

/// A query that ends because its collection is gone says nothing.
fn is_broken_off<T>(answer: &Result<T, Error>) -> bool {
    let error = answer.as_ref().err().map(|error| &*error.kind);
    matches!(error, Some(ErrorKind::Command(error)) if error.code == QUERY_PLAN_KILLED)
}
