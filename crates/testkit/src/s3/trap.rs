//! A gate that can be set while the server runs: it catches one request, and the test decides when
//! it goes on, if ever.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::gate::{Gate, Moment, Verdict};
use super::lock::lock;
use super::request::Request;

/// Lets everything pass until it is set. Clones share one state.
#[derive(Clone, Default)]
pub struct Trap(Arc<Mutex<Option<Bait>>>);

type Choice = dyn FnMut(Moment, &Request) -> bool + Send;

struct Bait {
    chosen: Box<Choice>,
    caught: oneshot::Sender<Request>,
    released: oneshot::Receiver<Verdict>,
}

/// A handle to the request that a trap catches.
#[derive(Debug)]
pub struct Catch {
    caught: oneshot::Receiver<Request>,
    released: oneshot::Sender<Verdict>,
}

impl Trap {
    /// Holds the first request that `chosen` accepts, and none after it.
    pub fn set(&self, chosen: impl FnMut(Moment, &Request) -> bool + Send + 'static) -> Catch {
        let (caught_sender, caught) = oneshot::channel();
        let (released, released_receiver) = oneshot::channel();
        *lock(&self.0) = Some(Bait {
            chosen: Box::new(chosen),
            caught: caught_sender,
            released: released_receiver,
        });
        Catch { caught, released }
    }
}

impl Catch {
    /// Waits until the request is held; waits forever if the trap is set again first.
    pub async fn request(&mut self) -> Request {
        match (&mut self.caught).await {
            Ok(request) => request,
            Err(_) => std::future::pending().await,
        }
    }

    /// Lets the request go on.
    pub fn release(self) {
        self.end(Verdict::Pass);
    }

    /// Closes the request's connection without a reply.
    pub fn lose(self) {
        self.end(Verdict::Disconnect);
    }

    /// Answers the request with this error instead.
    pub fn answer(self, status: u16, code: &'static str) {
        self.end(Verdict::Answer { status, code });
    }

    fn end(self, verdict: Verdict) {
        // The server may have dropped the request already.
        let _ = self.released.send(verdict);
    }
}

#[async_trait]
impl Gate for Trap {
    async fn decide(&self, moment: Moment, request: &Request) -> Verdict {
        let bait = {
            let mut set = lock(&self.0);
            let caught = set
                .as_mut()
                .is_some_and(|bait| (bait.chosen)(moment, request));
            if caught { set.take() } else { None }
        };
        let Some(bait) = bait else {
            return Verdict::Pass;
        };
        if bait.caught.send(request.clone()).is_err() {
            // Nobody is waiting for it any more.
            return Verdict::Pass;
        }
        bait.released.await.unwrap_or(Verdict::Hold)
    }

    /// Whoever sets it waits for the catch.
    fn must_strike(&self) -> bool {
        false
    }
}
