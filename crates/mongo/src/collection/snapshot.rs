//! A point in the server's history at which several scans can read.
//!
//! Each scan names the time in its own commands (`readConcern`), which is all that a snapshot
//! session of the driver does as well. So scans at the same time need not share a session, or even
//! a process.

use bson::rawdoc;

use super::identity::Collection;
use crate::error::{Cause, Error, Result};
use crate::server::{ClusterTime, Command};

/// A time that most members have reached and at which every collection can be read from now on.
pub(super) async fn snapshot_time(collection: &Collection) -> Result<ClusterTime> {
    let server = &collection.database.server;
    let none = |source| Error::NoSnapshots {
        hosts: server.hosts().to_owned(),
        source,
    };
    let command = Command::new("find", collection.namespace());
    let mut body = rawdoc! {
        "find": collection.name(),
        "batchSize": 0,
        "singleBatch": true,
    };
    // The time that most members have reached may be an old one.
    server.read_concern.pin_snapshot(&mut body);
    let reply = server
        .retry(|| collection.database.run(&command, body.clone()))
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
        .ok_or_else(|| none(Cause::new("it has no time")))
}
