//! A moment of the server's history that several scans can read at.
//!
//! Each scan names the moment in its own commands (`readConcern`), which is all that a snapshot
//! session of the driver does as well: so scans at one moment need not share a session, nor a
//! process.

use bson::raw::cstr;
use bson::{RawDocumentBuf, Timestamp, rawdoc};

use super::identity::Collection;
use crate::error::{Cause, Error, Result, code};
use crate::server::ClusterTime;
use crate::server::Command;

/// Makes the read command `body` read at this time.
pub(crate) fn pin(time: ClusterTime, body: &mut RawDocumentBuf) {
    let concern = rawdoc! { "level": "snapshot", "atClusterTime": Timestamp::from(time) };
    body.append(cstr!("readConcern"), concern);
}

impl Collection {
    /// A time at which this and every other collection of the server can be read from now on, as
    /// long as the server keeps that part of its history. It is not before the time that the reads
    /// of its database are after, and waited for until most members have come to it.
    ///
    /// # Errors
    /// [`Error::NoSnapshots`] where the server has none.
    pub async fn snapshot_time(&self) -> Result<ClusterTime> {
        let server = &self.database.server;
        let none = |source| Error::NoSnapshots {
            hosts: server.hosts().to_owned(),
            source,
        };
        let command = Command::new("find", self.namespace());
        let mut body = rawdoc! {
            "find": self.name(),
            "batchSize": 0,
            "singleBatch": true,
        };
        // The moment that most members have come to may be an old one.
        server.read_concern.pin_snapshot(&mut body);
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
        time.map(ClusterTime::from)
            .ok_or_else(|| none(Cause::new("it answered without a time")))
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
