//! Servers on which a share of all requests fails while the tools run, but none of the test's own.
//!
//! The doubles decide about each request. A real S3 server is put behind a proxy that breaks
//! connections; on a real MongoDB, a fail point is set off again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bson::{Document, doc};
use lob_testkit::proxy::Proxy;
use lob_testkit::{mongo, s3};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;

use crate::servers::{Gates, Servers};

/// The tools' app name in their MongoDB connections.
const APP_NAME: &str = "lob-tools";
/// The commands that the tools send, besides handshakes.
const COMMANDS: [&str; 13] = [
    "aggregate",
    "collStats",
    "count",
    "create",
    "createIndexes",
    "delete",
    "drop",
    "find",
    "getMore",
    "insert",
    "listCollections",
    "listIndexes",
    "renameCollection",
];
/// How long a real MongoDB waits for a command to hit one fault before the next fault is set.
const PATIENCE: Duration = Duration::from_millis(300);

/// The faults of one test's servers, off at first.
pub struct Faults {
    seed: u64,
    share: f64,
    place: Place,
}

/// How many requests failed.
#[derive(Debug)]
pub struct FaultCounts {
    /// On the S3 server.
    pub s3: u64,
    /// On the MongoDB server.
    pub mongo: u64,
}

enum Place {
    Doubles(Arc<OfDoubles>),
    Real { s3: Proxy, mongo: FailPoint },
}

struct OfDoubles {
    is_on: AtomicBool,
    s3: s3::RandomFaults,
    mongo: mongo::RandomFaults,
}

#[async_trait]
impl s3::Gate for OfDoubles {
    async fn decide(&self, moment: s3::Moment, request: &s3::Request) -> s3::Verdict {
        if !self.is_on.load(Ordering::Relaxed) {
            return s3::Verdict::Pass;
        }
        self.s3.decide(moment, request).await
    }

    /// The test looks at the counts.
    fn must_strike(&self) -> bool {
        false
    }
}

#[async_trait]
impl mongo::Gate for OfDoubles {
    async fn decide(&self, moment: mongo::Moment, command: &mongo::Command) -> mongo::Verdict {
        if !self.is_on.load(Ordering::Relaxed) {
            return mongo::Verdict::Pass;
        }
        self.mongo.decide(moment, command).await
    }

    /// The test looks at the counts.
    fn must_strike(&self) -> bool {
        false
    }
}

impl Servers {
    /// Starts the real servers named in the environment, or the doubles, with faults for a `share`
    /// (0 to 1) of all requests.
    pub async fn with_faults(seed: u64, share: f64) -> (Self, Faults) {
        let of_doubles = Arc::new(OfDoubles {
            is_on: AtomicBool::new(false),
            s3: s3::RandomFaults::new(seed, share),
            mongo: mongo::RandomFaults::new(seed, share).on_everything(),
        });
        let mut servers = Self::start_with(Gates {
            s3: Some(Arc::clone(&of_doubles) as _),
            mongo: Some(Arc::clone(&of_doubles) as _),
        })
        .await;
        // A client waits this long after an error from a server that is changing roles.
        servers.mongodb_uri += "&heartbeatFrequencyMS=500";
        let place = if servers.doubles.is_some() {
            Place::Doubles(of_doubles)
        } else {
            let s3 = Proxy::start(&servers.s3_endpoint).unwrap();
            servers.s3_endpoint = s3.endpoint();
            let mongo = FailPoint::new(servers.mongo.clone());
            Place::Real { s3, mongo }
        };
        (servers, Faults { seed, share, place })
    }
}

impl Faults {
    /// Lets requests fail from now on.
    pub async fn begin(&mut self) {
        match &mut self.place {
            Place::Doubles(doubles) => doubles.is_on.store(true, Ordering::Relaxed),
            Place::Real { s3, mongo } => {
                s3.break_requests(self.seed, self.share);
                mongo.begin(self.seed, self.share).await;
            }
        }
    }

    /// Stops the faults; returns how many there were.
    pub async fn end(&mut self) -> FaultCounts {
        match &mut self.place {
            Place::Doubles(doubles) => {
                doubles.is_on.store(false, Ordering::Relaxed);
                FaultCounts {
                    s3: doubles.s3.counts().faults(),
                    mongo: doubles.mongo.counts().faults(),
                }
            }
            Place::Real { s3, mongo } => FaultCounts {
                s3: s3.mend(),
                mongo: mongo.end().await,
            },
        }
    }
}

/// MongoDB's built-in fault injection; there is one per server.
struct FailPoint {
    admin: mongodb::Database,
    /// How often it had already fired before this test.
    before: u64,
    task: JoinSet<()>,
}

impl FailPoint {
    fn new(client: mongodb::Client) -> Self {
        Self {
            admin: client.database("admin"),
            before: 0,
            task: JoinSet::new(),
        }
    }

    async fn begin(&mut self, seed: u64, share: f64) {
        self.before = set(&self.admin, doc! { "mode": "off" }).await;
        let (admin, mut count) = (self.admin.clone(), self.before);
        let mut random = StdRng::seed_from_u64(seed);
        // Skip a random number of commands instead of using MongoDB's own probability: on new
        // connections that always gives the same result.
        let most = (4.0 / share) as i32;
        self.task.spawn(async move {
            loop {
                let skip = doc! { "skip": random.random_range(0..most) };
                let fault = doc! { "mode": skip, "data": any_fault(&mut random) };
                count = count.max(set(&admin, fault).await);
                let failed = doc! {
                    "waitForFailPoint": "failCommand",
                    "timesEntered": i64::try_from(count).unwrap() + 1,
                    "maxTimeMS": PATIENCE.as_millis() as i64,
                };
                // An error means that the fault has not fired yet.
                let _ = admin.run_command(failed).await.is_ok();
            }
        });
    }

    async fn end(&mut self) -> u64 {
        self.task.shutdown().await;
        set(&self.admin, doc! { "mode": "off" }).await - self.before
    }
}

/// Sets the fail point; returns how often it has fired since the server started.
async fn set(admin: &mongodb::Database, how: Document) -> u64 {
    let mut command = doc! { "configureFailPoint": "failCommand" };
    command.extend(how);
    let reply = admin.run_command(command).await.unwrap();
    u64::try_from(reply.get_i32("count").unwrap()).unwrap()
}

fn any_fault(random: &mut StdRng) -> Document {
    let (mut fault, commands) = match random.random_range(0..9) {
        0..3 => (doc! { "closeConnection": true }, &COMMANDS[..]),
        // The server is shutting down, was interrupted by an election, or is no longer the primary.
        code @ 3..7 => {
            let code = [91, 11602, 10107, 189][code - 3];
            (doc! { "errorCode": code }, &COMMANDS[..])
        }
        // The cursor no longer exists.
        7 => (doc! { "errorCode": 43 }, &["getMore"][..]),
        // Executed, but it is unknown whether the write will survive.
        _ => {
            let error = doc! { "code": 91, "errmsg": "shutting down" };
            (doc! { "writeConcernError": error }, &["insert"][..])
        }
    };
    fault.extend(doc! { "failCommands": commands, "appName": APP_NAME });
    fault
}
