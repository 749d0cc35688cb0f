//! What can go wrong between a tool and a MongoDB server.
//!
//! The driver's own errors never leave this crate: their text can hold parts of a password or whole
//! documents. What is kept of them is a redacted [`Cause`], or a [`Refusal`] with what the server
//! said.

mod attempt;
mod cause;
pub(crate) mod code;
mod driver;
mod failure;
mod plain;
mod refusal;
pub(crate) mod unreachable;

use std::time::Duration;

use lob_core::trust::TrustError;

pub use cause::Cause;
pub use refusal::Refusal;

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation on MongoDB. Every message names the object; none contains a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file with the connection string cannot be read.
    #[error("the MongoDB URI in `{path}` cannot be read")]
    UriFile {
        /// The file.
        path: String,
        /// What the operating system reported.
        source: std::io::Error,
    },
    /// The file with the OIDC token cannot be read.
    #[error("the MONGODB-OIDC token in `{path}` cannot be read")]
    TokenFile {
        /// The file.
        path: String,
        /// What the operating system reported.
        source: std::io::Error,
    },
    /// Both a connection string and a file with one are set.
    #[error("both the MongoDB URI and a file that holds it are set")]
    TwoUris,
    /// The connection string is unusable; `reason` quotes none of its secret parts.
    #[error("the MongoDB URI is not valid: {reason}")]
    InvalidUri {
        /// What is wrong with it.
        reason: String,
    },
    /// The connection string cannot be parsed: its user name or password is not percent-encoded.
    #[error("the MongoDB URI is not valid: {reason}")]
    UnescapedUri {
        /// Which of the two, quoting nothing of it.
        reason: &'static str,
    },
    /// A certificate file cannot be used.
    #[error("the file of {setting} cannot be used")]
    Certificates {
        /// The setting that names the file.
        setting: &'static str,
        /// What is wrong with it.
        source: TrustError,
    },
    /// The system does not provide what TLS needs.
    #[error("TLS cannot be set up")]
    Tls(#[source] std::io::Error),
    /// The connection string asks for a read concern level that may miss what was written.
    #[error("the readConcernLevel of the MongoDB URI is neither `local` nor `majority`")]
    UnusableReadConcern,
    /// A direct connection to a replica set member that may lag behind the primary, and that knows
    /// of no other member.
    #[error("MongoDB at {hosts} is not the primary of the replica set `{set}`")]
    NotPrimary {
        /// The hosts of the connection string.
        hosts: String,
        /// The name of the replica set.
        set: String,
    },
    /// No usable server was found within the server selection timeout.
    #[error("no usable MongoDB server at {hosts}")]
    Unreachable {
        /// The hosts of the connection string.
        hosts: String,
        /// What the driver saw.
        source: Cause,
    },
    /// The server rejects the user name, password or mechanism.
    #[error("MongoDB at {hosts} rejected the credentials")]
    Authentication {
        /// The hosts of the connection string.
        hosts: String,
        /// What the server said.
        source: Cause,
    },
    /// The user is not allowed to run this command.
    #[error("not authorised to run `{command}` on `{namespace}`")]
    Unauthorized {
        /// The command's name.
        command: &'static str,
        /// Database and collection.
        namespace: String,
    },
    /// No reply arrived within the operation timeout.
    #[error("`{command}` on `{namespace}` got no reply within {}", humantime::format_duration(*.timeout))]
    TimedOut {
        /// The command's name.
        command: &'static str,
        /// Database and collection.
        namespace: String,
        /// The operation timeout.
        timeout: Duration,
    },
    /// The connection broke before the reply was complete.
    #[error("the connection to MongoDB at {hosts} was lost during `{command}` on `{namespace}`")]
    ConnectionLost {
        /// The command's name.
        command: &'static str,
        /// Database and collection.
        namespace: String,
        /// The hosts of the connection string.
        hosts: String,
        /// What the driver saw.
        source: Cause,
    },
    /// The server answered with an error.
    #[error("MongoDB at {hosts} rejected `{command}` on `{namespace}`")]
    Refused {
        /// The command's name.
        command: &'static str,
        /// Database and collection.
        namespace: String,
        /// The hosts of the connection string.
        hosts: String,
        /// What the server said.
        source: Refusal,
    },
    /// The reply lacks required fields.
    #[error("the reply to `{command}` on `{namespace}` is invalid: {reason}")]
    InvalidReply {
        /// The command's name.
        command: &'static str,
        /// Database and collection.
        namespace: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The driver failed for a reason of its own.
    #[error("`{command}` on `{namespace}` failed")]
    Driver {
        /// The command's name.
        command: &'static str,
        /// Database and collection.
        namespace: String,
        /// What the driver said.
        source: Cause,
    },
    /// No collection in the database matches the pattern.
    #[error("database `{database}` has no collection like `{pattern}`")]
    NoSplits {
        /// The database's name.
        database: String,
        /// The collection pattern.
        pattern: String,
    },
    /// Requested splits do not exist.
    #[error("database `{database}` has no {}", quoted(.missing))]
    NoSuchSplits {
        /// The database's name.
        database: String,
        /// The names of the missing collections.
        missing: Vec<String>,
        /// The names of the splits that exist.
        existing: Vec<String>,
    },
    /// The collection is a view, which has no documents of its own.
    #[error("`{namespace}` is a view")]
    View {
        /// Database and collection.
        namespace: String,
    },
    /// The collection is a time series, which does not keep documents as they were inserted.
    #[error("`{namespace}` is a time-series collection")]
    TimeSeries {
        /// Database and collection.
        namespace: String,
    },
    /// The collection is sharded, and whatever is put in its place would not be.
    #[error("`{namespace}` is sharded, and the collection that replaces it would not be")]
    Sharded {
        /// Database and collection.
        namespace: String,
    },
    /// Without a UUID, nothing keeps a write from hitting another collection with the same name.
    #[error("the server reports no UUID for the collection `{namespace}`, which an import needs")]
    NoUuid {
        /// Database and collection.
        namespace: String,
    },
    /// The collection was dropped, renamed or replaced while in use.
    #[error("`{namespace}` was dropped or replaced by another collection in the meantime")]
    Replaced {
        /// Database and collection.
        namespace: String,
    },
    /// The server does not return documents in `_id` order, so their completeness is unknown.
    #[error("`{namespace}` was not read in `_id` order: {id} came after {previous}")]
    OutOfOrder {
        /// Database and collection.
        namespace: String,
        /// The `_id` that came too late.
        id: String,
        /// The `_id` before it.
        previous: String,
    },
    /// Two shards of a cluster hold documents with the same `_id`.
    #[error(
        "`{namespace}` has documents with the same `_id`, {id}, on several shards, which no \
         unsharded collection can hold"
    )]
    EqualIds {
        /// Database and collection.
        namespace: String,
        /// The `_id`.
        id: String,
    },
    /// A bounded scan returned a document outside its bounds, so its other results cannot be
    /// trusted either.
    #[error("`{namespace}` was read outside the requested range, at {id}")]
    OutOfRange {
        /// Database and collection.
        namespace: String,
        /// The `_id` outside the range.
        id: String,
    },
    /// A collation defines the order of the collection, so ranges cannot be told apart.
    #[error("`{namespace}` has a collation, so it cannot be read in ranges")]
    Indivisible {
        /// Database and collection.
        namespace: String,
    },
    /// The collection has too few places to cut it into the requested number of ranges.
    #[error("`{namespace}` cannot be cut into {wanted} ranges, only into {possible}")]
    TooFewRanges {
        /// Database and collection.
        namespace: String,
        /// The requested number.
        wanted: u32,
        /// The possible number.
        possible: u64,
    },
    /// Two scans cannot be made to read at the same point in this server's history.
    #[error("MongoDB at {hosts} cannot read from a snapshot")]
    NoSnapshots {
        /// The hosts of the connection string.
        hosts: String,
        /// What the server said.
        source: Cause,
    },
    /// The server no longer keeps its history back to the snapshot.
    #[error("the snapshot of `{namespace}` is gone, so the rest cannot be read")]
    SnapshotGone {
        /// Database and collection.
        namespace: String,
        /// What the server said.
        source: Refusal,
    },
    /// The scan lost its cursor and cannot be resumed at this `_id`.
    #[error("the scan of `{namespace}` was interrupted and cannot continue after `_id` {id}")]
    CannotResume {
        /// Database and collection.
        namespace: String,
        /// The last `_id` that was read.
        id: String,
    },
    /// A task of this crate ended without a result.
    #[error("the scan of `{namespace}` stopped unexpectedly")]
    ScanStopped {
        /// Database and collection.
        namespace: String,
        /// How the task ended.
        source: Cause,
    },
    /// A document without `_id`, or with `_id` where the server would move it.
    #[error("a document's first field is not `_id`")]
    IdNotFirst,
    /// A document that is not BSON.
    #[error("a document is not valid BSON")]
    InvalidDocument {
        /// What is wrong with it.
        source: Cause,
    },
    /// A document too large for any server.
    #[error("the document with `_id` {id} has {size} bytes, more than MongoDB's 16777216")]
    DocumentTooLarge {
        /// Its `_id`.
        id: String,
        /// Its size in bytes.
        size: usize,
    },
    /// The server would replace a zero Timestamp with the current time.
    #[error(
        "the server would change the document with `_id` {id}: it overwrites a zero Timestamp and \
         does not support `bypassEmptyTsReplacement`"
    )]
    ZeroTimestamp {
        /// Its `_id`.
        id: String,
    },
    /// Batch limits that no server accepts.
    #[error("a batch of {bytes} bytes and {documents} documents is outside MongoDB's limits")]
    InvalidBatchLimits {
        /// The limit in bytes.
        bytes: u64,
        /// The limit in documents.
        documents: u32,
    },
    /// The server refused some documents of a batch.
    #[error("the server rejected {refused} of {documents} documents for `{namespace}`")]
    DocumentsRefused {
        /// Database and collection.
        namespace: String,
        /// How many documents were refused.
        refused: usize,
        /// How many documents the batch had.
        documents: usize,
        /// What the server said about the first of them.
        source: Refusal,
    },
    /// A manifest's indexes or options make no sense.
    #[error("the indexes or options of the exported collection cannot be read: {reason}")]
    InvalidDefinition {
        /// What is wrong with it.
        reason: String,
    },
    /// The server refuses to build an index.
    #[error("the server cannot build the indexes of `{namespace}`")]
    IndexRefused {
        /// Database and collection.
        namespace: String,
        /// What the server said.
        source: Refusal,
    },
    /// A different document is stored under an `_id` of the batch.
    #[error("`{namespace}` already holds a different document with `_id` {id}")]
    DifferentDocument {
        /// Database and collection.
        namespace: String,
        /// The first such `_id`.
        id: String,
    },
    /// Written, but less durably than requested.
    #[error("the write concern of `{command}` on `{namespace}` was not satisfied")]
    WriteConcern {
        /// The command's name.
        command: &'static str,
        /// Database and collection.
        namespace: String,
        /// What the server said.
        source: Refusal,
    },
    /// The target of the swap exists and must not be replaced.
    #[error("`{namespace}` already exists")]
    TargetExists {
        /// Database and collection.
        namespace: String,
    },
    /// After the swap, neither staging nor the target is the collection that was written.
    #[error("`{namespace}` is not the collection that was swapped in")]
    SwapLost {
        /// Database and collection of the target.
        namespace: String,
    },
    /// A write was sent, and it is unknown whether it took effect.
    #[error("it is unknown whether `{command}` on `{namespace}` took effect")]
    OutcomeUnknown {
        /// The command's name.
        command: &'static str,
        /// Database and collection.
        namespace: String,
        /// Why the last attempt to find out failed.
        source: Box<Error>,
    },
}

/// The error for a document that is not BSON or lacks a required part.
pub(crate) fn invalid(source: impl std::fmt::Display) -> Error {
    Error::InvalidDocument {
        source: Cause::new(source),
    }
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
