//! A moment of the server's history that several scans can read at.
//!
//! Each scan names the moment in its own commands (`readConcern`), which is all that a snapshot
//! session of the driver does as well: so scans at one moment need not share a session, nor a
//! process.

use std::fmt;

use bson::{RawDocumentBuf, Timestamp, rawdoc};
use serde::{Deserialize, Serialize};

use crate::collection::Collection;
use crate::command::Command;
use crate::error::{Cause, Error, Result, code};

/// A cluster time at which scans read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotTime {
    /// Seconds since 1970.
    pub seconds: u32,
    /// Counts the operations of that second.
    pub increment: u32,
}

impl SnapshotTime {
    fn read_concern(self) -> RawDocumentBuf {
        let time = Timestamp {
            time: self.seconds,
            increment: self.increment,
        };
        rawdoc! { "level": "snapshot", "atClusterTime": time }
    }

    /// Makes the read command `body` read at this time.
    pub(crate) fn pin(self, body: &mut RawDocumentBuf) {
        body.append(bson::raw::cstr!("readConcern"), self.read_concern());
    }
}

/// As MongoDB's shell writes it.
impl fmt::Display for SnapshotTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({}, {})", self.seconds, self.increment)
    }
}

impl Collection {
    /// A time at which this and every other collection of the server can be read from now on, as
    /// long as the server keeps that part of its history.
    ///
    /// # Errors
    /// [`Error::NoSnapshots`] where the server has none.
    pub async fn snapshot_time(&self) -> Result<SnapshotTime> {
        let server = &self.database.server;
        let none = |source| Error::NoSnapshots {
            hosts: server.hosts().to_owned(),
            source,
        };
        let command = Command::new("find", self.namespace());
        let body = rawdoc! {
            "find": self.name(),
            "batchSize": 0,
            "singleBatch": true,
            "readConcern": { "level": "snapshot" },
        };
        let reply = server
            .retry(|| self.database.run(&command, body.clone()))
            .await;
        let reply = match reply {
            Err(Error::Refused { source, .. }) if !source.is_transient() => {
                return Err(none(Cause::new(source)));
            }
            reply => reply?,
        };
        let cursor = reply.get_document("cursor").ok();
        let time = cursor.and_then(|cursor| cursor.get_timestamp("atClusterTime").ok());
        let time = time.ok_or_else(|| none(Cause::new("it answered without a time")))?;
        Ok(SnapshotTime {
            seconds: time.time,
            increment: time.increment,
        })
    }
}

/// What a scan at a time fails with when the server has forgotten that part of its history. To read
/// at another time would mix two states of the collection.
pub(crate) fn expired(error: Error, namespace: String) -> Error {
    const EXPIRED: [i32; 2] = [code::SNAPSHOT_TOO_OLD, code::SNAPSHOT_UNAVAILABLE];
    match error {
        Error::Refused { source, .. } if EXPIRED.contains(&source.code) => {
            Error::SnapshotGone { namespace, source }
        }
        other => other,
    }
}
