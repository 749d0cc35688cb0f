//! What can go wrong between a tool and a MongoDB server.
//!
//! The driver's own errors never leave this crate: their text can hold parts of a password or whole
//! documents. What is kept of them is a [`Cause`], redacted, or a [`Refusal`], what the server said.

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

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation on MongoDB. Every text names the object; none holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of the connection string cannot be read.
    #[error("the MongoDB URI in `{path}` cannot be read")]
    UriFile {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file of the token of OIDC cannot be read.
    #[error("the token of MONGODB-OIDC in `{path}` cannot be read")]
    TokenFile {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is a file of the connection string, and a connection string as well.
    #[error("the MongoDB URI is set, and so is a file that holds it")]
    TwoUris,
    /// The connection string cannot be used; `reason` quotes nothing of its secret parts.
    #[error("the MongoDB URI is not valid: {reason}")]
    InvalidUri {
        /// What is wrong with it.
        reason: String,
    },
    /// The connection string cannot be taken apart: its user name or password is not percent-encoded.
    #[error("the MongoDB URI is not valid: {reason}")]
    UnescapedUri {
        /// Which one, and nothing else of it.
        reason: &'static str,
    },
    /// A file of certificates cannot be used.
    #[error("the file of {setting} cannot be used")]
    Certificates {
        /// What names it.
        setting: &'static str,
        /// What is wrong with it.
        source: TrustError,
    },
    /// The system does not give what TLS takes.
    #[error("TLS cannot be set up")]
    Tls(#[source] std::io::Error),
    /// The connection string asks for a level of reads that may leave out what was written.
    #[error("the readConcernLevel of the MongoDB URI is neither `local` nor `majority`")]
    UnusableReadConcern,
    /// A direct connection to a member of a replica set that may lag behind its primary, and knows
    /// no other.
    #[error("MongoDB at {hosts} is not the primary of the replica set `{set}`")]
    NotPrimary {
        /// The hosts of the connection string.
        hosts: String,
        /// The name of the replica set.
        set: String,
    },
    /// No usable server was found within the server selection time-out.
    #[error("no usable MongoDB server at {hosts}")]
    Unreachable {
        /// The hosts of the connection string.
        hosts: String,
        /// What the driver saw.
        source: Cause,
    },
    /// The server does not accept the user name, password or mechanism.
    #[error("MongoDB at {hosts} did not accept the credentials")]
    Authentication {
        /// The hosts of the connection string.
        hosts: String,
        /// What the server said.
        source: Cause,
    },
    /// The user may not run this command.
    #[error("not authorised to run `{command}` on `{namespace}`")]
    Unauthorized {
        /// The command's name.
        command: &'static str,
        /// Database and collection.
        namespace: String,
    },
    /// No reply within the operation time-out.
    #[error("`{command}` on `{namespace}` got no reply within {}", humantime::format_duration(*.timeout))]
    TimedOut {
        /// The command's name.
        command: &'static str,
        /// Database and collection.
        namespace: String,
        /// The operation time-out.
        timeout: Duration,
    },
    /// The connection broke before the whole reply was there.
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
    #[error("MongoDB at {hosts} refused `{command}` on `{namespace}`")]
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
    /// The reply does not have the fields that it must have.
    #[error("the reply to `{command}` on `{namespace}` makes no sense: {reason}")]
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
        /// What the driver says.
        source: Cause,
    },
    /// No collection of the database fits the pattern.
    #[error("database `{database}` has no collection like `{pattern}`")]
    NoSplits {
        /// The database's name.
        database: String,
        /// The collection pattern.
        pattern: String,
    },
    /// Splits that were asked for are not there.
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
    /// The collection lies on several shards, and what is put in its place would not.
    #[error("`{namespace}` is sharded, and what is imported in its place would not be")]
    Sharded {
        /// Database and collection.
        namespace: String,
    },
    /// Without a UUID a write cannot be kept from hitting another collection of the same name.
    #[error("the server gives the collection `{namespace}` no UUID, which an import needs")]
    NoUuid {
        /// Database and collection.
        namespace: String,
    },
    /// The collection was dropped, renamed or replaced while it was being used.
    #[error("`{namespace}` was dropped or replaced by another collection meanwhile")]
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
    /// Two shards of a cluster hold documents of the same `_id`.
    #[error(
        "`{namespace}` has two documents with the `_id` {id} on several shards, which no collection \
         of one server could hold"
    )]
    EqualIds {
        /// Database and collection.
        namespace: String,
        /// The `_id`.
        id: String,
    },
    /// A bounded scan returned what is outside of its bounds: it is not known what else it returns.
    #[error("`{namespace}` was read outside of the range that was asked for, at {id}")]
    OutOfRange {
        /// Database and collection.
        namespace: String,
        /// The `_id` outside of the range.
        id: String,
    },
    /// The collection has an order of its own, in which no range can be told from another.
    #[error("`{namespace}` has a collation, so it cannot be read in ranges")]
    Indivisible {
        /// Database and collection.
        namespace: String,
    },
    /// The collection has fewer places to cut it at than ranges are asked for.
    #[error("`{namespace}` cannot be cut into {wanted} ranges, but into {possible}")]
    TooFewRanges {
        /// Database and collection.
        namespace: String,
        /// As many as are asked for.
        wanted: u32,
        /// As many as there can be.
        possible: u64,
    },
    /// Two scans of this server cannot be made to read at the same time of its history.
    #[error("MongoDB at {hosts} cannot read from a snapshot")]
    NoSnapshots {
        /// The hosts of the connection string.
        hosts: String,
        /// What the server said.
        source: Cause,
    },
    /// The server has forgotten its history at the time of the snapshot.
    #[error("the snapshot of `{namespace}` is gone, so what is left cannot be read any more")]
    SnapshotGone {
        /// Database and collection.
        namespace: String,
        /// What the server said.
        source: Refusal,
    },
    /// The scan lost its cursor, and cannot be resumed at this `_id`.
    #[error("the scan of `{namespace}` was interrupted and cannot go on after `_id` {id}")]
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
    /// A document without `_id`, or with `_id` in a place from which the server would move it.
    #[error("a document's first field is not `_id`")]
    IdNotFirst,
    /// A document that is not BSON.
    #[error("a document is not valid BSON")]
    InvalidDocument {
        /// What is wrong with it.
        source: Cause,
    },
    /// A document that no server would take.
    #[error("the document with `_id` {id} has {size} bytes, more than MongoDB's 16777216")]
    DocumentTooLarge {
        /// Its `_id`.
        id: String,
        /// Its size in bytes.
        size: usize,
    },
    /// The server would replace a zero Timestamp by the current time.
    #[error(
        "the server would change the document with `_id` {id}: it overwrites a zero Timestamp, and \
         does not know `bypassEmptyTsReplacement`"
    )]
    ZeroTimestamp {
        /// Its `_id`.
        id: String,
    },
    /// A batch limit that no server would take.
    #[error("a batch of {bytes} bytes and {documents} documents is outside of what MongoDB takes")]
    InvalidBatchLimits {
        /// The limit in bytes.
        bytes: u64,
        /// The limit in documents.
        documents: u32,
    },
    /// The server refused some documents of a batch.
    #[error("the server refused {refused} of {documents} documents for `{namespace}`")]
    DocumentsRefused {
        /// Database and collection.
        namespace: String,
        /// How many documents it refused.
        refused: usize,
        /// How many documents the batch has.
        documents: usize,
        /// What it said about the first of them.
        source: Refusal,
    },
    /// What a manifest says of indexes or options makes no sense.
    #[error("the indexes or options of the exported collection cannot be read: {reason}")]
    InvalidDefinition {
        /// What is wrong with it.
        reason: String,
    },
    /// The server does not build an index.
    #[error("the server does not build the indexes of `{namespace}`")]
    IndexRefused {
        /// Database and collection.
        namespace: String,
        /// What it said.
        source: Refusal,
    },
    /// Another document is stored under an `_id` of the batch.
    #[error("`{namespace}` already holds a different document with `_id` {id}")]
    DifferentDocument {
        /// Database and collection.
        namespace: String,
        /// The first such `_id`.
        id: String,
    },
    /// Written, but not as durably as was asked for.
    #[error("the write concern of `{command}` on `{namespace}` was not satisfied")]
    WriteConcern {
        /// The command's name.
        command: &'static str,
        /// Database and collection.
        namespace: String,
        /// What the server said.
        source: Refusal,
    },
    /// The target of the swap exists, and must not be replaced.
    #[error("`{namespace}` already exists")]
    TargetExists {
        /// Database and collection.
        namespace: String,
    },
    /// After the swap neither staging nor the target is the collection that was written.
    #[error("`{namespace}` is not the collection that was swapped in")]
    SwapLost {
        /// Database and collection of the target.
        namespace: String,
    },
    /// A write was sent, and nothing tells whether it took effect.
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

/// The error of a document that is not BSON, or lacks what it must have.
pub(crate) fn invalid(source: impl std::fmt::Display) -> Error {
    Error::InvalidDocument {
        source: Cause::new(source),
    }
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
