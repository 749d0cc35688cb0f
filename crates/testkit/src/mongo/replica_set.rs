//! Cluster times, and a secondary that can lag behind them.
//!
//! A server of this kit is one member that takes writes, and may show a second one at a port of its
//! own. The second has what the first has, or, while replication is held, what it had then. A read
//! that must be of a later time waits there until replication goes on, as on the real server.

use std::net::SocketAddr;

use bson::spec::ElementType;

use super::arguments::{Arguments, as_document, as_str};
use super::catalog::Catalog;
use super::element::get;
use super::failure::Failure;
use super::number::bits;
use super::wire::Message;
use crate::document_writer::DocumentWriter;

/// Cluster times begin here, so that what is written does not depend on when a test ran.
const FIRST: u64 = 1_700_000_000 << 32 | 1;
/// Commands that a secondary refuses.
const WRITES: [&str; 8] = [
    "insert",
    "update",
    "delete",
    "create",
    "drop",
    "dropDatabase",
    "renameCollection",
    "createIndexes",
];

/// What a [`MongoServer`](super::MongoServer) is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deployment {
    /// A replica set of one.
    #[default]
    OneMember,
    /// A replica set of a primary and a secondary, both within this server.
    TwoMembers,
    /// A cluster behind a mongos, played by the documentation: no real one could be had.
    Mongos,
    /// None: a server without cluster times.
    Standalone,
}

/// Which member a connection leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    Primary,
    Secondary,
}

/// The addresses of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) primary: SocketAddr,
    pub(crate) secondary: Option<SocketAddr>,
}

/// How far the members are.
pub(crate) struct Progress {
    newest: u64,
    /// What the secondary has while replication is held, and of when that is.
    pub(crate) held: Option<(Catalog, u64)>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            newest: FIRST,
            held: None,
        }
    }
}

impl Progress {
    /// Counts a command that wrote.
    pub(crate) fn advance(&mut self, command: &str) {
        if WRITES.contains(&command) {
            self.newest += 1;
        }
    }

    /// The secondary stays where it is.
    pub(crate) fn hold(&mut self, catalog: &Catalog) {
        self.held = Some((catalog.clone(), self.newest));
    }

    /// The time that a member has come to.
    pub(crate) fn of(&self, member: Member) -> u64 {
        match (&self.held, member) {
            (Some((_, time)), Member::Secondary) => *time,
            _ => self.newest,
        }
    }

    /// Adds to a reply what every member of a replica set says in each.
    pub(crate) fn stamp(&self, reply: &mut DocumentWriter, member: Member) {
        let mut signature = DocumentWriter::new();
        signature.binary("hash", 0, &[0; 20]).int64("keyId", 0);
        let mut cluster_time = DocumentWriter::new();
        timestamp(&mut cluster_time, "clusterTime", self.newest);
        cluster_time.document("signature", &signature.finish());
        reply.document("$clusterTime", &cluster_time.finish());
        timestamp(reply, "operationTime", self.of(member));
    }

    /// Refuses a read concern that makes no sense at this time.
    pub(crate) fn check_read_concern(
        &self,
        deployment: Deployment,
        concern: &[u8],
    ) -> Result<(), Failure> {
        let level = get(concern, "level").map(|level| as_str(level).unwrap_or_default());
        if !matches!(level, None | Some("local" | "majority" | "available")) {
            return Err(Failure::unsupported("this read concern"));
        }
        let Some(after) = get(concern, "afterClusterTime") else {
            return Ok(());
        };
        if after.kind != ElementType::Timestamp {
            return Err(Failure::new(14, "\"afterClusterTime\" had the wrong type"));
        }
        let invalid = |message| Err(Failure::new(72, message));
        match bits(after) {
            _ if level == Some("available") => invalid(
                "afterClusterTime field can be set only if level is equal to majority, local, or snapshot",
            ),
            0 => invalid("afterClusterTime cannot be a null timestamp"),
            _ if deployment == Deployment::Standalone => Err(Failure::new(
                20,
                "Cannot specify afterClusterTime readConcern without replication enabled",
            )),
            time if time > self.newest => invalid(
                "readConcern afterClusterTime value must not be greater than the current clusterTime",
            ),
            _ => Ok(()),
        }
    }
}

impl Member {
    /// Refuses what a secondary does not do.
    pub(crate) fn check(self, arguments: &Arguments<'_>, message: &Message) -> Result<(), Failure> {
        if self == Self::Primary {
            return Ok(());
        }
        if WRITES.contains(&arguments.command) {
            return Err(Failure::new(10107, "not primary"));
        }
        let preference = get(&message.body, "$readPreference").and_then(as_document);
        let mode = preference.and_then(|preference| get(preference, "mode"));
        match mode.and_then(as_str) {
            None | Some("primary") => Err(Failure::new(13435, "not primary and secondaryOk=false")),
            Some(_) => Ok(()),
        }
    }
}

/// The time that a command's reply must not be before.
pub(crate) fn after_cluster_time(message: &Message) -> Option<u64> {
    message.depth.ok()?;
    let concern = get(&message.body, "readConcern").and_then(as_document)?;
    get(concern, "afterClusterTime").map(bits)
}

fn timestamp(document: &mut DocumentWriter, name: &str, time: u64) {
    document.element(ElementType::Timestamp, name, &time.to_le_bytes());
}
