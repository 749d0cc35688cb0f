//! Cluster times, and a secondary that can lag behind.
//!
//! A test server is one member that accepts writes, and may expose a second one on its own port.
//! The second has the same data as the first or, while replication is held, the data of the moment
//! it was held. A read with a later `afterClusterTime` waits there until replication resumes, as on
//! the real server.

use std::net::SocketAddr;

use bson::spec::ElementType;

use super::arguments::{Arguments, as_document, as_str};
use super::catalog::Catalog;
use super::element::get;
use super::failure::Failure;
use super::number::bits;
use super::wire::Message;
use crate::document_writer::DocumentWriter;

/// The first cluster time: a constant, so that nothing written depends on when a test ran.
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

/// The deployment that a [`MongoServer`](super::MongoServer) belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deployment {
    /// A replica set with one member.
    #[default]
    OneMember,
    /// A replica set with a primary and a secondary, both inside this server.
    TwoMembers,
    /// A cluster behind a mongos, modelled on the documentation: no real one was available.
    Mongos,
    /// A standalone server without cluster times.
    Standalone,
}

/// The member that a connection leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    Primary,
    Secondary,
}

/// The addresses of a server's members.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) primary: SocketAddr,
    pub(crate) secondary: Option<SocketAddr>,
}

/// How far each member has come.
pub(crate) struct Progress {
    newest: u64,
    /// What the secondary has while replication is held, and the time it was held at.
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
    /// Advances the time if the command writes.
    pub(crate) fn advance(&mut self, command: &str) {
        if WRITES.contains(&command) {
            self.newest += 1;
        }
    }

    /// Freezes the secondary at its current state.
    pub(crate) fn hold(&mut self, catalog: &Catalog) {
        self.held = Some((catalog.clone(), self.newest));
    }

    /// The cluster time that a member has reached.
    pub(crate) fn of(&self, member: Member) -> u64 {
        match (&self.held, member) {
            (Some((_, time)), Member::Secondary) => *time,
            _ => self.newest,
        }
    }

    /// Adds what every replica set member includes in each reply.
    pub(crate) fn stamp(&self, reply: &mut DocumentWriter, member: Member) {
        let mut signature = DocumentWriter::new();
        signature.binary("hash", 0, &[0; 20]).int64("keyId", 0);
        let mut cluster_time = DocumentWriter::new();
        timestamp(&mut cluster_time, "clusterTime", self.newest);
        cluster_time.document("signature", &signature.finish());
        reply.document("$clusterTime", &cluster_time.finish());
        timestamp(reply, "operationTime", self.of(member));
    }

    /// Refuses a read concern that is invalid at this time.
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

/// The time that a command's read must not be older than.
pub(crate) fn after_cluster_time(message: &Message) -> Option<u64> {
    message.depth.ok()?;
    let concern = get(&message.body, "readConcern").and_then(as_document)?;
    get(concern, "afterClusterTime").map(bits)
}

fn timestamp(document: &mut DocumentWriter, name: &str, time: u64) {
    document.element(ElementType::Timestamp, name, &time.to_le_bytes());
}
