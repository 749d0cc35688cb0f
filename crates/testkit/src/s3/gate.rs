//! The hook that lets a test decide the fate of each request.
//!
//! A fault is a decision about one request, chosen by its operation, key or count, never by time:
//! no test needs to sleep. A gate that counts the requests of an undisturbed run can then interrupt
//! later runs at each of them in turn.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::request::Request;

/// When a gate is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The request has arrived in full and nothing has been done yet.
    Arrived,
    /// The request has been executed ([`Request::status`] says how it went), but the reply has not
    /// been sent.
    Executed,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Proceed as if there were no gate.
    Pass,
    /// Never proceed. The connection stays open until the client leaves.
    Hold,
    /// Close the connection without a reply; after execution, this is a lost reply.
    Disconnect,
    /// Reset the connection (RST) without a reply.
    Reset,
    /// Reply with this error instead.
    Answer {
        /// HTTP status.
        status: u16,
        /// S3 error code of the XML body.
        code: &'static str,
    },
    /// Reply with status 200 and an `<Error>` body, as `CompleteMultipartUpload` does when it fails
    /// after S3 has begun to answer.
    AnswerOk {
        /// S3 error code of the XML body.
        code: &'static str,
    },
    /// Reply with exactly this XML instead.
    Reply {
        /// HTTP status.
        status: u16,
        /// The whole body.
        body: Cow<'static, str>,
    },
    /// Reply with this error, and this header, instead.
    AnswerWith {
        /// HTTP status.
        status: u16,
        /// S3 error code of the XML body.
        code: &'static str,
        /// The header's name and value.
        header: (&'static str, String),
    },
    /// Set this header of the reply.
    With(&'static str, String),
    /// Send the reply in chunks, without its length.
    Chunked,
    /// Drop this header from the reply, like servers that do not know it. The reply must have it.
    Without(&'static str),
    /// Flip the lowest bit in the middle of the reply's body, like a network path without
    /// checksums. Needs a reply with a body, so the request must have been executed.
    Damage,
}

/// Sees every request twice and decides its fate.
///
/// A closure `Fn(Moment, &Request) -> Verdict` is a gate. Implement the trait if a decision has to
/// wait for something, such as another request.
#[async_trait]
pub trait Gate: Send + Sync + 'static {
    /// Decides what happens to `request` at this moment.
    async fn decide(&self, moment: Moment, request: &Request) -> Verdict;

    /// Whether the server panics when it is dropped if the gate has let everything pass. Gates that
    /// need not strike belong to tests that check by themselves what happened.
    fn must_strike(&self) -> bool {
        true
    }
}

#[async_trait]
impl<F> Gate for F
where
    F: Fn(Moment, &Request) -> Verdict + Send + Sync + 'static,
{
    async fn decide(&self, moment: Moment, request: &Request) -> Verdict {
        self(moment, request)
    }
}

/// A gate that need not strike.
pub fn perhaps(decide: impl Fn(Moment, &Request) -> Verdict + Send + Sync + 'static) -> impl Gate {
    Perhaps(decide)
}

struct Perhaps<F>(F);

#[async_trait]
impl<F> Gate for Perhaps<F>
where
    F: Fn(Moment, &Request) -> Verdict + Send + Sync + 'static,
{
    async fn decide(&self, moment: Moment, request: &Request) -> Verdict {
        self.0(moment, request)
    }

    fn must_strike(&self) -> bool {
        false
    }
}

/// Gives the first `times` requests that `chosen` accepts this verdict at this moment.
pub fn first(
    times: usize,
    at: Moment,
    verdict: Verdict,
    chosen: impl Fn(&Request) -> bool + Send + Sync + 'static,
) -> impl Gate {
    let seen = AtomicUsize::new(0);
    move |moment: Moment, request: &Request| {
        let is_chosen = moment == at && chosen(request);
        match is_chosen && seen.fetch_add(1, Ordering::Relaxed) < times {
            true => verdict.clone(),
            false => Verdict::Pass,
        }
    }
}
