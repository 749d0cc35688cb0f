//! Reads are never older than the plan, whichever member answers, and always state how durable they
//! must be.

use std::sync::Arc;
use std::time::Duration;

use bson::doc;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::settings::ByteSize;
use lob_mongo::{ClusterTime, Error, RangeSize, SampleSize, Server, Shared};
use lob_testkit::mongo::{
    Command, Deployment, Gate, Moment, MongoOptions, MongoServer, Verdict, perhaps,
};
use mongodb::Client;
use mongodb::options::Acknowledgment;
use tokio::sync::Notify;

use crate::fixture::{numbered, read, settings};

const NAME: &str = "split_1_input";
/// Commands that read or count documents.
const READS: [&str; 3] = ["find", "aggregate", "count"];

/// A server in this `deployment`, with the first documents of a collection.
async fn start(deployment: Deployment, gate: Option<Arc<dyn Gate>>) -> MongoServer {
    let server = MongoServer::start(MongoOptions {
        deployment,
        gate,
        ..<_>::default()
    });
    let server = server.unwrap();
    write(&server, 0..1000).await;
    server
}

/// Inserts documents on the primary only.
async fn write(server: &MongoServer, ids: std::ops::Range<i32>) {
    let client = Client::with_uri_str(server.uri()).await.unwrap();
    let documents = numbered(ids.end).split_off(ids.start as usize);
    let written = client
        .database("raw")
        .collection::<bson::RawDocumentBuf>(NAME);
    let inserting = written.insert_many(documents).write_concern(
        mongodb::options::WriteConcern::builder()
            .w(Acknowledgment::Nodes(1))
            .build(),
    );
    inserting.await.unwrap();
}

async fn connect(uri: &str) -> lob_mongo::Database {
    let server = Server::connect(&settings(uri), Shared::default())
        .await
        .unwrap();
    server.database("raw")
}

fn from_secondary(server: &MongoServer) -> String {
    format!("{}&readPreference=secondary", server.uri())
}

/// The read concerns of all reads from the `from`th command on.
fn concerns(server: &MongoServer, from: usize) -> Vec<Option<bson::Document>> {
    let commands = server.commands().into_iter().skip(from);
    let reads = commands.filter(|command| READS.contains(&command.name.as_str()));
    let concern = |read: Command| {
        let concern = read.arguments.get_document("readConcern");
        concern.ok().map(ToOwned::to_owned)
    };
    let decode = |concern: bson::RawDocumentBuf| bson::Document::try_from(concern).unwrap();
    reads.map(|read| concern(read).map(decode)).collect()
}

#[tokio::test]
async fn a_secondary_that_lags_behind_is_waited_for() {
    let arrived = Arc::new(Notify::new());
    let notify = Arc::clone(&arrived);
    let gate = perhaps(move |moment: Moment, command: &Command| {
        if moment == Moment::Arrived && command.name == "find" {
            notify.notify_one();
        }
        Verdict::Pass
    });
    let server = start(Deployment::TwoMembers, Some(Arc::new(gate))).await;
    server.hold_replication();
    write(&server, 1000..2000).await;
    let database = connect(&from_secondary(&server)).await;
    let collection = database.collection(NAME).await.unwrap().unwrap();
    let release = async {
        arrived.notified().await;
        server.resume_replication();
    };
    let (found, ()) = tokio::join!(read(&collection), release);
    assert_eq!(found.unwrap(), numbered(2000));
}

#[tokio::test]
async fn a_secondary_that_does_not_catch_up_is_an_error() {
    let server = start(Deployment::TwoMembers, None).await;
    server.hold_replication();
    write(&server, 1000..2000).await;
    let mut settings = settings(&from_secondary(&server));
    settings.mongodb_operation_timeout = Duration::from_millis(100);
    settings.mongodb_retry_timeout = Duration::from_millis(100);
    let database = Server::connect(&settings, Shared::default())
        .await
        .unwrap()
        .database("raw");
    let collection = database.collection(NAME).await.unwrap().unwrap();
    let error = read(&collection).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("lagging secondary"));
}

