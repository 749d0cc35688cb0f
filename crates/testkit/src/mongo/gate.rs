//! The hook with which a test decides what becomes of each command, and what a command looks like
//! to it.
//!
//! A fault is a decision about one command, found by its name, collection or count, never by time:
//! no test needs to sleep.

use async_trait::async_trait;
use bson::RawDocumentBuf;

/// A command as it arrived, for gates and for assertions after a run.
#[derive(Clone, Debug)]
pub struct Command {
    /// Counts the commands of the server from 0, in the order of arrival.
    pub number: u64,
    /// The command's name as sent, such as `find`.
    pub name: String,
    /// The database it was sent to.
    pub database: String,
    /// The collection it is about, if it is about one (the source, for `renameCollection`).
    pub collection: Option<String>,
    /// Documents that an insert carries; after execution also those that a batch returned.
    pub documents: usize,
    /// The `batchSize` asked for, of a `find`, `getMore` or `aggregate`.
    pub batch_size: Option<usize>,
    /// All arguments but the documents to insert.
    pub arguments: RawDocumentBuf,
    /// Size of the reply's document; 0 until the command has been executed.
    pub reply_bytes: usize,
}

/// When a gate is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The command has arrived whole and nothing has been done yet.
    Arrived,
    /// The command has been executed, its reply is not sent yet.
    Executed,
}

/// What becomes of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on as if there were no gate.
    Pass,
    /// Never go on. The connection stays open until the server stops.
    Hold,
    /// Close the connection without a reply: after execution this is a lost reply.
    Disconnect,
    /// Reply with this error instead.
    Answer {
        /// MongoDB error code, such as 91 (`ShutdownInProgress`).
        code: i32,
    },
    /// The same, with a label by which the server says that the command may be sent again.
    Labelled {
        /// MongoDB error code.
        code: i32,
        /// Such as `RetryableError`.
        label: &'static str,
    },
}

/// Sees every command twice and decides on it. Handshakes and the driver's monitoring (`hello`)
/// pass unseen.
///
/// A closure `Fn(Moment, &Command) -> Verdict` is a gate; implement the trait where a decision has
/// to wait for something, such as another command.
#[async_trait]
pub trait Gate: Send + Sync + 'static {
    /// Decides what becomes of `command` at this moment.
    async fn decide(&self, moment: Moment, command: &Command) -> Verdict;
}

#[async_trait]
impl<F> Gate for F
where
    F: Fn(Moment, &Command) -> Verdict + Send + Sync + 'static,
{
    async fn decide(&self, moment: Moment, command: &Command) -> Verdict {
        self(moment, command)
    }
}
