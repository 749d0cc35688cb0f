//! Sends one raw command, bounded in time, and turns what goes wrong into an [`Error`].

use bson::{Document, RawDocumentBuf};
use mongodb::options::SelectionCriteria;
use mongodb::raw_batch_cursor::RawBatchCursor;

use crate::error::{Error, Result};
use crate::server::Database;

/// A command with what its errors say about it.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// Database and collection that it acts on.
    pub(crate) namespace: String,
    pub(crate) body: RawDocumentBuf,
}

impl Command {
    pub(crate) fn new(name: &'static str, namespace: String, body: RawDocumentBuf) -> Self {
        Self {
            name,
            namespace,
            body,
        }
    }
}

impl Database {
    /// Sends `command` once. The reply is small: documents come through cursors.
    pub(crate) async fn run(&self, command: &Command) -> Result<Document> {
        let database = self.driver();
        let reply = database.run_raw_command(command.body.clone());
        self.bounded(command.name, &command.namespace, reply.into_future())
            .await
    }

    /// Sends a command that answers with a cursor, which reads from where the connection string
    /// says (`readPreference`). `batch_documents` bounds each further reply; the command's own
    /// `batchSize` bounds the first.
    pub(crate) async fn open_cursor(
        &self,
        command: &Command,
        batch_documents: u32,
    ) -> Result<RawBatchCursor> {
        let from = self.driver().selection_criteria().cloned();
        self.open_cursor_on(from, command, batch_documents).await
    }

    /// The same, but reads what was written last, whatever the connection string says.
    pub(crate) async fn open_cursor_on_primary(
        &self,
        command: &Command,
        batch_documents: u32,
    ) -> Result<RawBatchCursor> {
        self.open_cursor_on(None, command, batch_documents).await
    }

    async fn open_cursor_on(
        &self,
        from: Option<SelectionCriteria>,
        command: &Command,
        batch_documents: u32,
    ) -> Result<RawBatchCursor> {
        let database = self.driver();
        let mut cursor = database
            .run_raw_cursor_command(command.body.clone())
            .batch_size(batch_documents);
        if let Some(from) = from {
            cursor = cursor.selection_criteria(from);
        }
        self.bounded(command.name, &command.namespace, cursor.batch())
            .await
    }

    /// Waits for a reply, at most for the operation time-out.
    pub(crate) async fn bounded<T>(
        &self,
        command: &'static str,
        namespace: &str,
        reply: impl Future<Output = mongodb::error::Result<T>>,
    ) -> Result<T> {
        let timeout = self.server.operation_timeout;
        match tokio::time::timeout(timeout, reply).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(e)) => Err(Error::from_driver(
                &e,
                command,
                namespace,
                self.server.hosts(),
            )),
            Err(_) => Err(Error::TimedOut {
                command,
                namespace: namespace.to_owned(),
                timeout,
            }),
        }
    }
}