#[tokio::test]
async fn no_read_in_any_process_is_older_than_the_plan() {
    let server = start(Deployment::TwoMembers, None).await;
    let planner = connect(&from_secondary(&server)).await;
    let planned = planner.newest().unwrap();
    write(&server, 1000..1001).await;
    let worker = connect(&from_secondary(&server)).await;
    assert!(worker.newest().unwrap() > planned);
    for database in [planner, worker.after(planned)] {
        let before = server.commands().len();
        let collection = database.collection(NAME).await.unwrap().unwrap();
        let cuts = collection.cuts(20, RangeSize::Count(3)).await.unwrap();
        let size = SampleSize {
            first: 10,
            even: 10,
            limit: ByteSize::mib(1),
        };
        collection.sample(size, &cuts).await.unwrap();
        read(&collection).await.unwrap();
        collection.exact_count().await.unwrap();
        let reads = concerns(&server, before);
        assert!(reads.len() > 6, "{reads:?}");
        let time = bson::Timestamp::from(planned);
        let expected = doc! { "level": "local", "afterClusterTime": time };
        for read in reads {
            assert_eq!(read.unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn every_read_has_the_read_concern_level_of_the_connection_string() {
    let server = start(Deployment::OneMember, None).await;
    let uri = format!("{}&readConcernLevel=majority", server.uri());
    let database = connect(&uri).await;
    let before = server.commands().len();
    let collection = database.collection(NAME).await.unwrap().unwrap();
    read(&collection).await.unwrap();
    for read in concerns(&server, before) {
        assert_eq!(read.unwrap().get_str("level").unwrap(), "majority");
    }
}

#[tokio::test]
async fn a_read_concern_level_that_may_miss_documents_is_refused() {
    let server = start(Deployment::OneMember, None).await;
    for level in ["available", "linearizable", "snapshot", "locale"] {
        let uri = format!("{}&readConcernLevel={level}", server.uri());
        let error = Server::connect(&settings(&uri), Shared::default())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::UnusableReadConcern), "{error:?}");
        let failure = Failure::from(error);
        assert_eq!(failure.status, ExitStatus::Usage);
        assert!(failure.hint.unwrap().contains("`majority`"));
    }
}

#[tokio::test]
async fn a_standalone_is_read_without_a_time_or_a_read_concern_level() {
    let server = start(Deployment::Standalone, None).await;
    let database = connect(&server.uri()).await;
    assert_eq!(database.newest(), None);
    let before = server.commands().len();
    let collection = database.collection(NAME).await.unwrap().unwrap();
    assert_eq!(read(&collection).await.unwrap(), numbered(1000));
    assert_eq!(concerns(&server, before), [None]);
}

#[tokio::test]
async fn a_direct_connection_to_a_secondary_is_refused_naming_its_set() {
    let server = start(Deployment::TwoMembers, None).await;
    let secondary = server.secondary().unwrap();
    let direct = format!("mongodb://{secondary}/?directConnection=true");
    let error = Server::connect(&settings(&direct), Shared::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("MongoDB at {secondary} is not the primary of the replica set `lob`")
    );
    assert!(error.hint().unwrap().contains("directConnection"));
    // The primary directly, and the secondary as a member of its set.
    let direct = server
        .uri()
        .replace("replicaSet=lob", "directConnection=true");
    for uri in [direct, format!("mongodb://{secondary}/?replicaSet=lob")] {
        assert!(connect(&uri).await.newest().is_some(), "{uri}");
    }
    lob_testkit::fault_fired("E11");
}

/// The test server has no snapshots, but shows what it was asked for.
#[tokio::test]
async fn a_snapshot_is_no_older_than_the_plan() {
    let server = start(Deployment::OneMember, None).await;
    let database = connect(&server.uri()).await;
    let collection = database.collection(NAME).await.unwrap().unwrap();
    let before = server.commands().len();
    collection.snapshot_time().await.unwrap_err();
    let time = bson::Timestamp::from(database.newest().unwrap());
    let expected = doc! { "level": "snapshot", "afterClusterTime": time };
    assert_eq!(concerns(&server, before), [Some(expected)]);
}

/// A time that the server has not reached, as after a restore from a backup.
#[tokio::test]
async fn a_plan_from_the_future_is_refused_and_not_waited_for() {
    let server = start(Deployment::OneMember, None).await;
    let future = ClusterTime {
        seconds: u32::MAX,
        increment: 1,
    };
    let database = connect(&server.uri()).await.after(future);
    let collection = database.collection(NAME).await.unwrap().unwrap();
    let error = read(&collection).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn what_was_written_is_counted_and_read_back_before_most_members_have_it() {
    let server = start(Deployment::OneMember, None).await;
    let uri = format!("{}&readConcernLevel=majority", server.uri());
    let database = connect(&uri).await;
    let collection = database.collection(NAME).await.unwrap().unwrap();
    let before = server.commands().len();
    collection.exact_count().await.unwrap();
    let mut scan = collection.read_back(ByteSize::mib(1)).await.unwrap();
    while scan.next().await.unwrap().is_some() {}
    let reads = concerns(&server, before);
    assert!(reads.len() > 1, "{reads:?}");
    for read in reads {
        assert_eq!(read.unwrap().get_str("level").unwrap(), "local");
    }
}
