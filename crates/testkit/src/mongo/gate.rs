//! The hook that lets a test decide the fate of each command.
//!
//! A fault is a decision about one command, chosen by its name, collection or count, never by time:
//! no test needs to sleep.

use async_trait::async_trait;
use bson::RawDocumentBuf;

/// A command as it arrived, for gates and for assertions after a run.
#[derive(Clone, Debug)]
pub struct Command {
    /// Position among all commands the server has received, from 0.
    pub number: u64,
    /// The command's name as sent, such as `find`.
    pub name: String,
    /// The database it was sent to.
    pub database: String,
    /// The collection it concerns, if any (the source, for `renameCollection`).
    pub collection: Option<String>,
    /// Number of documents in an insert; after execution, also the number a batch returned.
    pub documents: usize,
    /// The `batchSize` requested by a `find`, `getMore` or `aggregate`.
    pub batch_size: Option<usize>,
    /// All arguments except the documents to insert.
    pub arguments: RawDocumentBuf,
    /// Size of the reply document in bytes; 0 until the command has been executed.
    pub reply_bytes: usize,
}

/// When a gate is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The command has arrived in full and nothing has been done yet.
    Arrived,
    /// The command has been executed, but its reply has not been sent.
    Executed,
}

/// What happens to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Proceed as if there were no gate.
    Pass,
    /// Never proceed. The connection stays open until the server stops.
    Hold,
    /// Close the connection without a reply; after execution, this is a lost reply.
    Disconnect,
    /// Reply with this error instead.
    Answer {
        /// MongoDB error code, such as 91 (`ShutdownInProgress`).
        code: i32,
    },
    /// Like `Answer`, with labels that tell the client that it may retry the command.
    Labelled {
        /// MongoDB error code.
        code: i32,
        /// Such as `RetryableError`.
        labels: &'static [&'static str],
    },
}

/// Sees every command twice and decides its fate. Handshakes and the driver's monitoring (`hello`)
/// bypass it.
///
/// A closure `Fn(Moment, &Command) -> Verdict` is a gate. Implement the trait if a decision has to
/// wait for something, such as another command.
#[async_trait]
pub trait Gate: Send + Sync + 'static {
    /// Decides what happens to `command` at this moment.
    async fn decide(&self, moment: Moment, command: &Command) -> Verdict;

    /// Whether the server panics when it is dropped if the gate has let everything pass. Gates that
    /// need not strike belong to tests that check by themselves what happened.
    fn must_strike(&self) -> bool {
        true
    }
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

/// A gate that need not strike.
pub fn perhaps(decide: impl Fn(Moment, &Command) -> Verdict + Send + Sync + 'static) -> impl Gate {
    Perhaps(decide)
}

struct Perhaps<F>(F);

#[async_trait]
impl<F> Gate for Perhaps<F>
where
    F: Fn(Moment, &Command) -> Verdict + Send + Sync + 'static,
{
    async fn decide(&self, moment: Moment, command: &Command) -> Verdict {
        self.0(moment, command)
    }

    fn must_strike(&self) -> bool {
        false
    }
}
