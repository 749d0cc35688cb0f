//! The hook with which a test decides what becomes of each request.
//!
//! A fault is a decision about one request, found by its operation, key or count, never by time:
//! no test needs to sleep. A gate that counts the requests of an undisturbed run can then cut the
//! next runs at each of them in turn.

use async_trait::async_trait;

use super::request::Request;

/// When a gate is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The request has arrived whole and nothing has been done yet.
    Arrived,
    /// The request has been executed ([`Request::status`] says how it went), its reply is not
    /// sent yet.
    Executed,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on as if there were no gate.
    Pass,
    /// Never go on. The connection stays open until the client leaves.
    Hold,
    /// Close the connection without a reply: after execution this is a lost reply.
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
    /// Reply with exactly this instead, in XML.
    Reply {
        /// HTTP status.
        status: u16,
        /// The whole body.
        body: &'static str,
    },
    /// Reply without this header, as servers do that do not know it. It takes a reply that has it.
    Without(&'static str),
    /// Flip the lowest bit in the middle of the reply's body, as a path does that no checksum
    /// watches. It takes a reply with a body: a request that was executed.
    Damage,
}

/// Sees every request twice and decides on it.
///
/// A closure `Fn(Moment, &Request) -> Verdict` is a gate; implement the trait where a decision has
/// to wait for something, such as another request.
#[async_trait]
pub trait Gate: Send + Sync + 'static {
    /// Decides what becomes of `request` at this moment.
    async fn decide(&self, moment: Moment, request: &Request) -> Verdict;
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
