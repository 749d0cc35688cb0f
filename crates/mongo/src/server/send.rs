//! Sends one raw command, bounded in time, counts it, and turns failures into an [`Error`].

use std::time::Instant;

use bson::{Document, RawArray, RawDocumentBuf};
use futures::StreamExt as _;
use lob_core::metrics::Moved;
use mongodb::options::SelectionCriteria;
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor};

use super::cluster_time::ClusterTime;
use super::command::Command;
use super::handle::Database;
use super::read_concern;
use crate::error::{Error, Result, code};

/// Maximum number of consecutive replies without a document: a server need not fill every reply,
/// but one that never ends must not stall a run forever.
const EMPTY_REPLIES: u32 = 1000;
/// How many collections, indexes or entries to request per further reply; the first reply holds as
/// many as fit.
pub(crate) const LISTED: u32 = 1000;

impl Database {
    /// Sends a command once. The reply is small: documents come through cursors.
    pub(crate) async fn run(&self, command: &Command, body: RawDocumentBuf) -> Result<Document> {
        let sent = command.moved(&body);
        self.server.wait_for(sent.bytes_sent).await;
        let begin = Instant::now();
        let database = self.driver();
        let reply = database.run_raw_command(body).into_future();
        let reply = self.bounded(command, reply).await;
        self.count(command, begin, reply.as_ref().map(|_| sent));
        reply
    }

    /// Sends a command once that may take hours, such as building indexes or counting documents. It
    /// has no timeout: giving up would end its work.
    pub(crate) async fn run_to_its_end(
        &self,
        command: &Command,
        body: RawDocumentBuf,
    ) -> Result<Document> {
        let (begin, sent) = (Instant::now(), command.moved(&body));
        let reply = self.driver().run_raw_command(body).await;
        let reply = reply.map_err(|e| self.failed(command, &e));
        self.count(command, begin, reply.as_ref().map(|_| sent));
        reply
    }

    /// Reads documents from where the connection string says (`readPreference`), and as current as
    /// this database's reads must be. `batch_documents` limits each further reply; the command's
    /// own `batchSize` limits the first.
    pub(crate) async fn read(
        &self,
        command: &Command,
        mut body: RawDocumentBuf,
        batch_documents: u32,
    ) -> Result<RawBatchCursor> {
        self.server.read_concern.pin(&mut body);
        self.open_cursor(self.read_from(), command, body, batch_documents)
            .await
    }

    /// The same, with everything as it was at `time`.
    pub(crate) async fn read_at(
        &self,
        time: ClusterTime,
        command: &Command,
        mut body: RawDocumentBuf,
        batch_documents: u32,
    ) -> Result<RawBatchCursor> {
        read_concern::pin_to(time, &mut body);
        self.open_cursor(self.read_from(), command, body, batch_documents)
            .await
    }

    /// Lists collections or indexes as known to the primary.
    pub(crate) async fn list(
        &self,
        command: &Command,
        body: RawDocumentBuf,
    ) -> Result<RawBatchCursor> {
        self.open_cursor(None, command, body, LISTED).await
    }

    fn read_from(&self) -> Option<SelectionCriteria> {
        let from = self.driver().selection_criteria().cloned();
        from.filter(|_| !self.server.reads_primary)
    }

    async fn open_cursor(
        &self,
        from: Option<SelectionCriteria>,
        command: &Command,
        body: RawDocumentBuf,
        batch_documents: u32,
    ) -> Result<RawBatchCursor> {
        let database = self.driver();
        let mut cursor = database
            .run_raw_cursor_command(body)
            .batch_size(batch_documents);
        if let Some(from) = from {
            cursor = cursor.selection_criteria(from);
        }
        let begin = Instant::now();
        let cursor = self.bounded(command, cursor.batch()).await;
        if let Err(error) = &cursor {
            self.count(command, begin, Err(error));
        }
        cursor
    }

    /// The next reply with documents from a cursor that `command` opened, or `None` at its end. The
    /// first reply arrived when the cursor was opened, but is counted here.
    pub(crate) async fn next_reply(
        &self,
        command: &Command,
        cursor: &mut RawBatchCursor,
    ) -> Result<Option<RawBatch>> {
        for _ in 0..EMPTY_REPLIES {
            let begin = Instant::now();
            let reply = self.bounded(command, async { cursor.next().await.transpose() });
            let reply = reply.await;
            match &reply {
                Ok(Some(reply)) => {
                    let received = received(reply);
                    self.count(command, begin, Ok(received));
                    self.server.wait_for(received.bytes_received).await;
                }
                Ok(None) => {}
                Err(error) => self.count(command, begin, Err(error)),
            }
            let reply = reply?;
            let is_empty = |reply: &RawBatch| reply.doc_slices().is_ok_and(RawArray::is_empty);
            if !reply.as_ref().is_some_and(is_empty) {
                return Ok(reply);
            }
        }
        Err(command.invalid_reply("its cursor keeps returning no documents"))
    }

    /// Waits for a reply, but no longer than the operation timeout.
    async fn bounded<T>(
        &self,
        command: &Command,
        reply: impl Future<Output = mongodb::error::Result<T>>,
    ) -> Result<T> {
        let timeout = self.server.operation_timeout;
        match tokio::time::timeout(timeout, reply).await {
            Ok(reply) => reply.map_err(|e| self.failed(command, &e)),
            Err(_) => Err(Error::TimedOut {
                command: command.name,
                namespace: command.namespace.clone(),
                timeout,
            }),
        }
    }

    fn failed(&self, command: &Command, error: &mongodb::error::Error) -> Error {
        Error::from_driver(error, command.name, &command.namespace, self.server.hosts())
    }

    /// Counts an attempt, whatever its outcome.
    fn count(&self, command: &Command, begin: Instant, done: Result<Moved, &Error>) {
        let commands = &self.server.commands;
        // This error is only ever provoked on purpose: no insert has a wrong number of documents.
        let is_expected = |error: &Error| error.code() == Some(code::INVALID_LENGTH);
        if done.as_ref().is_err_and(|error| is_expected(error)) {
            return commands.expected(command.name, begin.elapsed());
        }
        let done = done.map_err(Error::class);
        commands.attempt(command.name, begin.elapsed(), done);
    }
}

fn received(reply: &RawBatch) -> Moved {
    let documents = reply.doc_slices();
    documents.map_or_else(
        |_| Moved::default(),
        |documents| Moved {
            documents: documents.into_iter().count() as u64,
            bytes_received: documents.as_bytes().len() as u64,
            ..Moved::default()
        },
    )
}
