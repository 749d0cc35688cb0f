//! A gate in front of both servers that cuts the work off at one request.

use std::sync::{Arc, Mutex, OnceLock};

use futures::StreamExt as _;
use lob_testkit::mongo::{self, Command};
use lob_testkit::s3::{self, Operation, Request};
use lob_tests::servers::{Gates, Servers};
use tokio::process::Child;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How many processes run at once.
pub(crate) const PROCESSES: usize = 3;
/// By how many requests two runs of the same work may differ, because some are made at once.
const VARIES: usize = 2;

/// The moment within a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// It has arrived in full, and nothing has been done yet.
    Arrived,
    /// It has been executed, but the reply has not been sent.
    Executed,
}

/// What happens at the cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The request is held forever, so that the process can be killed.
    Hold,
    /// The connection is closed without a reply.
    Disconnect,
}

/// What one process meets.
struct Aim {
    place: Place,
    count: usize,
    is_reached: bool,
    /// Whether the process under test is still running; whatever runs after it is left alone.
    is_armed: bool,
}

impl Aim {
    fn at(place: Place) -> Self {
        Self {
            place,
            count: 0,
            is_reached: false,
            is_armed: true,
        }
    }
}

type Watch = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The request to cut off: its position among the others, and the moment within it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) position: usize,
    pub(crate) at: At,
}

/// Counts the requests of both servers at one moment, and cuts one of them off.
pub(crate) struct Cut {
    fate: Fate,
    aim: Mutex<Aim>,
    /// Receives the request at the cut, such as `PutObject lob-data/r1/manifest.json`.
    reached: UnboundedSender<String>,
    /// Inspects the servers from outside at every moment of every request.
    watch: OnceLock<Watch>,
    broken_promises: Mutex<Vec<String>>,
}

impl Cut {
    pub(crate) fn new(place: Place, fate: Fate) -> (Arc<Self>, UnboundedReceiver<String>) {
        let (reached, reaches) = unbounded_channel();
        let cut = Self {
            fate,
            aim: Mutex::new(Aim::at(place)),
            reached,
            watch: OnceLock::new(),
            broken_promises: Mutex::default(),
        };
        (Arc::new(cut), reaches)
    }

    /// The gates for both servers.
    pub(crate) fn gates(self: &Arc<Self>) -> Gates {
        let (s3, mongo) = (Arc::clone(self), Arc::clone(self));
        let s3 = move |moment: s3::Moment, request: &Request| {
            let at = match moment {
                s3::Moment::Arrived => At::Arrived,
                s3::Moment::Executed => At::Executed,
            };
            // The test itself creates its bucket.
            if request.operation == Operation::CreateBucket {
                return s3::Verdict::Pass;
            }
            match s3.pass(at, || format!("{:?} {}", request.operation, request.key)) {
                None => s3::Verdict::Pass,
                Some(Fate::Hold) => s3::Verdict::Hold,
                Some(Fate::Disconnect) => s3::Verdict::Disconnect,
            }
        };
        let mongo = move |moment: mongo::Moment, command: &Command| {
            let at = match moment {
                mongo::Moment::Arrived => At::Arrived,
                mongo::Moment::Executed => At::Executed,
            };
            match mongo.pass(at, || format!("{} {:?}", command.name, command.collection)) {
                None => mongo::Verdict::Pass,
                Some(Fate::Hold) => mongo::Verdict::Hold,
                Some(Fate::Disconnect) => mongo::Verdict::Disconnect,
            }
        };
        Gates {
            s3: Some(Arc::new(s3::perhaps(s3))),
            mongo: Some(Arc::new(mongo::perhaps(mongo))),
        }
    }

    /// Cuts the next process off at another place.
    pub(crate) fn aim(&self, place: Place) {
        *self.aim.lock().unwrap() = Aim::at(place);
    }

    /// Runs `watch` at every request from now on.
    pub(crate) fn watch(&self, watch: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        assert!(self.watch.set(Box::new(watch)).is_ok());
    }

    pub(crate) fn at(&self) -> At {
        self.aim.lock().unwrap().place.at
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> usize {
        self.aim.lock().unwrap().count
    }

    /// Whether the request to cut off came.
    fn is_reached(&self) -> bool {
        self.aim.lock().unwrap().is_reached
    }

    /// Panics if the watch found a broken promise.
    pub(crate) fn assert_promises_kept(&self) {
        let broken = self.broken_promises.lock().unwrap();
        assert!(broken.is_empty(), "{broken:?}");
    }

    fn pass(&self, at: At, request: impl FnOnce() -> String) -> Option<Fate> {
        if let Some(Err(broken)) = self.watch.get().map(|watch| watch()) {
            self.broken_promises.lock().unwrap().push(broken);
        }
        let is_here = {
            let mut aim = self.aim.lock().unwrap();
            let counts = at == aim.place.at && aim.is_armed;
            aim.count += usize::from(counts);
            let is_here = counts && aim.count - 1 == aim.place.position;
            aim.is_reached |= is_here;
            is_here
        };
        is_here.then(|| {
            // A test that has ended no longer listens.
            let _ = self.reached.send(request());
            self.fate
        })
    }
}

/// Kills the process at the cut. Returns `None` if it finished first: concurrent requests make the
/// total vary by one from run to run.
pub(crate) async fn killed(
    mut child: Child,
    cut: &Cut,
    reaches: &mut UnboundedReceiver<String>,
) -> Option<String> {
    let held = tokio::select! {
        Some(held) = reaches.recv() => {
            child.start_kill().unwrap();
            child.wait().await.unwrap();
            Some(held)
        }
        status = child.wait() => {
            assert!(status.unwrap().success());
            None
        }
    };
    cut.aim.lock().unwrap().is_armed = false;
    held
}

/// Runs `case` undisturbed to count the requests, then once with a cut at each of them, which must
/// come.
pub(crate) async fn at_every_request<C, F>(moments: &[At], fate: Fate, case: C)
where
    C: Fn(Arc<Cut>, UnboundedReceiver<String>, Servers) -> F,
    F: Future<Output = ()>,
{
    let start = async |position, at| {
        let (cut, reaches) = Cut::new(Place { position, at }, fate);
        let servers = Servers::doubles(cut.gates()).await;
        case(Arc::clone(&cut), reaches, servers).await;
        cut.assert_promises_kept();
        cut
    };
    let requests = start(usize::MAX, At::Arrived).await.requests();
    assert!(requests > 10, "only {requests}");
    let cuts = (0..requests).flat_map(|position| moments.iter().map(move |&at| (position, at)));
    let missed: Vec<_> = futures::stream::iter(cuts)
        .map(async |(position, at)| {
            let is_reached = start(position, at).await.is_reached();
            (!is_reached).then_some((position, at))
        })
        .buffer_unordered(PROCESSES)
        .filter_map(std::future::ready)
        .collect()
        .await;
    let is_last = |(position, _): &(usize, At)| position + VARIES >= requests;
    assert!(missed.iter().all(is_last), "of {requests}: {missed:?}");
}
